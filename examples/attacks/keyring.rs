//! Read a key of the caller: session keyrings are inherited, and hold passwords of file systems
//! and of networks.
//!
//! Stopped by the filter, without keyctl(2). EPERM. And by `session`, which has joined a keyring
//! of its own, with nothing in it. See session-keyring(7).

use super::{Attempt, Host, Seen, when};

/// The key was laid into a keyring made for this.
pub fn attack() -> Attempt {
    Ok(crate::sys::attack::read_key(c"jec-attack")?)
}

/// It knows what nobody has told it.
pub fn harm(host: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.text.contains(&host.secret), "it knows the host's secret")
}
