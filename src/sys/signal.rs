//! Signals, read as messages (signalfd(2)) instead of interrupting.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

pub use libc::SIGWINCH as RESIZED;
pub use libc::{
    SIGCHLD as CHILD, SIGCONT as CONTINUE, SIGKILL as KILL, SIGPIPE as PIPE, SIGSTOP as STOP,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::record::{again, record, record_as};
use crate::error::{Result, unless};

/// To be woken up when something can be read.
pub const READ: PollFlags = PollFlags::POLLIN;
/// To be woken up when a file of cgroupfs has changed since it was read.
pub const CHANGE: PollFlags = PollFlags::POLLPRI;
/// To be woken up when something can be written.
pub const WRITE: PollFlags = PollFlags::POLLOUT;

/// Every signal whose effect can be changed, as a mask for [`reset`].
pub const ANY: u64 = !(1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1));

/// Blocks every signal that can be blocked and returns the descriptor that tells of them.
/// The faults of our own code (SIGSEGV and the like) keep their effect.
/// A SIGCHLD that our caller ignored (`trap '' CHLD`) would take the exit status of children away.
#[track_caller]
pub fn as_messages() -> Result<SignalFd> {
    set_default(CHILD)?;
    let mut set = SigSet::all();
    for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE, Signal::SIGTRAP]
    {
        set.remove(fault);
    }
    let result = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None);
    record("rt_sigprocmask", format_args!("SIG_BLOCK, all but the faults"), result)?;
    let result = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
    let args = format_args!("-1, all but the faults, SFD_CLOEXEC|SFD_NONBLOCK");
    record_as("signalfd4", args, result, AsRawFd::as_raw_fd)
}

/// The number of a signal from its name, `SIG` in front or not, or from its number.
pub fn number(text: &str) -> std::result::Result<i32, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |(base, rest): (i32, &str)| {
        let offset = if rest.is_empty() { Some(0) } else { rest.parse().ok() };
        offset.map(|offset: i32| base + offset).filter(|number| (34..=64).contains(number))
    };
    let named = || Some(format!("SIG{name}").parse::<Signal>().ok()? as i32);
    let from_first = || name.strip_prefix("RTMIN").map(|rest| (libc::SIGRTMIN(), rest));
    let from_last = || name.strip_prefix("RTMAX").map(|rest| (libc::SIGRTMAX(), rest));
    let plain = text.parse().ok().filter(|number| (0..=64).contains(number));
    plain
        .or_else(named)
        .or_else(|| from_first().or_else(from_last).and_then(real_time))
        .ok_or_else(|| "is no signal: a name (TERM, SIGKILL, RTMIN+3) or a number to 64".into())
}

/// The number of the next signal that has come, if any.
pub fn next(signals: &SignalFd) -> Option<i32> {
    i32::try_from(signals.read_signal().ok().flatten()?.ssi_signo).ok()
}

/// Gives a new program the signals that a program expects: none blocked, and
/// those in `ignored` (a mask as SigIgn in /proc/PID/status) back to their default.
/// Rust itself ignores SIGPIPE, and execve keeps what is ignored.
#[track_caller]
pub fn reset(ignored: u64) -> Result<()> {
    for number in (1..=64).filter(|number| ignored >> (number - 1) & 1 == 1) {
        set_default(number)?;
    }
    record("rt_sigprocmask", format_args!("SIG_SETMASK, []"), block_none())
}

/// Lets every signal through. Not by [`SigSet::thread_set_mask`], which takes an error for a success.
pub(super) fn block_none() -> nix::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// rt_sigaction(2): the default. Not by way of libc, which refuses the two
/// signals that it keeps to itself, and nix has no real-time ones.
#[track_caller]
fn set_default(number: i32) -> Result<()> {
    // struct sigaction of <asm/signal.h>: handler, flags, restorer, a mask of 64 signals.
    let default = [0_u64; 4];
    let (new, old, mask) = (default.as_ptr(), std::ptr::null::<u64>(), size_of::<u64>());
    // SAFETY: all-zero is SIG_DFL without flags, and runs no code of ours.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, number, new, old, mask) };
    let name = Signal::try_from(number).map_or("SIGRT", Signal::as_str);
    record("rt_sigaction", format_args!("{name} ({number}), SIG_DFL"), Errno::result(result))
}

/// Whether a signal asks jec to end: what Ctrl-C, a closed terminal or kill(1) send.
pub fn ends(number: i32) -> bool {
    matches!(number, libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM)
}

/// Whether a signal asks to be stopped, as Ctrl-Z does.
pub fn stops(number: i32) -> bool {
    matches!(number, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}

/// kill(2). ESRCH: it has ended, and its end is on the way as SIGCHLD.
#[track_caller]
pub fn send(pid: i32, number: i32) -> Result<()> {
    // SAFETY: only numbers are passed.
    let result = Errno::result(unsafe { libc::kill(pid, number) });
    unless(&[Errno::ESRCH], record("kill", format_args!("{pid}, {number}"), result)).map(drop)
}

/// poll(2) until one of them is ready, or patience is at its end (none: never is). Tells
/// what each is ready for, of what it is watched for: all of it when the other end is gone.
#[track_caller]
pub fn watch(
    watched: &[(BorrowedFd, PollFlags)],
    patience: Option<Duration>,
) -> Result<Vec<PollFlags>> {
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let mut polls: Vec<_> = watched.iter().map(|(fd, events)| PollFd::new(*fd, *events)).collect();
    // A timeout of 0 ms would make a busy loop of the last millisecond.
    let timeout = patience.map(|patience| patience.saturating_add(Duration::from_millis(1)));
    let timeout = timeout.map_or(PollTimeout::NONE, |timeout| {
        PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX)
    });
    let result = again(|| nix::poll::poll(&mut polls, timeout));
    record_as("poll", format_args!("{} descriptors", watched.len()), result, |count| *count)?;
    let ready = |entry: &PollFd| {
        let found = entry.revents().unwrap_or(PollFlags::empty());
        if found.intersects(gone) { entry.events() } else { found }
    };
    Ok(polls.iter().map(ready).collect())
}
