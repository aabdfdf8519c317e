//! User namespace: ids that mean something else outside.
//!
//! In a new user namespace a process has all capabilities, over that namespace
//! and what belongs to it, and none over the host. It is made first and alone,
//! so that the others, which are made from inside it, belong to it. It is what lets an
//! ordinary user run a container, and what turns root inside into nobody
//! outside. Side: middle. Without it: uid 0 inside is uid 0 outside, and only
//! capabilities and the filter stand between. See user_namespaces(7);
//! config-linux.md, "User namespace mappings".

use nix::sched::CloneFlags;

use crate::error::Result;
use crate::sides::Middle;
use crate::sys::process;

/// Leaves the host's ids.
pub fn run(_: &mut Middle) -> Result<()> {
    process::unshare(CloneFlags::CLONE_NEWUSER)
}
