//! `jec start`: the program of a created container.

use super::create::end;
use super::{find, open_proc};
use crate::cli::{Global, IdArgs};
use crate::error::{Error, Failure, Result, ensure};
use crate::plan::Plan;
use crate::sides::Runtime;
use crate::stages::Command;
use crate::stages::walk::{rows, walk};
use crate::state::Status;
use crate::sys::signal;

/// Starts it, and returns when the program runs.
pub fn run(global: &Global, args: &IdArgs) -> Result<u8, Failure> {
    let proc = open_proc()?;
    let (states, container) = find(global, &args.id, &proc)?;
    // Held until the state says "running".
    let _lock = container.lock()?;
    let container = states.find(&args.id)?;
    let status = container.status()?;
    let problem = format!("cannot be started: it is {status:?}, not created").to_lowercase();
    ensure(status == Status::Created, || Error::state(&args.id, problem))?;
    let plan = Plan::saved(&args.id, container.intent.bundle.as_ref(), container.config()?)?;
    let starting = rows(&plan, &[Command::Open, Command::Start, Command::Program]);
    let mut runtime = Runtime::new(&plan, &starting, proc, Some(states));
    runtime.init = container.live_init()?;
    runtime.container = Some(container);
    runtime.signals = Some(signal::as_messages()?);
    let started = walk(&mut runtime, &starting).map(|()| 0);
    let hooks = [Some("hooks-start"), Some("hooks-poststart")];
    match &started {
        // A hook has forbidden the start: the specification wants the container to be destroyed.
        Err(failure) if hooks.contains(&failure.stage.as_deref()) => {
            end(&mut runtime, &rows(&plan, &[Command::Delete]), started)
        }
        _ => started,
    }
}
