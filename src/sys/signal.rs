//! Signals, read as messages (signalfd(2)) instead of interrupting.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::record;
use crate::error::Result;

/// Blocks every signal that can be blocked and returns the descriptor that tells of them.
/// The faults of our own code (SIGSEGV and the like) keep their effect.
pub fn as_messages() -> Result<SignalFd> {
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
        let Ok(signal) = Signal::try_from(number) else { continue };
        // SAFETY: SIG_DFL runs no code of ours.
        let result = unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) };
        record("rt_sigaction", format_args!("{signal}, SIG_DFL"), result.map(drop))?;
    }
    let empty = SigSet::empty();
    let result = nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&empty), None);
    record("rt_sigprocmask", format_args!("SIG_SETMASK, []"), result)
}

/// Stops this process as Ctrl-Z would, until SIGCONT.
pub fn stop_self() -> Result<()> {
    record("kill", format_args!("self, SIGSTOP"), nix::sys::signal::raise(Signal::SIGSTOP))
}

/// poll(2) for reading, without a time limit: which of the descriptors have something (or have ended).
pub fn wait_readable(descriptors: &[BorrowedFd]) -> Result<Vec<bool>> {
    let mut entries: Vec<PollFd> =
        descriptors.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    let result = loop {
        match nix::poll::poll(&mut entries, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            other => break other,
        }
    };
    let shown: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    record("poll", format_args!("{shown:?}, POLLIN, -1"), result)?;
    Ok(entries.iter().map(|entry| entry.any().unwrap_or(false)).collect())
}

/// Whether the other end of a socket is gone (poll(2) with no wait).
pub fn peer_is_gone(socket: BorrowedFd) -> Result<bool> {
    let mut entries = [PollFd::new(socket, PollFlags::empty())];
    let result = nix::poll::poll(&mut entries, PollTimeout::ZERO);
    record("poll", format_args!("{}, POLLHUP, 0", socket.as_raw_fd()), result)?;
    Ok(entries[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)))
}

/// The descriptor of a signalfd.
pub fn descriptor(signals: &SignalFd) -> BorrowedFd<'_> {
    signals.as_fd()
}

/// Whether a signal asks jec to end: what Ctrl-C, a closed terminal or kill(1) send.
pub fn ends(number: i32) -> bool {
    matches!(number, libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM)
}
