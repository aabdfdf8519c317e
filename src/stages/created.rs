//! Created: the container exists, the program has not started.
//!
//! Everything is made; init waits for the baton. Now, and not earlier, the
//! state says "created" and init's number is written where it was asked for:
//! whoever reads either may rely on it. The state file is written beside and
//! renamed, so that nobody ever reads half of one. Side: runtime. Without it:
//! engines would start what is not ready. See rename(2); runtime.md, "State".

use crate::error::Result;
use crate::sides::Runtime;
use crate::state::Status;

/// Writes the state, then the pid file.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let pid = runtime.init()?.pid;
    let container = runtime.container()?;
    container.write_status(Status::Created, pid)?;
    container.write_pid_file(pid)
}
