//! Spawn middle: the first clone.
//!
//! clone3(2) makes a process that is born in the cgroup (CLONE_INTO_CGROUP),
//! so that no page and no microsecond of it is counted elsewhere, and gives a
//! descriptor for it (CLONE_PIDFD) which, unlike its number, cannot come to
//! mean another process. It has no new namespace yet: the middle is the room
//! in which namespaces are entered that only its children live in. Side:
//! runtime. Without the middle: no joining of a pid namespace, no shifted
//! clocks. See clone(2), pid_namespaces(7).

use std::os::fd::AsFd;

use nix::sched::CloneFlags;

use super::baton::Baton;
use super::walk;
use crate::error::Result;
use crate::sides::{Handed, Middle, Runtime};
use crate::sys::process::clone3;

/// Clones the middle process.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let (plan, rows) = (runtime.plan, runtime.rows);
    let (mut ours, baton) = Baton::pair()?;
    let cgroup = runtime.cgroup.as_ref().map(|cgroup| cgroup.dir.as_fd());
    // The child has a copy of our memory: what it takes out here, it takes out of the copy.
    let child = clone3(CloneFlags::empty(), cgroup, || {
        // While we held jec's end as well, the end of jec would go unseen.
        ours = Baton::default();
        runtime.console = None;
        let (proc, handed) = (runtime.proc.clone(), std::mem::take(&mut runtime.handed));
        walk::live(Middle { plan, rows, proc, baton, handed }, rows)
    })?;
    runtime.handed = Handed::default();
    runtime.baton = ours;
    runtime.middle = Some(child);
    // A scope of systemd has a process of the container now.
    drop(runtime.cgroup.as_mut().and_then(|cgroup| cgroup.keeper.take()));
    Ok(())
}
