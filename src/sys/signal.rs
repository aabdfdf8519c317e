//! Signals, read as messages (signalfd(2)) instead of interrupting.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::record;
use crate::error::Result;

/// Blocks every signal that can be blocked and returns the descriptor that tells of them.
/// The faults of our own code (SIGSEGV and the like) keep their effect.
/// A SIGCHLD that our caller ignored (`trap '' CHLD`) would take the exit status of children away.
pub fn as_messages() -> Result<SignalFd> {
    set_default(CHILD)?;
    let mut set = SigSet::all();
    for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE, Signal::SIGTRAP]
    {
        set.remove(fault);
    }
    let result = nix::sys::signal::sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None);
    record("rt_sigprocmask", format_args!("SIG_BLOCK, all but the faults"), result)?;
    let result = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
    let mut made = None;
    let result = result.map(|fd| made = Some(fd));
    record("signalfd4", format_args!("-1, all but the faults, SFD_CLOEXEC"), result)?;
    made.ok_or_else(|| crate::error::Error::differs("signalfd4", "a descriptor", "none"))
}

/// The next signal that has come, if any: its number and who sent it (pid 0: the kernel).
pub fn next(signals: &SignalFd) -> Option<(i32, i32)> {
    let info = signals.read_signal().ok().flatten()?;
    Some((i32::try_from(info.ssi_signo).ok()?, i32::try_from(info.ssi_pid).ok()?))
}

/// Gives a new program the signals that a program expects: none blocked, and
/// those in `ignored` (a mask as SigIgn in /proc/PID/status) back to their default.
/// Rust itself ignores SIGPIPE, and execve keeps what is ignored.
pub fn reset(ignored: u64) -> Result<()> {
    for number in (1..=64).filter(|number| ignored >> (number - 1) & 1 == 1) {
        set_default(number)?;
    }
    let empty = SigSet::empty();
    let result = nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&empty), None);
    record("rt_sigprocmask", format_args!("SIG_SETMASK, []"), result)
}

/// rt_sigaction(2): the default. Not by way of libc, which refuses the two
/// signals that it keeps to itself, and nix has no real-time ones.
fn set_default(number: i32) -> Result<()> {
    // struct sigaction of <asm/signal.h>: handler, flags, restorer, a mask of 64 signals.
    let default = [0_u64; 4];
    let (none, mask) = (std::ptr::null::<u64>(), size_of::<u64>());
    // SAFETY: all-zero is SIG_DFL without flags, and runs no code of ours.
    let result =
        unsafe { libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), none, mask) };
    let name = Signal::try_from(number).map_or("SIGRT", Signal::as_str);
    let args = format_args!("{name} ({number}), SIG_DFL");
    record("rt_sigaction", args, Errno::result(result).map(drop))
}

/// Stops this process as Ctrl-Z would, until SIGCONT.
pub fn stop_self() -> Result<()> {
    record("kill", format_args!("self, SIGSTOP"), nix::sys::signal::raise(Signal::SIGSTOP))
}

/// Whether a signal asks jec to end: what Ctrl-C, a closed terminal or kill(1) send.
pub fn ends(number: i32) -> bool {
    matches!(number, libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM)
}

/// SIGCHLD: a child has ended.
pub const CHILD: i32 = libc::SIGCHLD;
/// SIGWINCH: the terminal has another size.
pub const RESIZED: i32 = libc::SIGWINCH;
/// SIGCONT: we go on.
pub const CONTINUE: i32 = libc::SIGCONT;
/// SIGSTOP: stops any process, and cannot be caught.
pub const STOP: i32 = libc::SIGSTOP;
/// SIGPIPE: a reader went away.
pub const PIPE: i32 = libc::SIGPIPE;

/// Whether a signal asks to be stopped, as Ctrl-Z does.
pub fn stops(number: i32) -> bool {
    matches!(number, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}

/// Waits for the next signal.
pub fn wait_next(signals: &SignalFd) -> Result<i32> {
    loop {
        watch(&[Watch::to_read(signals.as_fd())], None)?;
        if let Some((number, _)) = next(signals) {
            return Ok(number);
        }
    }
}

/// kill(2). ESRCH: it has ended, and its end is on the way as SIGCHLD.
pub fn send(pid: i32, number: i32) -> Result<()> {
    // SAFETY: only numbers are passed.
    let result = match Errno::result(unsafe { libc::kill(pid, number) }) {
        Err(Errno::ESRCH) => Ok(0),
        other => other,
    };
    record("kill", format_args!("{pid}, {number}"), result).map(drop)
}

/// What a descriptor is watched for.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'fd> {
    /// Which.
    pub fd: BorrowedFd<'fd>,
    /// Wake up when it can be read.
    pub read: bool,
    /// Wake up when it can be written.
    pub write: bool,
}

impl<'fd> Watch<'fd> {
    /// Wakes up when there is something to read, or the other end is gone.
    pub fn to_read(fd: BorrowedFd<'fd>) -> Self {
        Self { fd, read: true, write: false }
    }
}

/// What happened to a watched descriptor.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ready {
    /// Something can be read, or the other end is gone.
    pub read: bool,
    /// Something can be written, or the other end is gone.
    pub write: bool,
}

/// poll(2) until one of them is ready, at most `patience` milliseconds (none: for ever).
pub fn watch(watched: &[Watch], patience: Option<u16>) -> Result<Vec<Ready>> {
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let mut entries: Vec<PollFd> = watched
        .iter()
        .map(|entry| {
            let mut events = PollFlags::empty();
            events.set(PollFlags::POLLIN, entry.read);
            events.set(PollFlags::POLLOUT, entry.write);
            PollFd::new(entry.fd, events)
        })
        .collect();
    let timeout = patience.map_or(PollTimeout::NONE, PollTimeout::from);
    let result = loop {
        match nix::poll::poll(&mut entries, timeout) {
            Err(Errno::EINTR) => {}
            other => break other,
        }
    };
    record("poll", format_args!("{} descriptors", watched.len()), result)?;
    let ready = |(entry, asked): (&PollFd, &Watch)| {
        let events = entry.revents().unwrap_or(PollFlags::empty());
        let gone = events.intersects(gone);
        Ready {
            read: asked.read && (gone || events.contains(PollFlags::POLLIN)),
            write: asked.write && (gone || events.contains(PollFlags::POLLOUT)),
        }
    };
    Ok(entries.iter().zip(watched).map(ready).collect())
}
