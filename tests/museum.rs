//! The programs of `examples/museum`: each mistake is one, each mend mends. And where the kernel
//! only claims to have carried out the call named here, the program ends with status 1.

mod common;

examples! {
    "museum":
    chroot_jail: SYS_umount2;
    early_umount: SYS_umount2;
    edited_snapshot: SYS_prctl, argument 0 = libc::PR_CAPBSET_DROP;
    forgotten_clone3: SYS_seccomp;
    forgotten_fchmodat2: SYS_seccomp;
    host_devtmpfs: SYS_mknodat;
    ignored_sigpipe: SYS_rt_sigaction, argument 0 = libc::SIGPIPE;
    joined_path: SYS_openat2;
    kept_groups: SYS_setresgid;
    leaking_mounts: SYS_mount, argument 3 = libc::MS_REC | libc::MS_PRIVATE;
    map_from_inside: SYS_setuid;
    no_proc: SYS_mount, argument 3 = 0;
    open_directory: SYS_pivot_root;
    raw_status;
    v1_paths;
}

#[test]
fn a_limit_that_is_only_a_file_is_noticed() {
    if let Some(reason) = common::example::fails_on_false_cgroups("v1_paths") {
        skip!("{reason}");
    }
}
