//! How much memory the runtime takes at its peak.
//!
//! ru_maxrss of wait4(2) will not do: it is the maximum over the waited-for
//! children too, and execve carries the size of the caller (this program) over.
//! So the runtime is traced (ptrace(2)) in a run of its own, as the child of a
//! process that waits until it is traced, with one kind of stop: a process is
//! about to exit, and its memory is still there. VmHWM in
//! /proc/PID/status is then the peak of what it executed last. The maximum over
//! all processes counts; the program in the container is far smaller than any
//! runtime. What a process had before an execve is not seen.

use std::ffi::c_void;
use std::io::{Error, Result};

use crate::process::Line;

const STOPS: i32 = libc::PTRACE_O_TRACEEXIT
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE;

/// VmHWM of the largest process of any of the lines, in KiB.
pub fn peak(lines: &[Line]) -> Result<u64> {
    lines.iter().map(of).try_fold(0, |most, peak| Ok(most.max(peak?)))
}

fn of(line: &Line) -> Result<u64> {
    let first = parent(line)?;
    // The options go to all children.
    request(libc::PTRACE_SEIZE, first, STOPS)?;
    // SAFETY: it is one system call, for a child of ours.
    unsafe { libc::kill(first, libc::SIGCONT) };
    let mut peak = 0;
    loop {
        let mut status = 0;
        // SAFETY: the place for the status is ours.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if pid < 0 {
            let error = Error::last_os_error();
            let ended = error.raw_os_error() == Some(libc::ECHILD);
            return if ended { Ok(peak) } else { Err(error) };
        }
        if !libc::WIFSTOPPED(status) {
            if pid == first && status != 0 {
                return Err(Error::other(format!("{} failed: {}", line.shown(), line.complaint())));
            }
            // Whoever stays (a container) is let go: only the runtime was of interest.
            if pid == first {
                return Ok(peak);
            }
            continue;
        }
        let event = status >> 16;
        if event == libc::PTRACE_EVENT_EXIT && pid != first {
            peak = peak.max(high_water(pid));
        }
        let signal = if event == 0 { libc::WSTOPSIG(status) } else { 0 };
        // A group stop has to be listened to, or the process would run on. ESRCH: it was killed.
        let stopped = event == libc::PTRACE_EVENT_STOP && libc::WSTOPSIG(status) != libc::SIGTRAP;
        let how = if stopped { libc::PTRACE_LISTEN } else { libc::PTRACE_CONT };
        drop(request(how, pid, signal));
    }
}

/// A process that stands still; when it goes on, it runs the line, and ends as that has.
fn parent(line: &Line) -> Result<i32> {
    // SAFETY: this program has one thread, so that a child may do whatever it could.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: it stops this process only.
        unsafe { libc::raise(libc::SIGSTOP) };
        let failed = line.time().map_or(true, |outcome| outcome.failed);
        std::process::exit(failed.into());
    }
    let mut status = 0;
    // SAFETY: the place for the status is ours.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, libc::WUNTRACED) };
    if waited == pid { Ok(pid) } else { Err(Error::last_os_error()) }
}

fn request(request: u32, pid: i32, data: i32) -> Result<()> {
    let data = data as usize as *mut c_void;
    // SAFETY: these requests take numbers only.
    let result = unsafe { libc::ptrace(request, pid, std::ptr::null_mut::<c_void>(), data) };
    if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

fn high_water(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
