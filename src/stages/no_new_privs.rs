//! No new privileges: execve can only take away.
//!
//! A set-user-id program, or one with file capabilities, gives its caller
//! more than it had. With this bit set, for this process and all it will ever
//! start, it does not: `su`, `sudo` and `ping` of the image run as whoever
//! calls them. The bit cannot be cleared. It is also what lets an unprivileged
//! process load a filter: otherwise it could blind a set-uid program. Side:
//! init. Without it: a set-uid shell in a volume makes root of anyone. See
//! PR_SET_NO_NEW_PRIVS(2const); config.md, "noNewPrivileges".

use crate::error::{Error, Result, ensure};
use crate::sides::Init;
use crate::sys::credentials;

/// Sets the bit and reads it back.
pub fn run(_: &mut Init) -> Result<()> {
    credentials::set_no_new_privs()?;
    ensure(credentials::get_no_new_privs()?, || Error::differs("no_new_privs", "1", "0"))
}
