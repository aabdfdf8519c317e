//! `jec exec`: a further process in a container that runs.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use nix::sched::CloneFlags;

use super::create::{begin, check_terminal, grantable, outcome, serve};
use super::find;
use crate::cli::{ExecArgs, Global};
use crate::error::{Error, Failure, Result};
use crate::plan::{Plan, flags, kinds};
use crate::relay;
use crate::sides::Runtime;
use crate::stages::Command;
use crate::stages::kill_all::end_children;
use crate::stages::walk::{rows, walk};
use crate::state::{Container, Status};
use crate::sys::process::Child;
use crate::sys::{Recorder, file};

/// Runs it to its end, where the exit status is its own; or with `--detach` until it has started.
pub fn run(global: &Global, args: &ExecArgs) -> Result<u8, Failure> {
    let proc = begin(&args.begin, &[])?;
    let listening = Recorder::pause();
    let (states, container) = find(global, &args.id, &proc)?;
    let init = running(&container, args.ignore_paused)?;
    let plan = plan(args, &container, init, proc.as_fd())?;
    let all = rows(&plan, &[Command::Each, Command::Program]);
    let mut runtime = Runtime::new(&plan, &all, proc, Some(states));
    runtime.container = Some(container);
    serve(&mut runtime, &args.ends)?;
    Recorder::resume(listening);
    let result = walk(&mut runtime, &all)
        .and_then(|()| if args.detach { Ok(0) } else { Ok(relay::wait(&mut runtime)?.code()) });
    if result.is_ok() {
        return result;
    }
    runtime.let_go();
    outcome(result, end_children(&runtime).map_err(Failure::from))
}

/// Init of a container that runs its program and is not paused. In one that rests at its gate,
/// init is still jec: nobody else is let in.
fn running(container: &Container, ignore_paused: bool) -> Result<Child> {
    let refused = |problem: String| Err(Error::state(&container.intent.id, problem));
    match (container.status()?, container.live_init()?) {
        (Status::Paused, Some(_)) if !ignore_paused => {
            refused("is paused; with --ignore-paused the process starts when it goes on".into())
        }
        (Status::Running | Status::Paused, Some(init)) => Ok(init),
        (status, _) => refused(format!("container not running: it is {status:?}").to_lowercase()),
    }
}

/// The container's configuration, with another process, and with namespaces that exist.
fn plan(args: &ExecArgs, container: &Container, init: Child, proc: BorrowedFd) -> Result<Plan> {
    let joined = others(proc, init.pid)?;
    let has_user = joined.iter().any(|(kind, _)| *kind == CloneFlags::CLONE_NEWUSER);
    let (bundle, config) = (container.intent.bundle.as_ref(), container.config()?);
    let mut plan = flags::exec::plan(args, bundle, &config, grantable(proc, has_user)?)?;
    (plan.namespaces.new, plan.namespaces.joined) = (Vec::new(), joined);
    plan.joins = Some(Rc::new(init.pidfd));
    plan.cgroup.path.clone_from(&args.cgroup);
    let process = &mut plan.process;
    process.preserved_fds = args.begin.preserve_fds;
    process.outlives_jec = args.detach;
    check_terminal(process, args.detach, &args.ends)?;
    Ok(plan)
}

/// Where init lives and we do not: our own user namespace cannot be entered (EINVAL), and
/// others need privileges that nobody has to have who is there already.
fn others(proc: BorrowedFd, init: i32) -> Result<Vec<(CloneFlags, CString)>> {
    let mut found = Vec::new();
    for (name, kind) in kinds() {
        let theirs = CString::new(format!("{init}/ns/{name}"))?;
        let ours = CString::new(format!("self/ns/{name}"))?;
        // A kernel without namespaces of a kind has neither; what cannot be read, setns(2) tells.
        if file::readlinkat(proc, &theirs).ok() != file::readlinkat(proc, &ours).ok() {
            found.push((kind, theirs));
        }
    }
    Ok(found)
}
