//! Exec: init becomes the program.
//!
//! execve(2) replaces what a process runs and keeps what it is: the pid (1
//! inside), the namespaces, the root, the cgroup, the filter. Every descriptor
//! above 2 closes, the baton's among them: that is how jec learns that it has
//! worked. When it fails, the error goes the usual way, and the exit status is
//! the shell's: 127 for not found, 126 for found but not executable. Side:
//! init. Without it: no container, only a strange jec. See execve(2);
//! runtime.md, "Start".

use crate::error::Result;
use crate::sides::{Init, needed};
use crate::sys::process;

/// Returns only when it failed.
pub fn run(init: &mut Init) -> Result<()> {
    let (program, environment) = needed(init.program.as_ref(), "the program")?;
    process::execve(program, &init.plan.process.args, environment)
}
