//! `jec pause` and `jec resume`: the freezer of the container's cgroup.

use std::time::{Duration, Instant};

use super::{find, open_proc};
use crate::cli::{Global, IdArgs};
use crate::error::{Error, Failure, Result};
use crate::state::Status;

/// What has not stopped by then hangs in the kernel (a dead NFS server).
const PATIENCE: Duration = Duration::from_secs(10);

/// Stops all processes, or lets them go on, and returns when they do.
pub fn run(global: &Global, args: &IdArgs, frozen: bool) -> Result<u8, Failure> {
    let (_, container) = find(global, &args.id, &open_proc()?)?;
    let wrong = |problem: String| Error::state(&args.id, problem);
    let verb = if frozen { "paused" } else { "resumed" };
    match (container.status()?, frozen) {
        (Status::Created | Status::Running, true) | (Status::Paused, false) => {}
        (status, _) => {
            let status = format!("{status:?}").to_lowercase();
            return Err(wrong(format!("cannot be {verb}: it is {status}")).into());
        }
    }
    let none = || wrong(format!("cannot be {verb}: it has no cgroup, which alone can freeze it"));
    let cgroup = container.cgroup()?.ok_or_else(none)?;
    if cgroup.freeze(frozen, Instant::now() + PATIENCE)? {
        return Ok(0);
    }
    // Half a container frozen is worse than none.
    cgroup.freeze(false, Instant::now())?;
    let (what, wanted) = (format!("cgroup.events of {}", cgroup.path), u8::from(frozen));
    let found = format!("another value {PATIENCE:?} later");
    Err(Error::differs(what, format!("frozen {wanted}"), found).into())
}
