//! The same as user-namespace, by the newer call: clone3(2) takes its flags from memory, where
//! no filter can read them. A filter that only knows clone(2) lets it pass.
//!
//! Stopped by `seccomp`: clone3 does not exist, so that C libraries go back to clone. ENOSYS.
//! See clone(2), seccomp(2).

use nix::sched::CloneFlags;

use crate::sys::process::clone3;

use super::{Attempt, Host, Seen, when};

/// The child holds still, to be looked at.
pub fn attack() -> Attempt {
    clone3(CloneFlags::CLONE_NEWUSER, None, || {
        loop {
            nix::unistd::pause();
        }
    })?;
    Ok("a child with every capability, in a new user namespace".into())
}

/// The effective capabilities of the child.
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.is_powerful(), "it has every capability")
}
