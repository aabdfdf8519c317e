//! Spawn init: the second clone, into everything that is new.
//!
//! One clone3(2) makes the first process of the new mount, uts, ipc, pid,
//! network and cgroup namespaces; as the first of its pid namespace it is PID
//! 1: when it ends, the kernel kills all others in there. CLONE_PARENT makes
//! it a child of jec and not of the middle, which ends now: jec can wait for
//! it, and gets its exit status. Side: middle. Without it: every process of
//! the host is in sight, and in reach of kill(2). See clone(2),
//! pid_namespaces(7), mount_namespaces(7).

use nix::sched::CloneFlags;

use super::walk;
use crate::error::Result;
use crate::sides::{Init, Middle};
use crate::sys::process::{CloneInto, clone3};

/// Clones init.
pub fn run(middle: &mut Middle) -> Result<()> {
    // The user and time namespaces exist by now; clone3 knows no flag for time at all.
    let entered = CloneFlags::CLONE_NEWUSER | crate::sys::constants::CLONE_NEWTIME;
    let new = middle.plan.namespaces.new.difference(entered);
    let (plan, rows, proc) = (middle.plan, middle.rows, &middle.proc);
    let (baton, console, filter) = (&middle.baton, &mut middle.console, &mut middle.filter);
    let into = CloneInto { cgroup: None, beside: true };
    let child = clone3(new, &into, || {
        walk::init(Init {
            plan,
            rows,
            proc: proc.clone(),
            baton: baton.share(),
            root: None,
            sources: Vec::new(),
            filter: filter.take(),
            listener: None,
            console: console.take(),
            program: None,
            env: plan.process.env.clone(),
        })
    })?;
    middle.init_pid = child.pid;
    Ok(())
}
