//! Exec: init becomes the program.
//!
//! execve(2) replaces what a process runs and keeps what it is: the pid (1
//! inside), the namespaces, the root, the cgroup, the filter. Every descriptor
//! above 2 closes, the baton's among them: that is how jec learns that it has
//! worked. When it fails, the error goes the usual way, and the exit status is
//! the shell's: 127 for not found, 126 for found but not executable. Side:
//! init. Without it: no container, only a strange jec. See execve(2);
//! runtime.md, "Start".

use crate::error::{Error, Result};
use crate::sides::Init;
use crate::sys::process;

/// Returns only when it failed.
pub fn run(init: &mut Init) -> Result<()> {
    let Some(program) = &init.program else {
        return Err(Error::config("process.args", "is empty: there is no program to start"));
    };
    process::execve(program, &init.plan.process.args, &init.env)
}
