//! Created: the container exists, the program has not started.
//!
//! Everything is made; init waits for the baton. Now, and not earlier, the
//! state says "created": whoever reads it may start the container, or delete
//! it. The state file is written beside, synced and renamed, so that nobody ever
//! reads half of one, a crash of the machine included. Side: runtime. Without
//! it: engines would start what is not ready. See rename(2), fsync(2);
//! runtime.md, "State".

use crate::error::Result;
use crate::sides::Runtime;
use crate::state::Status;

/// Writes the state.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let pid = runtime.init()?.pid;
    runtime.container()?.write_status(Status::Created, pid)
}
