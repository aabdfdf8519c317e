//! `jec kill`: a signal for the container.

use super::{find, open_proc};
use crate::cli::{Global, KillArgs};
use crate::error::{Error, Failure, Result, ensure};
use crate::state::Status;
use crate::sys::process::send;

/// Sends the signal to process 1, or with `--all` to every process.
pub fn run(global: &Global, args: &KillArgs) -> Result<u8, Failure> {
    let (_, container) = find(global, &args.id, &open_proc()?)?;
    if let (true, Some(cgroup)) = (args.all, container.cgroup()?) {
        cgroup.signal(args.signal)?;
        return Ok(0);
    }
    // The words that engines look for when a container has ended before their signal.
    let gone = || Error::state(&args.id, "container not running");
    let init = container.live_init()?.ok_or_else(gone)?;
    let unmade = || Error::state(&args.id, "is being made; nothing in it can be signalled");
    ensure(container.state.status != Status::Creating, unmade)?;
    send(&init, args.signal)?;
    Ok(0)
}
