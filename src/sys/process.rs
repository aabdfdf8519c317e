//! Processes: making them, watching them, becoming another program.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::arguments::{self, flags, kinds};
use super::record::{Recorder, again, descriptor, record, record_as, record_fd};
use super::signal::{READ, watch};
use crate::error::{Result, unless};

/// A process of ours, behind its pidfd: the number alone may be reused, the descriptor not.
#[derive(Debug)]
pub struct Child {
    /// Its number in our pid namespace.
    pub pid: i32,
    /// Its descriptor (pidfd_open(2)).
    pub pidfd: OwnedFd,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By exit(2), with this status.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
}

impl End {
    /// The shell's number for it: the status, or 128 and the signal.
    pub fn code(self) -> u8 {
        let number = match self {
            Self::Exited(status) => status,
            Self::Signaled(signal) => 128 + signal,
        };
        u8::try_from(number & 0xff).unwrap_or(u8::MAX)
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signaled(signal) => {
                let name = Signal::try_from(*signal).map_or("a signal", Signal::as_str);
                write!(f, "killed by {name}")
            }
        }
    }
}

/// clone3(2): the one place of jec that makes a process, in new namespaces, beside us instead of
/// below us (CLONE_PARENT), born in a cgroup (CLONE_INTO_CGROUP, Linux 5.7), as is asked for. The
/// child runs `child`, which never returns; if it did, the process would end with 255.
#[track_caller]
pub fn clone3(
    how: CloneFlags,
    cgroup: Option<BorrowedFd>,
    child: impl FnOnce() -> std::convert::Infallible,
) -> Result<Child> {
    let mut pidfd: RawFd = -1;
    let args = clone_args(how, cgroup, &mut pidfd);
    // SAFETY: `args` and `pidfd` outlive the call. No CLONE_VM: the child has its own copy of
    // memory and stack, as after fork(2), and this process has one thread, so that no lock of
    // the allocator can be held by another.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    let result =
        Errno::result(result).and_then(|pid| i32::try_from(pid).map_err(|_| Errno::EOVERFLOW));
    if result == Ok(0) {
        super::trace::born(child);
    }
    let shown = arguments::clone(how, cgroup);
    let pid = record_as("clone3", format_args!("{shown}"), result, |pid| *pid)?;
    // SAFETY: the kernel stored a new descriptor in `pidfd`, ours alone.
    Ok(Child { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
}

/// fork(2), for a program beside the container's: a filter that is loaded already may answer
/// clone3(2) with ENOSYS, since it cannot look at its flags.
#[track_caller]
pub fn fork(child: impl FnOnce() -> std::convert::Infallible) -> Result<Child> {
    // SAFETY: this process has one thread, so that no lock can be held by another.
    let result = Errno::result(unsafe { libc::fork() });
    if result == Ok(0) {
        super::trace::born(child);
    }
    let pid = record_as("fork", format_args!(""), result, |pid| *pid)?;
    Ok(Child { pid, pidfd: pidfd_open(pid)? })
}

/// What clone3(2) is asked for; the kernel stores the new process's descriptor in `pidfd`.
fn clone_args(how: CloneFlags, cgroup: Option<BorrowedFd>, pidfd: &mut RawFd) -> libc::clone_args {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000; // <linux/sched.h>
    // Beside us, the exit signal is the one that our own parent chose for us.
    let signal = if how.contains(CloneFlags::CLONE_PARENT) { 0 } else { libc::SIGCHLD };
    // SAFETY: all-zero is what clone3(2) documents for an argument that is not used.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (how.bits() | libc::CLONE_PIDFD).cast_unsigned().into();
    args.exit_signal = signal.cast_unsigned().into();
    args.pidfd = (&raw mut *pidfd) as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd().unsigned_abs().into();
    }
    args
}

/// _exit(2): the end of a child that did not become another program.
pub fn exit_now(status: u8) -> ! {
    // SAFETY: never returns, runs no destructor and no atexit handler of the parent's.
    unsafe { libc::_exit(status.into()) }
}

/// pidfd_open(2).
#[track_caller]
pub fn pidfd_open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: only numbers are passed; the new descriptor is ours alone.
    let result = unsafe { descriptor(libc::syscall(libc::SYS_pidfd_open, pid, 0)) };
    record_fd("pidfd_open", format_args!("{pid}"), result)
}

/// pidfd_send_signal(2): a signal to that very process.
#[track_caller]
pub fn send(child: &Child, signal: i32) -> Result<()> {
    let (fd, no_info) = (child.pidfd.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: only numbers and a null pointer are passed.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, no_info, 0) };
    let name = Signal::try_from(signal).map_or("signal", Signal::as_str);
    let args = format_args!("{fd}, {name} ({signal})");
    // ESRCH: it has ended in this moment, or earlier.
    let sent = record("pidfd_send_signal", args, Errno::result(result));
    unless(&[Errno::ESRCH], sent).map(drop)
}

