//! Kill all: no process of the container survives it.
//!
//! Writing 1 into `cgroup.kill` kills every process of a cgroup at once, so
//! that a fork bomb cannot outrun it. Without a cgroup it is init that is
//! killed, through its pidfd, so that no other process can be hit that has got
//! its number since; and when PID 1 of a pid namespace dies, the kernel kills
//! all others in there. Then jec waits until they are gone. Side: runtime.
//! Without it: processes that nobody knows of, and a cgroup that cannot be
//! removed. See cgroups(7), pidfd_send_signal(2), pid_namespaces(7).

use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::error::{Error, Result, unless};
use crate::sides::Runtime;
use crate::sys::process::{send, wait_gone};
use crate::sys::signal;

/// A killed process that does not end in this time hangs in the kernel (a dead NFS server).
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The cgroup is gone: `jec run` and `jec delete --force` may clean up at the same time.
/// ENOENT: before a file of it was opened; ENODEV: after.
const GONE: &[Errno] = &[Errno::ENOENT, Errno::ENODEV];

/// Kills, and waits until it is done.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    // What a crash left: the cgroup that was written down before it was made.
    if let (None, Some(container)) = (&runtime.cgroup, &runtime.container) {
        runtime.cgroup = container.cgroup()?;
    }
    if let Some(cgroup) = &runtime.cgroup {
        unless(GONE, cgroup.kill())?;
    }
    end_children(runtime)?;
    if let Some(cgroup) = &runtime.cgroup
        && let Some(false) = unless(GONE, cgroup.wait_empty(Instant::now() + PATIENCE))?
    {
        let what = format!("cgroup.events of {} {PATIENCE:?} after the kill", cgroup.path);
        return Err(Error::differs(what, "populated 0", "populated 1: a process does not end"));
    }
    Ok(())
}

/// Kills init and the middle, and waits until they are gone.
pub fn end_children(runtime: &Runtime) -> Result<()> {
    [&runtime.init, &runtime.middle].into_iter().flatten().try_for_each(|child| {
        send(child, signal::KILL)?;
        wait_gone(child, PATIENCE)
    })
}
