//! The filter of `jec run` and `jec spec`: an allow-list.
//!
//! It lets through what programs use and what the kernel itself guards well,
//! and refuses what reaches deep into the kernel for the sake of few programs:
//! namespaces, mounts, keyrings, BPF, io_uring, userfaultfd. That is the way of
//! the profiles that Docker and Podman bring; a capability opens the calls that
//! are useless without it. A refused call gets EPERM. What is newer than the
//! newest call named here gets ENOSYS (see [`crate::filter::compile()`]).

use caps::Capability::{
    self, CAP_BPF, CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON, CAP_SYS_ADMIN,
    CAP_SYS_BOOT, CAP_SYS_CHROOT, CAP_SYS_MODULE, CAP_SYS_NICE, CAP_SYS_PACCT, CAP_SYS_PTRACE,
    CAP_SYS_RAWIO, CAP_SYS_TIME, CAP_SYS_TTY_CONFIG, CAP_SYSLOG,
};
use oci_spec::runtime::LinuxSeccompOperator::{
    self, ScmpCmpEq as Equal, ScmpCmpLt as Less, ScmpCmpMaskedEq as Masked,
};
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSyscall,
};

/// Allowed to every container, by subject. Names that one of the machines does
/// not have (the older x86_64 calls, on ARM) are simply skipped there.
const ALLOWED: &[&str] = &[
    // Opening, making and removing files.
    "access chdir chmod chown close close_range creat faccessat faccessat2 fchdir fchmod fchmodat
     fchmodat2 fchown fchownat getcwd lchown link linkat mkdir mkdirat mknod mknodat open openat
     openat2 readlink readlinkat rename renameat renameat2 rmdir symlink symlinkat umask unlink
     unlinkat",
    // Their contents.
    "copy_file_range fadvise64 fallocate fdatasync flock fsync ftruncate getdents getdents64 lseek
     pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile splice sync
     sync_file_range syncfs tee truncate vmsplice write writev",
    // What is known about them.
    "cachestat fgetxattr flistxattr fremovexattr fsetxattr fstat fstatfs futimesat getxattr
     getxattrat lgetxattr listmount listxattr listxattrat llistxattr lremovexattr lsetxattr lstat
     name_to_handle_at newfstatat removexattr removexattrat setxattr setxattrat stat statfs
     statmount statx utime utimensat utimes",
    // Descriptors, and waiting for them.
    "dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd
     eventfd2 fanotify_mark fcntl inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
     io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioctl pipe pipe2 poll ppoll
     pselect6 select signalfd signalfd4",
    // Memory.
    "brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall
     mmap mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
     remap_file_pages",
    // Processes and threads. ptrace(2) cannot get round a filter since Linux 4.8.
    "arch_prctl execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getpgid
     getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid ioprio_get ioprio_set
     pidfd_open prctl prlimit64 process_mrelease process_vm_readv process_vm_writev ptrace
     restart_syscall rseq set_robust_list set_thread_area set_tid_address setpgid setpriority
     setrlimit setsid uretprobe vfork wait4 waitid",
    // Scheduling, and threads that wait for each other.
    "futex futex_requeue futex_wait futex_waitv futex_wake sched_get_priority_max
     sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
     sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
     sched_yield",
    // Signals.
    "kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
     rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack tgkill tkill",
    // Clocks and timers. Setting a clock asks for a capability in the kernel.
    "adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer gettimeofday
     nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_settime
     timerfd_create timerfd_gettime timerfd_settime times",
    // Sockets; which families, below.
    "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg
     sendmmsg sendmsg sendto setsockopt shutdown socketpair",
    // System V and POSIX queues, semaphores, shared memory: of the container's own namespace.
    "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv
     msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget",
    // Users and capabilities: less is always allowed, more the kernel guards.
    "capget capset getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid
     setgid setgroups setregid setresgid setresuid setreuid setuid",
    // A sandbox inside the sandbox, and the rest.
    "getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp sysinfo
     uname",
];

