//! Spawn init: the second clone, into everything that is new.
//!
//! One clone3(2) makes the first process of the new mount, uts, ipc, pid,
//! network and cgroup namespaces; as the first of its pid namespace it is PID
//! 1: when it ends, the kernel kills all others in there. CLONE_PARENT makes
//! it a child of jec and not of the middle, which ends now: jec can wait for
//! it, and gets its exit status. Side: middle. Without it: every process of
//! the host is in sight, and in reach of kill(2). See clone(2),
//! pid_namespaces(7), mount_namespaces(7).

use nix::fcntl::OFlag;
use nix::sched::CloneFlags;

use super::walk;
use crate::error::Result;
use crate::sides::{Init, Middle};
use crate::sys::constants::CLONE_NEWTIME;
use crate::sys::file;
use crate::sys::process::{CloneInto, clone3};

/// Clones init.
pub fn run(middle: &mut Middle) -> Result<()> {
    let (plan, rows) = (middle.plan, middle.rows);
    // The user and time namespaces exist by now; clone3 knows no flag for time at all.
    let new = plan.namespaces.new.difference(CloneFlags::CLONE_NEWUSER | CLONE_NEWTIME);
    // Who has joined a container stands in its root already.
    let how = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let joined = plan.joins.as_ref().map(|_| file::openat(file::HERE, c"/", how, 0));
    let mut joined = joined.transpose()?;
    let child = clone3(new, &CloneInto { cgroup: None, beside: true }, || {
        let (proc, baton) = (middle.proc.clone(), std::mem::take(&mut middle.baton));
        let (filter, console) = (middle.filter.take(), middle.console.take());
        let (gate, rests, root) = (middle.gate.take(), false, joined.take());
        let (ignored, program) = (0, None);
        let init = Init { plan, proc, baton, root, filter, console, gate, rests, ignored, program };
        walk::live(init, rows)
    })?;
    middle.baton.pid = child.pid;
    Ok(())
}