/// waitid(2): waits for the child and takes its status.
#[track_caller]
pub fn wait(child: &Child) -> Result<End> {
    Ok(wait_with(child, WaitPidFlag::WEXITED)?.unwrap_or(End::Exited(0)))
}

/// waitid(2) with WNOHANG: the child's status if it has ended.
#[track_caller]
pub fn wait_now(child: &Child) -> Result<Option<End>> {
    wait_with(child, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG)
}

/// waitid(2) with WNOWAIT: how an ended child has ended. It stays, and so does the meaning of its number.
#[track_caller]
pub fn look(child: &Child) -> Result<End> {
    let how = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    Ok(wait_with(child, how)?.unwrap_or(End::Exited(0)))
}

#[track_caller]
fn wait_with(child: &Child, how: WaitPidFlag) -> Result<Option<End>> {
    let pid = Pid::from_raw(child.pid);
    let result = again(|| waitid(Id::Pid(pid), how | WaitPidFlag::__WALL));
    let result = result.map(|status| Some(ended(status)?.1));
    let args = format_args!("P_PID, {}, {}", child.pid, flags(&how));
    record_as("waitid", args, result, |end| end.map_or("0".into(), |end| end.to_string()))
}

/// waitid(2) for any child that has ended, without waiting: its number and its end.
#[track_caller]
pub fn reap() -> Result<Option<(i32, End)>> {
    let result = waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG).map(ended);
    let args = format_args!("P_ALL, 0, WEXITED|WNOHANG");
    let reaped = record_as("waitid", args, result, |ended| ended.map_or(0, |(pid, _)| pid));
    // ECHILD: nobody is left to wait for.
    unless(&[Errno::ECHILD], reaped).map(Option::flatten)
}

/// Who has ended, and how; none while the child lives.
fn ended(status: WaitStatus) -> Option<(i32, End)> {
    match status {
        WaitStatus::Exited(pid, status) => Some((pid.as_raw(), End::Exited(status))),
        WaitStatus::Signaled(pid, signal, _) => Some((pid.as_raw(), End::Signaled(signal as i32))),
        _ => None,
    }
}

/// execve(2): returns only when it failed.
#[track_caller]
pub fn execve(path: &CStr, args: &[CString], env: &[CString]) -> Result<()> {
    let shown = format_args!("{path:?}, {args:?}, {} variables", env.len());
    // A call that does not return has to be told before it is made.
    Recorder::call("execve", shown, format_args!(""));
    record("execve", shown, nix::unistd::execve(path, args, env))
}

/// execveat(2) of what `file` itself is.
#[track_caller]
pub fn execve_file(file: BorrowedFd, args: &[CString], env: &[CString]) -> Result<()> {
    let shown = format_args!("{}, \"\", {args:?}, AT_EMPTY_PATH", file.as_raw_fd());
    Recorder::call("execveat", shown, format_args!(""));
    let how = nix::fcntl::AtFlags::AT_EMPTY_PATH;
    record("execveat", shown, nix::unistd::execveat(file, c"", args, env, how))
}

/// unshare(2).
#[track_caller]
pub fn unshare(namespaces: CloneFlags) -> Result<()> {
    record("unshare", format_args!("{}", kinds(namespaces)), nix::sched::unshare(namespaces))
}

/// setns(2).
#[track_caller]
pub fn setns(namespace: BorrowedFd, kind: CloneFlags) -> Result<()> {
    let result = nix::sched::setns(namespace, kind);
    record("setns", format_args!("{}, {}", namespace.as_raw_fd(), kinds(kind)), result)
}

/// The kind of namespace that a descriptor of nsfs refers to (ioctl_ns(2), NS_GET_NSTYPE).
#[track_caller]
pub fn namespace_kind(namespace: BorrowedFd) -> Result<CloneFlags> {
    let fd = namespace.as_raw_fd();
    // SAFETY: the request takes no argument and returns a number.
    let result = Errno::result(unsafe { libc::ioctl(fd, libc::NS_GET_NSTYPE) });
    record_as("ioctl", format_args!("{fd}, NS_GET_NSTYPE"), result, |kind| *kind)
        .map(CloneFlags::from_bits_retain)
}

/// Waits until a process has ended, by its pidfd, and takes its status when it
/// is our child. ETIMEDOUT when it has not within `patience`.
#[track_caller]
pub fn wait_gone(child: &Child, patience: std::time::Duration) -> Result<()> {
    if watch(&[(child.pidfd.as_fd(), READ)], Some(patience))?[0].is_empty() {
        let late = Err::<(), _>(Errno::ETIMEDOUT);
        return record("poll", format_args!("pidfd of {}, {patience:?}", child.pid), late);
    }
    // ECHILD: another jec's child, or one whose status has been taken.
    unless(&[Errno::ECHILD], wait_now(child)).map(drop)
}
