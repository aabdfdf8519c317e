//! The programs of `examples/lessons`, each as it is, and each on a kernel that lies to it: the
//! call named here answers 0 and does nothing, and the lesson has to end with status 1.

mod common;

examples! {
    "lessons":
    chroot: SYS_chroot;
    descriptor_passing: SYS_chroot;
    eight_instructions: SYS_prctl, argument 0 = libc::PR_SET_SECCOMP;
    five_sets: SYS_prctl, argument 0 = libc::PR_CAPBSET_DROP;
    memory_limit;
    mount_propagation: SYS_mount, argument 3 = libc::MS_SLAVE;
    no_new_privileges: SYS_fchmod;
    overlayfs: SYS_unlink;
    pid: SYS_mount, argument 3 = 0;
    pidfd: SYS_pidfd_send_signal;
    pivot: SYS_umount2;
    root_inside: SYS_sethostname;
    set_user_id: SYS_prctl, argument 0 = libc::PR_CAPBSET_DROP;
    uts: SYS_sethostname;
    veth_pair: SYS_setns;
}

#[test]
fn a_limit_that_is_only_a_file_is_noticed() {
    if let Some(reason) = common::example::fails_on_false_cgroups("memory_limit") {
        skip!("{reason}");
    }
}