/// What a capability in the bounding set opens.
const WITH: &[(Capability, &str)] = &[
    (CAP_BPF, "bpf"),
    (CAP_DAC_READ_SEARCH, "open_by_handle_at"),
    (CAP_PERFMON, "perf_event_open"),
    (
        CAP_SYS_ADMIN,
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie
         lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount
         open_tree open_tree_attr perf_event_open quotactl quotactl_fd setdomainname sethostname
         setns syslog umount2 unshare",
    ),
    (CAP_SYS_BOOT, "reboot"),
    (CAP_SYS_CHROOT, "chroot"),
    (CAP_SYS_MODULE, "delete_module finit_module init_module"),
    (CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    (CAP_SYS_PACCT, "acct"),
    (CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise"),
    (CAP_SYS_RAWIO, "ioperm iopl"),
    (CAP_SYS_TIME, "clock_settime settimeofday"),
    (CAP_SYS_TTY_CONFIG, "vhangup"),
    (CAP_SYSLOG, "syslog"),
];

/// The machine's own interface, by name: runc does not know SCMP_ARCH_NATIVE.
const NATIVE: Arch =
    if cfg!(target_arch = "aarch64") { Arch::ScmpArchAarch64 } else { Arch::ScmpArchX86_64 };

/// One comparison of argument 0.
type Test = (LinuxSeccompOperator, u64);

/// Every namespace flag of <linux/sched.h> that clone(2) takes: `CLONE_NEW`
/// CGROUP, IPC, NET, NS, PID, USER, UTS.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// personality(2): Linux, Linux32, each with UNAME26, and the question which it is.
const PERSONALITIES: &[Test] =
    &[(Equal, 0), (Equal, 0x8), (Equal, 0x2_0000), (Equal, 0x2_0008), (Equal, 0xffff_ffff)];

/// Address families (<linux/socket.h>) of any container: unix, inet, inet6,
/// netlink, packet (which asks for CAP_NET_RAW).
const FAMILIES: &[Test] = &[(Equal, 1), (Equal, 2), (Equal, 10), (Equal, 16), (Equal, 17)];

/// Address families of a container that works on the network: all up to 45 but
/// AF_ALG (38) and AF_VSOCK (40), which lead out of its network namespace, into
/// the kernel's ciphers and to the hypervisor. Not `> 40`: a filter sees 64
/// bits, the kernel takes 32, and 2^32 + 38 would be a 38 that is above 40.
const MORE_FAMILIES: &[Test] =
    &[(Less, 38), (Equal, 39), (Equal, 41), (Equal, 42), (Equal, 43), (Equal, 44), (Equal, 45)];

/// The profile for a container whose bounding set is `bounding` (bit n is
/// capability n of <linux/capability.h>).
pub fn default_profile(bounding: u64) -> LinuxSeccomp {
    let has = |capability: Capability| bounding & capability.bitmask() != 0;
    let mut syscalls = vec![allow(ALLOWED.iter().flat_map(|names| names.split_whitespace()))];
    let opened = WITH.iter().filter(|(capability, _)| has(*capability));
    for (_, names) in opened {
        syscalls.push(allow(names.split_whitespace()));
    }
    let works_on_network = has(CAP_NET_ADMIN) || has(CAP_NET_RAW);
    let families = if works_on_network { MORE_FAMILIES } else { FAMILIES };
    syscalls.extend(tested("socket", families));
    syscalls.extend(tested("personality", PERSONALITIES));
    if !has(CAP_SYS_ADMIN) {
        syscalls.extend(tested("clone", &[(Masked, NEW_NAMESPACES)]));
        // The flags of clone3 are in memory, where a filter cannot look. On
        // ENOSYS, and only then, C libraries go back to clone.
        let mut clone3 = call(["clone3"].into_iter(), LinuxSeccompAction::ScmpActErrno);
        clone3.set_errno_ret(Some(nix::errno::Errno::ENOSYS as u32));
        syscalls.push(clone3);
    }
    let mut profile = LinuxSeccomp::default();
    profile
        .set_default_action(LinuxSeccompAction::ScmpActErrno)
        .set_default_errno_ret(Some(nix::errno::Errno::EPERM as u32))
        .set_architectures(Some(vec![NATIVE]))
        .set_syscalls(Some(syscalls));
    profile
}

fn call<'a>(names: impl Iterator<Item = &'a str>, action: LinuxSeccompAction) -> LinuxSyscall {
    let mut call = LinuxSyscall::default();
    call.set_names(names.map(String::from).collect()).set_action(action);
    call
}

fn allow<'a>(names: impl Iterator<Item = &'a str>) -> LinuxSyscall {
    call(names, LinuxSeccompAction::ScmpActAllow)
}

/// `name`, allowed if one of the tests of its first argument holds: an entry each.
fn tested(name: &str, tests: &[Test]) -> impl Iterator<Item = LinuxSyscall> {
    tests.iter().map(move |test| {
        let mut call = allow([name].into_iter());
        call.set_args(Some(vec![argument(*test)]));
        call
    })
}

fn argument((operator, value): Test) -> LinuxSeccompArg {
    LinuxSeccompArgBuilder::default()
        .index(0_usize)
        .op(operator)
        .value(value)
        .build()
        .expect("every field has a default")
}

#[cfg(test)]
mod tests;
