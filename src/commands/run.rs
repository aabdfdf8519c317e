//! `jec run`: create, start, wait, delete, in one process.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use super::{machine, open_proc, say};
use crate::cgroup::{Cgroup, Hierarchy};
use crate::cli::{Global, RunArgs};
use crate::error::{Error, Failure, Result};
use crate::plan::Plan;
use crate::plan::flags::{self, Target};
use crate::relay::{self, Terminal};
use crate::sides::Runtime;
use crate::stages::Command;
use crate::stages::walk::{self, rows, walk};
use crate::state::{States, Status};
use crate::sys::process::End;
use crate::sys::{Recorder, file, signal, terminal};

/// Runs a container to its end; the exit status is the program's.
pub fn run(global: &Global, args: &RunArgs) -> Result<u8, Failure> {
    // Modes are meant as written; with a umask of 0777 a user could not open what she makes.
    file::umask(0o022)?;
    let proc = open_proc()?;
    if args.explain {
        Recorder::on(terminal::copy_high(std::io::stderr().as_fd())?);
    }
    begin(&proc)?;
    // Looking at the machine and at the configuration is no stage.
    let listening = Recorder::pause();
    let hierarchy = Hierarchy::look()?;
    let plan = plan(args, &hierarchy)?;
    plan.warnings.iter().for_each(|warning| say(warning));
    let states = States::open(global.root.as_deref(), proc.clone())?;
    states.refuse_taken(&plan.id)?;
    let placement = match hierarchy.place(&plan)? {
        Ok(placement) => Some(placement),
        Err(why) => {
            refuse_device_makers(&plan, &why)?;
            say(&format!("no cgroup, so no limits: {why}"));
            None
        }
    };
    let making = rows(&plan, &[Command::Create, Command::Start]);
    let mut runtime = Runtime::new(&plan, &making, proc, Some(states));
    runtime.placement = placement;
    runtime.signals = Some(signal::as_messages()?);
    runtime.pid_file = args.pid_file.as_deref().map(pid_file).transpose()?;
    Recorder::resume(listening);
    let result = live(&mut runtime, args.keep);
    let cleaned = end(&mut runtime, args.keep && result.is_ok());
    match (result, cleaned, runtime.interrupted) {
        (Err(first), Err(second), _) => {
            say(&format!("{first}\nand cleaning up failed, too:"));
            Err(second)
        }
        (Err(failure), Ok(()), Some(number)) => {
            say(&failure.to_string());
            Ok(End::Signaled(number).code())
        }
        (result, cleaned, _) => cleaned.and(result),
    }
}

/// Who may make device nodes is kept from the disks by the device program of a
/// cgroup, or by a user namespace: without both, rules would be words only.
fn refuse_device_makers(plan: &Plan, why: &str) -> Result<()> {
    const CAP_MKNOD: u64 = 1 << 27; // <linux/capability.h>
    let may_make = plan.process.capabilities.bounding & CAP_MKNOD != 0;
    if !may_make || plan.cgroup.devices.is_empty() || plan.namespaces.has_user() {
        return Ok(());
    }
    Err(Error::machine(
        format!(
            "CAP_MKNOD and linux.resources.devices: no cgroup, so nobody would enforce the rules: {why}"
        ),
        "take CAP_MKNOD away, or give the container a user namespace",
    ))
}

/// The rows that come before there is a plan; the last time this returns, jec is sealed.
pub fn begin(proc: &Rc<OwnedFd>) -> Result<(), Failure> {
    let plan = Plan::nothing("");
    let rows = rows(&plan, &[Command::Begin]);
    walk(&mut Runtime::new(&plan, &rows, proc.clone(), None), &rows)
}

/// Create, start, wait. A state that is removed next need not say "stopped", and
/// may be gone already: `jec delete --force` has ended the program.
fn live(runtime: &mut Runtime, keep: bool) -> Result<u8, Failure> {
    walk::runtime(runtime)?;
    let terminal = Terminal::of(runtime)?;
    let end = relay::wait(runtime, terminal)?;
    runtime.init = None;
    out_of_memory(runtime)?;
    if let Some(container) = runtime.container.as_mut().filter(|_| keep) {
        container.write_status(Status::Stopped, 0)?;
    }
    Ok(end.code())
}

/// Delete, or with `--keep` only what must not stay.
fn end(runtime: &mut Runtime, keep: bool) -> Result<(), Failure> {
    runtime.let_go();
    let mut ending = rows(runtime.plan, &[Command::Delete]);
    ending.retain(|stage| !keep || stage.name != "remove");
    walk(runtime, &ending)
}

/// From a bundle, or from the spec that the flags stand for: one path from here on.
fn plan(args: &RunArgs, hierarchy: &Hierarchy) -> Result<Plan> {
    let machine = machine(&args.container, hierarchy)?;
    let target = Target::find(&args.container, args.bundle.as_deref(), &machine)?;
    let mut plan = if let Target::Bundle { id, directory } = &target {
        Plan::from_bundle(id, directory)?
    } else {
        let spec = flags::spec(&args.container, &target, &machine)?;
        let text = flags::json(&spec)?;
        let id = args.container.name.as_deref().unwrap_or(&machine.id);
        Plan::from_spec(id, &machine.directory, &spec, &text)?
    };
    let has_user = plan.namespaces.has_user();
    plan.grant_at_most(flags::capabilities::available(has_user, &machine));
    plan.root.no_pivot = args.no_pivot;
    if args.no_pivot {
        say("--no-pivot: the host's tree stays mounted below the container's root");
    }
    let process = &mut plan.process;
    if process.terminal && process.console_size.is_none() {
        // ENOTTY: jec itself has no terminal whose size could be taken.
        process.console_size = terminal::size(std::io::stdin().as_fd()).ok();
    }
    Ok(plan)
}

/// A program that the kernel killed for want of memory cannot say so itself.
fn out_of_memory(runtime: &Runtime) -> Result<()> {
    if runtime.cgroup.as_ref().map_or(Ok(0), Cgroup::oom_kills)? > 0 {
        let limits = &runtime.plan.cgroup.limits;
        let limit = limits.iter().find(|(file, _)| file == "memory.max");
        let bytes = limit.and_then(|(_, value)| value.parse().ok());
        let limit = bytes.map_or(String::new(), |bytes| format!(", limit {}", human(bytes)));
        say(&format!("killed: out of memory{limit}"));
    }
    Ok(())
}

/// Bytes in the largest unit that divides them.
fn human(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    unit.map_or(format!("{bytes} B"), |(shift, name)| format!("{} {name}", bytes >> shift))
}

/// Absolute, because it is written down for a `jec delete` that may run elsewhere.
fn pid_file(path: &Path) -> Result<String> {
    let path = std::path::absolute(path)
        .map_err(|error| Error::config("--pid-file", format!("{}: {error}", path.display())))?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::config("--pid-file", "is not UTF-8"))
}
