//! Running: the program has started.
//!
//! jec has heard the end of the baton, which closes on execve and not before.
//! The state says "running" now; from here on jec is only the one who waits,
//! forwards signals and carries bytes between two terminals. Side: runtime.
//! Without it: `jec state` would call a running container created. See
//! runtime.md, "State".

use super::Doc;
use crate::error::Result;
use crate::sides::Runtime;
use crate::state::Status;

/// Where to read on.
pub const DOC: Doc = Doc {
    why_here: "the closing of the baton is the proof that the program runs",
    man: "execve(2), unix(7)",
    spec: "runtime.md#state",
};

/// Writes the state.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    match (&runtime.container, &runtime.init) {
        (Some(container), Some(init)) => container.write_status(Status::Running, init.pid),
        _ => Ok(()),
    }
}
