//! The same as user-namespace, by the door for 32-bit programs: there calls have other numbers,
//! and 310 is unshare. A filter that looks at numbers alone lets it pass.
//!
//! Stopped by `seccomp`: the filter looks at the interface first, and ends who comes by another
//! one. SIGSYS. See seccomp(2), "seccomp_data.arch".

use nix::sched::CloneFlags;

use super::{Attempt, Host, Seen, when};

/// `int 0x80` works in any 64-bit program.
pub fn attack() -> Attempt {
    crate::sys::attack::unshare_by_int80(CloneFlags::CLONE_NEWUSER)?;
    Ok("every capability, in a new user namespace".into())
}

/// Its effective capabilities.
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.is_powerful(), "it has every capability")
}
