//! What a process has that its children and its next program inherit.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sched::CpuSet;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::record::{record, record_as};
use crate::error::Result;
use crate::plan::{MemoryPolicy, Scheduler};

/// setsid(2).
#[track_caller]
pub fn setsid() -> Result<()> {
    record("setsid", format_args!(""), nix::unistd::setsid())
}

/// prctl(2) PR_SET_PDEATHSIG: this process is killed when its parent ends.
/// The kernel forgets it when ids change and when a set-id program starts.
#[track_caller]
pub fn die_with_parent() -> Result<()> {
    let result = prctl::set_pdeathsig(Signal::SIGKILL);
    record("prctl", format_args!("PR_SET_PDEATHSIG, SIGKILL"), result)
}

/// prctl(2) PR_SET_PDEATHSIG 0: this process stays when its parent ends.
#[track_caller]
pub fn outlive_parent() -> Result<()> {
    record("prctl", format_args!("PR_SET_PDEATHSIG, 0"), prctl::set_pdeathsig(None))
}

/// prctl(2) PR_SET_DUMPABLE 0: nobody without CAP_SYS_PTRACE may trace us or read our /proc files.
#[track_caller]
pub fn set_undumpable() -> Result<()> {
    record("prctl", format_args!("PR_SET_DUMPABLE, 0"), prctl::set_dumpable(false))
}

/// prctl(2) PR_SET_NAME: what ps(1) shows, at most 15 bytes.
#[track_caller]
pub fn set_name(name: &CStr) -> Result<()> {
    record("prctl", format_args!("PR_SET_NAME, {name:?}"), prctl::set_name(name))
}

/// keyctl(2) KEYCTL_JOIN_SESSION_KEYRING without a name: a new session keyring.
#[track_caller]
pub fn new_session_keyring() -> Result<()> {
    let (join, no_name) = (libc::KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>());
    // SAFETY: only a number and a null pointer are passed.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, join, no_name) };
    record("keyctl", format_args!("KEYCTL_JOIN_SESSION_KEYRING, NULL"), Errno::result(result))
}

/// close_range(2) with CLOSE_RANGE_CLOEXEC (Linux 5.11): from `first` on, nothing survives execve.
#[track_caller]
pub fn close_on_exec_from(first: u32) -> Result<()> {
    let (last, how) = (u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: only numbers are passed; the descriptors stay open until execve.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, how) };
    let args = format_args!("{first}, {last}, CLOSE_RANGE_CLOEXEC");
    record("close_range", args, Errno::result(result))
}

/// fstat(2) of a number, whoever holds it: whether a directory is behind it.
#[track_caller]
pub fn is_directory(at: i32) -> Result<bool> {
    // SAFETY: borrowed for this call only; a number that nobody holds is EBADF.
    let result = nix::sys::stat::fstat(unsafe { BorrowedFd::borrow_raw(at) });
    let found = result.map(|found| found.st_mode & libc::S_IFMT == libc::S_IFDIR);
    record_as("fstat", format_args!("{at}"), found, |_| 0)
}

/// dup3(2): from now on the number `at` is what `fd` is; whoever holds it goes on holding it.
#[track_caller]
pub fn exchange(at: i32, fd: BorrowedFd) -> Result<()> {
    // SAFETY: only numbers are passed, and no number becomes free.
    let result = unsafe { libc::dup3(fd.as_raw_fd(), at, libc::O_CLOEXEC) };
    record("dup3", format_args!("{}, {at}, O_CLOEXEC", fd.as_raw_fd()), Errno::result(result))
}

/// prlimit(2): sets a resource limit of another process.
#[track_caller]
pub fn prlimit(pid: i32, name: &str, resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    let (new, old) = (&raw const limit, std::ptr::null::<libc::rlimit64>());
    // SAFETY: `limit` is a whole rlimit64; the old limit is not asked for.
    let result = unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, new, old) };
    record("prlimit64", format_args!("{pid}, {name}, {soft}, {hard}"), Errno::result(result))
}

/// ioprio_set(2) of the calling process.
#[track_caller]
pub fn ioprio_set(priority: i32) -> Result<()> {
    const IOPRIO_WHO_PROCESS: libc::c_int = 1; // <linux/ioprio.h>
    // SAFETY: only numbers are passed.
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority) };
    let args = format_args!("IOPRIO_WHO_PROCESS, 0, {priority:#x}");
    record("ioprio_set", args, Errno::result(result))
}

/// sched_setattr(2) of the calling process.
#[track_caller]
pub fn sched_setattr(scheduler: &Scheduler) -> Result<()> {
    let attributes = libc::sched_attr {
        size: u32::try_from(size_of::<libc::sched_attr>()).unwrap_or(0),
        sched_policy: scheduler.policy,
        sched_flags: scheduler.flags,
        sched_nice: scheduler.nice,
        sched_priority: scheduler.priority,
        sched_runtime: scheduler.runtime,
        sched_deadline: scheduler.deadline,
        sched_period: scheduler.period,
    };
    // SAFETY: the struct is whole and says its own size.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    record("sched_setattr", format_args!("0, {scheduler:?}"), Errno::result(result))
}

/// personality(2): sets the execution domain.
#[track_caller]
pub fn personality(domain: u64) -> Result<()> {
    // SAFETY: only a number is passed.
    let result = unsafe { libc::personality(domain) };
    record("personality", format_args!("{domain:#x}"), Errno::result(result))
}

/// sched_setaffinity(2) of the calling process; the kernel leaves out what its cgroup has not.
#[track_caller]
pub fn sched_setaffinity(processors: &CpuSet) -> Result<()> {
    let result = nix::sched::sched_setaffinity(Pid::from_raw(0), processors);
    let set = |number: &usize| processors.is_set(*number).unwrap_or(false);
    let numbers: Vec<_> = (0..CpuSet::count()).filter(set).take(8).collect();
    record("sched_setaffinity", format_args!("0, {numbers:?}"), result)
}

/// set_mempolicy(2) of the calling process.
#[track_caller]
pub fn set_mempolicy(policy: &MemoryPolicy) -> Result<()> {
    let MemoryPolicy { mode, nodes } = policy;
    // The kernel looks at one bit less than it is told.
    let (mask, count) = (nodes.as_ptr(), nodes.len() * 64 + 1);
    // SAFETY: `mask` has `count` - 1 bits, and outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, *mode, mask, count) };
    record("set_mempolicy", format_args!("{mode:#x}, [{:#x}, …]", nodes[0]), Errno::result(result))
}
