//! `jec delete`: what is left of a container goes away, whatever state it is in.

use nix::errno::Errno;

use super::{find, open_proc};
use crate::cli::{DeleteArgs, Global};
use crate::error::{Error, Failure, Result};
use crate::log;
use crate::plan::Plan;
use crate::sides::Runtime;
use crate::stages::Command;
use crate::stages::walk::{rows, walk};
use crate::state::{Container, Intent, Status};
use crate::sys::process::Child;

/// Deletes a container that has stopped; with `--force` any, and one that does not exist.
pub fn run(global: &Global, args: &DeleteArgs) -> Result<u8, Failure> {
    let proc = open_proc()?;
    let (states, container) = match find(global, &args.id, &proc) {
        Err(Error::State { .. }) if args.force => return Ok(0),
        other => other?,
    };
    let init = container.live_init()?;
    if !args.force {
        refuse(&container, init.as_ref())?;
    }
    let plan = remaining(&container);
    let ending = rows(&plan, &[Command::Delete]);
    let mut runtime = Runtime::new(&plan, &ending, proc, Some(states));
    runtime.container = Some(container);
    runtime.init = init;
    walk(&mut runtime, &ending)?;
    Ok(0)
}

/// The hooks of the end, as its configuration has them. Where there is none, jec was killed before
/// it made anything; a torn one must not keep the container from being deleted.
fn remaining(container: &Container) -> Plan {
    let Intent { id, bundle, .. } = &container.intent;
    let plan = container.config().and_then(|text| Plan::ending(id, bundle, &text));
    plan.unwrap_or_else(|error| {
        if !error.is(Errno::ENOENT) {
            log::warn(&format!("warning: no hooks after the end: {error}"));
        }
        Plan::nothing(id)
    })
}

/// Tells what only `--force` deletes: what runs, and what another jec may be making right now.
fn refuse(container: &Container, init: Option<&Child>) -> Result<()> {
    // No boot: its directory is there, and its intent not yet.
    let is_unfinished = container.state.status == Status::Creating
        && (container.intent.boot.is_empty() || container.is_of_this_boot()?);
    let problem = match init {
        // Engines delete what they have created and never started; the specification would not.
        Some(_) if container.state.status == Status::Created => return Ok(()),
        Some(init) => format!("is running (pid {}); `jec delete --force` kills it", init.pid),
        None if is_unfinished => "is being made, or jec was killed while it made it; \
            `jec delete --force` ends and removes it"
            .into(),
        None => return Ok(()),
    };
    Err(Error::state(&container.intent.id, problem))
}
