//! Hooks after the start: the host is told that the program runs.
//!
//! They run on the host, after execve(2) and before `start` returns, so
//! whoever waits for it finds their work done. The program does not wait for
//! them: it may have ended by then. One that fails ends the container, and the
//! ones behind it do not run (so since version 1.3 of the specification; before
//! that it was a warning). Side: runtime. Without it: who wants to know of a start
//! would have to ask again and again. See config.md, "Poststart".

use crate::error::Result;
use crate::hooks;
use crate::sides::Runtime;
use crate::state::Status;

/// Runs them, up to the first that fails.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    hooks::on_host(runtime, &runtime.plan.hooks.poststart, Status::Running)
}
