//! Adopt: init becomes ours to watch, the middle is buried.
//!
//! The middle told init's number with the baton. Since init is our child, the
//! number cannot mean another process before we have waited for it; its pidfd
//! is opened now, and from here on only the descriptor is used. The middle has
//! ended; its exit status is taken, so that no zombie stays. Side: runtime.
//! Without it: a container that nobody can signal or wait for. See
//! pidfd_open(2), waitid(2).

use crate::error::Result;
use crate::sides::Runtime;
use crate::state::Status;
use crate::sys::process::{Child, pidfd_open, wait};

/// Opens init's pidfd, buries the middle, and writes init's number down.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let pid = runtime.baton.pid;
    runtime.init = Some(Child { pid, pidfd: pidfd_open(pid)? });
    if let Some(middle) = runtime.middle.take() {
        wait(&middle)?;
    }
    // Of a further process the container's state does not tell.
    if runtime.plan.joins.is_some() {
        return Ok(());
    }
    runtime.container()?.write_status(Status::Creating, pid)
}
