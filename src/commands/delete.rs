//! `jec delete`: what is left of a container goes away, whatever state it is in.

use super::open_proc;
use crate::cli::{DeleteArgs, Global};
use crate::error::{Error, Failure, Result};
use crate::plan::{Plan, check_id};
use crate::sides::Runtime;
use crate::stages::Command;
use crate::stages::walk::{rows, walk};
use crate::state::{Container, States, Status};
use crate::sys::process::{Child, pidfd_open};

/// Deletes a container that has stopped; with `--force` any, and one that does not exist.
pub fn run(global: &Global, args: &DeleteArgs) -> Result<u8, Failure> {
    check_id(&args.id)?;
    let proc = open_proc()?;
    let states = States::open(global.root.as_deref(), proc.clone())?;
    let container = match states.find(&args.id) {
        Err(Error::State { .. }) if args.force => return Ok(0),
        other => other?,
    };
    let init = live_init(&container)?;
    if let (Some(init), false) = (&init, args.force) {
        let problem = format!("is running (pid {}); `jec delete --force` kills it", init.pid);
        return Err(Error::state(&args.id, problem).into());
    }
    if init.is_none() && !args.force && is_unfinished(&container)? {
        let problem = "is being made, or jec was killed while it made it; \
            `jec delete --force` ends and removes it";
        return Err(Error::state(&args.id, problem).into());
    }
    let plan = Plan::nothing(&args.id);
    let ending = rows(&plan, &[Command::Delete]);
    let mut runtime = Runtime::new(&plan, &ending, proc, Some(states));
    runtime.container = Some(container);
    runtime.init = init;
    walk(&mut runtime, &ending)?;
    Ok(0)
}

/// Whether another jec may be at work on it right now.
fn is_unfinished(container: &Container) -> Result<bool> {
    let creating = container.read().is_none_or(|state| state.status == Status::Creating);
    // No boot: its directory is there, and its intent not yet.
    Ok(creating && (container.intent.boot.is_empty() || container.is_of_this_boot()?))
}

/// Init behind a descriptor, if it lives. The number is checked again after the
/// descriptor is opened: then it is the descriptor of that very process.
fn live_init(container: &Container) -> Result<Option<Child>> {
    let Some(pid) = container.live_pid()? else {
        return Ok(None);
    };
    let Ok(pidfd) = pidfd_open(pid) else {
        return Ok(None);
    };
    let child = Child { pid, pidfd };
    let same = container.live_pid()? == Some(pid);
    Ok(same.then_some(child))
}
