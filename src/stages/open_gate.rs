//! Open gate: `jec start` takes the baton.
//!
//! connect(2) to the socket at which init waits. From here on two processes
//! take turns as during create, over a new pair of ends. Only one can start a
//! container: the state says "created" until the program runs, and the lock on
//! the state directory is held meanwhile. Side: runtime. Without it: a
//! container that is created stays so. See connect(2), flock(2); runtime.md,
//! "Start".

use super::baton::Baton;
use crate::error::Result;
use crate::sides::Runtime;
use crate::sys::socket::{self, SockType};

/// Connects.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let path = runtime.container()?.gate()?;
    runtime.baton = Baton::over(socket::connect(&path, SockType::SeqPacket)?);
    Ok(())
}
