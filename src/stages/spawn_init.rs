//! Spawn init: the second clone, into everything that is new.
//!
//! One clone3(2) makes the first process of the new mount, uts, ipc, pid,
//! network and cgroup namespaces; as the first of its pid namespace it is PID
//! 1: when it ends, the kernel kills all others in there. CLONE_PARENT makes
//! it a child of jec and not of the middle, which ends now: jec can wait for
//! it, and gets its exit status. Side: middle. Without it: every process of
//! the host is in sight, and in reach of kill(2). See clone(2),
//! pid_namespaces(7), mount_namespaces(7).

use std::mem::take;

use nix::sched::CloneFlags;

use super::walk;
use crate::error::Result;
use crate::sides::{Init, Middle};
use crate::sys::constants::CLONE_NEWTIME;
use crate::sys::file;
use crate::sys::process::clone3;

/// Clones init.
pub fn run(middle: &mut Middle) -> Result<()> {
    let (plan, rows) = (middle.plan, middle.rows);
    // The user namespace exists by now, and that of time: its offsets come before its processes.
    let is_left = |kind: &&CloneFlags| ![CloneFlags::CLONE_NEWUSER, CLONE_NEWTIME].contains(kind);
    let new: CloneFlags = plan.namespaces.new.iter().filter(is_left).copied().collect();
    // Who has joined a container stands in its root already.
    let joined = plan.joins.as_ref().map(|_| file::openat(file::HERE, c"/", file::PLACE, 0));
    let mut joined = joined.transpose()?;
    let child = clone3(new | CloneFlags::CLONE_PARENT, None, || {
        let (baton, handed) = (take(&mut middle.baton), take(&mut middle.handed));
        let (proc, root) = (middle.proc.clone(), joined.take());
        let (rests, ignored, program) = (false, 0, None);
        walk::live(Init { plan, proc, baton, root, handed, rests, ignored, program }, rows)
    })?;
    middle.baton.pid = child.pid;
    Ok(())
}
