//! What is blocked in a process that rests at a stop of `jec run --stop-before`.

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

use super::record::record;
use crate::error::Result;

/// Which signals are blocked (sigprocmask(2)).
pub fn blocked() -> Result<SigSet> {
    let mut now = SigSet::empty();
    let result = sigprocmask(SigmaskHow::SIG_BLOCK, None, Some(&mut now));
    record("rt_sigprocmask", format_args!("SIG_BLOCK, NULL"), result)?;
    Ok(now)
}

/// Blocks these, and no others.
pub fn block(signals: &SigSet) -> Result<()> {
    let result = sigprocmask(SigmaskHow::SIG_SETMASK, Some(signals), None);
    record("rt_sigprocmask", format_args!("SIG_SETMASK, …"), result)
}
