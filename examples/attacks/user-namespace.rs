//! Win all capabilities back: whoever makes a user namespace has every one in it, and with them
//! reaches code of the kernel that only root was meant to reach.
//!
//! Stopped by `seccomp`: unshare(2) of namespaces is for those with CAP_SYS_ADMIN. EPERM.
//! See user_namespaces(7); CVE-2022-0185 was reached so.

use nix::sched::{CloneFlags, unshare};

use super::{Attempt, Host, Seen, when};

/// The namespace ends with this process.
pub fn attack() -> Attempt {
    unshare(CloneFlags::CLONE_NEWUSER)?;
    Ok("every capability, in a new user namespace".into())
}

/// Its effective capabilities.
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.is_powerful(), "it has every capability")
}
