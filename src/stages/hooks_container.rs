//! Hooks of the container: in its namespaces, with the host's tree still there.
//!
//! After the mounts and before the pivot init sees both: the container's root,
//! complete, below its path of the host, and every program of the host. So the
//! hook's path is one of the host, and what it mounts below the root is the
//! container's. It runs with all that init still has, in the container's
//! cgroup, and in its pid namespace, where init is 1. Side: init. Without it: a
//! driver's libraries could not be mounted into a container, since what the
//! host mounts need not reach it any more. See config.md, "CreateContainer Hooks".

use crate::error::Result;
use crate::hooks;
use crate::sides::Init;
use crate::state::Status;

/// Runs them.
pub fn run(init: &mut Init) -> Result<()> {
    hooks::inside(init, &init.plan.hooks.create_container, Status::Creating)
}
