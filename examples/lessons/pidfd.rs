//! A pid is a number, and numbers come round again. A pidfd is the process.
//!
//! In a pid namespace of its own, a lesson may choose the next number: so a process ends, and a
//! stranger gets its pid. kill(2) would reach the stranger; the pidfd knows better. What is
//! printed: both answers. See pidfd_open(2), pidfd_send_signal(2), ns_last_pid in proc(5).
#![allow(unsafe_code)]

use std::env;
use std::error::Error;
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, exit};

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::kill;
use nix::unistd::{Pid, getgid, getuid};

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).is_some() {
        return inside();
    }
    become_root().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    unshare(CloneFlags::CLONE_NEWPID)?;
    exit(Command::new("/proc/self/exe").arg("inside").status()?.code().unwrap_or(1))
}

/// As process 1: whatever is left when it ends, the kernel kills.
fn inside() -> Result<(), Box<dyn Error>> {
    let mut first = Command::new("sleep").arg("60").spawn()?;
    let number = i32::try_from(first.id())?;
    let pidfd = pidfd_open(number)?;
    let alive = send(&pidfd, 0);
    holds(&format!("process {number} lives: the pidfd answers {alive:?}"), alive == Ok(()))?;
    first.kill()?;
    first.wait()?;

    if let Err(error) = fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()) {
        skip(&format!("this kernel does not let us choose a pid: {error}"));
    }
    let stranger = Command::new("sleep").arg("60").spawn()?;
    let same = i32::try_from(stranger.id())? == number;
    holds(&format!("it has ended, and a stranger has its number: {}", stranger.id()), same)?;
    let by_number = kill(Pid::from_raw(number), None);
    holds(
        &format!("kill({number}, 0) would reach the stranger: {by_number:?}"),
        by_number.is_ok(),
    )?;
    let by_pidfd = send(&pidfd, libc::SIGKILL);
    let claim = format!("pidfd_send_signal(pidfd, SIGKILL): {by_pidfd:?}");
    holds(&claim, by_pidfd == Err(Errno::ESRCH))
}

fn pidfd_open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes two numbers.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap_or(-1)) })
}

fn send(pidfd: &OwnedFd, signal: i32) -> nix::Result<()> {
    let (fd, no_info) = (pidfd.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: three numbers, and a null pointer, which the call takes for "as kill(2) does".
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, no_info, 0) };
    Errno::result(result).map(drop)
}

/// Root of a user namespace of its own may do all that follows, and nearly everybody can have one.
fn become_root() -> Result<(), Box<dyn Error>> {
    let (uid, gid) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(())
}

fn skip(reason: &str) -> ! {
    println!("skipped: {reason}");
    exit(77)
}

/// Prints a claim that holds; one that does not ends the lesson with status 1.
fn holds(claim: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this does not hold: {claim}").into());
    }
    println!("{claim}");
    Ok(())
}
