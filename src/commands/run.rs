//! `jec run`: create, start, wait, delete, in one process.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use super::create::{RESTING, begin, check_terminal, end, prepare};
use super::{machine, time};
use crate::cgroup::{Cgroup, Hierarchy};
use crate::cli::{ContainerFlags, Global, MakingArgs, RunArgs};
use crate::error::{Failure, Result};
use crate::log;
use crate::microscope::stop;
use crate::plan::Plan;
use crate::plan::flags::{self, Target, working_directory};
use crate::relay;
use crate::sides::Runtime;
use crate::skip::skip;
use crate::stages::Command;
use crate::stages::walk::{rows, walk};
use crate::state::Status;
use crate::sys::Recorder;

/// The rows of a container that never rests, so that nobody has to open its gate.
pub const FOREGROUND: [Command; 4] =
    [Command::Create, Command::Each, Command::Start, Command::Program];

/// What is asked for: what makes the container, how it is made, and whether jec leaves it then.
pub type Asked<'a> = (&'a ContainerFlags, &'a MakingArgs, bool);

/// Runs a container to its end, where the exit status is the program's; or with `--detach`
/// until it has started.
pub fn run(global: &Global, args: &RunArgs) -> Result<u8, Failure> {
    stop::open(&args.stop)?;
    let proc = begin(&args.making.begin, &args.skip)?;
    Recorder::moment("plan", "runtime");
    // Looking at the machine and at the configuration is no stage.
    let listening = Recorder::pause();
    let hierarchy = Hierarchy::look()?;
    let mut plan = plan((&args.container, &args.making, args.detach), &hierarchy, &proc)?;
    skip(&mut plan, &args.skip, proc.as_fd())?;
    time::refuse_other_clocks(args, &plan)?;
    let making = rows(&plan, if args.detach { &RESTING } else { &FOREGROUND });
    stop::refuse_absent(&args.stop, &making)?;
    let mut runtime = prepare(global, &plan, &making, proc, hierarchy, &args.making)?;
    Recorder::resume(listening);
    let result = live(&mut runtime, args);
    if args.detach && result.is_ok() {
        return result;
    }
    // Delete, or with `--keep` only what must not stay.
    let mut ending = rows(&plan, &[Command::Delete]);
    ending.retain(|stage| args.keep.is_none() || result.is_err() || stage.name != "remove");
    end(&mut runtime, &ending, result)
}

/// Create, start, wait. A state that is removed next need not say "stopped", and
/// may be gone already: `jec delete --force` has ended the program.
fn live(runtime: &mut Runtime, args: &RunArgs) -> Result<u8, Failure> {
    walk(runtime, runtime.rows)?;
    Recorder::moment("program-runs", "init");
    if args.detach {
        return Ok(0);
    }
    let end = relay::wait(runtime)?;
    runtime.init = None;
    out_of_memory(runtime)?;
    if let Some(container) = runtime.container.as_mut().filter(|_| args.keep.is_some()) {
        container.write_status(Status::Stopped, 0)?;
    }
    Ok(end.code())
}

/// From a bundle, or from the spec that the flags stand for: one path from here on.
pub fn plan(asked: Asked, hierarchy: &Hierarchy, proc: &Rc<OwnedFd>) -> Result<Plan> {
    let (container, making, detach) = asked;
    let target = Target::find(container, making.bundle.as_deref(), &working_directory()?)?;
    let mut plan = if let Target::Bundle { id, directory } = &target {
        let plan = Plan::from_bundle(id, directory)?;
        making.refuse_layers(&plan)?;
        plan
    } else {
        let machine = machine(container, hierarchy)?;
        let spec = flags::spec(container, &target, &machine)?;
        let text = flags::json(&spec)?;
        let id = container.name.as_deref().unwrap_or(&machine.id);
        Plan::from_spec(id, &machine.directory, &spec, &text)?
    };
    making.apply(&mut plan, proc.as_fd())?;
    check_terminal(&mut plan.process, detach, &making.ends)?;
    Ok(plan)
}

/// A program that the kernel killed for want of memory cannot say so itself.
fn out_of_memory(runtime: &Runtime) -> Result<()> {
    if runtime.cgroup.as_ref().map_or(Ok(0), Cgroup::oom_kills)? > 0 {
        let limit = runtime.plan.cgroup.limits.iter().find(|(file, _)| file == "memory.max");
        let bytes = limit.and_then(|(_, value)| value.parse().ok());
        let limit = bytes.map_or(String::new(), |bytes| format!(", limit {}", human(bytes)));
        log::warn(&format!("killed: out of memory{limit}"));
    }
    Ok(())
}

/// Bytes in the largest unit that divides them.
fn human(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    unit.map_or(format!("{bytes} B"), |(shift, name)| format!("{} {name}", bytes >> shift))
}
