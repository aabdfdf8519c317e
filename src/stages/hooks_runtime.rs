//! Hooks of the runtime: programs of whoever wrote the configuration, on the host.
//!
//! The namespaces and mounts of the container exist, its program does not run:
//! this is where an engine gives it a network, or a device. `prestart` is the
//! older name; those run first. A hook runs as jec and where jec runs, outside
//! the container and its cgroup, and learns init's number from the state on its
//! standard input. When one fails, nothing is left of the container. Side:
//! runtime. Without it: the engine's own steps would come too early or too
//! late. See config.md, "POSIX-platform Hooks", "Prestart", "CreateRuntime Hooks".

use crate::error::Result;
use crate::hooks;
use crate::sides::Runtime;
use crate::state::Status;

/// Runs both lists.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let hooks = &runtime.plan.hooks;
    hooks::on_host(runtime, &hooks.prestart, Status::Creating)?;
    hooks::on_host(runtime, &hooks.create_runtime, Status::Creating)
}
