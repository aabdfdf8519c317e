//! The signals that ask jec to end, held back while something half made would be left behind.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::record::{record, record_as};
use crate::error::Result;

/// Blocks those of them that are not in `ignored` (a mask as SigIgn in /proc/PID/status): what was
/// told to outlive its terminal does. Returns the descriptor that tells of them.
#[track_caller]
pub fn hold(ignored: u64) -> Result<SignalFd> {
    let ends = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];
    let heeded = |signal: &Signal| ignored >> (*signal as u32 - 1) & 1 == 0;
    let set: SigSet = ends.into_iter().filter(heeded).collect();
    let result = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None);
    record("rt_sigprocmask", format_args!("SIG_BLOCK, {set:?}"), result)?;
    let result = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
    record_as("signalfd4", format_args!("-1, {set:?}, SFD_CLOEXEC"), result, |_| 0)
}
