//! Hooks of the start: inside, as the program would run, just before it.
//!
//! The root is the container's, so the path is one of the image; user and
//! capabilities are the program's. Such a hook can fill a cache or write a file
//! that the program expects (ldconfig(8) after a driver's libraries came). It is
//! part of `start`: in a container that is created and never started it never
//! runs. When one fails, nothing is left of the container. Side: init. Without
//! it: every image would need a script of its own around its program. See
//! config.md, "StartContainer Hooks".

use crate::error::Result;
use crate::hooks;
use crate::sides::Init;
use crate::state::Status;

/// Runs them.
pub fn run(init: &mut Init) -> Result<()> {
    hooks::inside(init, &init.plan.hooks.start_container, Status::Created)
}
