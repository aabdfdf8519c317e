//! Cgroup: how much the container may use, and the handle to all its processes.
//!
//! A cgroup is a directory in the cgroup2 file system: making it is mkdir(2),
//! limiting it is writing into its files, killing all in it is writing into
//! `cgroup.kill`. Every limit is read back. The descriptor of the directory is
//! kept: the middle process is born in it. Side: runtime. Without it: one
//! container takes all memory, and a fork bomb the machine. On a machine
//! without pure cgroup v2 there is nothing to make; limits were refused before
//! this stage. See cgroups(7); config-linux.md, "Control groups".

use std::os::fd::AsFd;

use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::sides::Runtime;

/// Makes the cgroup where `Placement` decided; a further process is born where init is.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    if runtime.plan.joins.is_some() {
        return open(runtime);
    }
    let Some(placement) = runtime.placement.take() else {
        return Ok(());
    };
    let made = placement.make().inspect_err(|error| {
        // Another jec was faster: the cgroup is its own, and cleaning up must not touch it.
        if let (Error::State { .. }, Some(container)) = (error, &mut runtime.container) {
            container.intent.cgroup = None;
        }
    });
    runtime.cgroup = Some(made?);
    Ok(())
}

/// The container's cgroup, or the one below it that was asked for. Without it there would be no
/// limits, so that it is not there is an error.
fn open(runtime: &mut Runtime) -> Result<()> {
    let container = runtime.container()?;
    let (id, init) = (container.intent.id.clone(), container.state.pid);
    let Some(top) = container.intent.cgroup.clone() else {
        return Ok(());
    };
    let path = match &runtime.plan.cgroup.path {
        Some(below) => format!("{top}/{}", below.trim_matches('/')),
        None => Cgroup::of_process(runtime.proc.as_fd(), init, &top)?,
    };
    let gone = || Error::state(id, format!("there is no cgroup {path}"));
    runtime.cgroup = Some(Cgroup::open(&path)?.ok_or_else(gone)?);
    Ok(())
}
