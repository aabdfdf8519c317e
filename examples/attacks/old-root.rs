//! Read a file of the host by its path.
//!
//! Stopped by `pivot-root`: the host's tree is no longer below any path, because its mount was
//! taken away, not only hidden as chroot(2) does. ENOENT. See pivot_root(2).

use super::{Attempt, Host, Seen, told, when};

/// The secret of this machine lies in a file.
pub fn attack() -> Attempt {
    Ok(std::fs::read_to_string(told("HOST")? + "/secret")?)
}

/// It knows what nobody has told it.
pub fn harm(host: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.text.contains(&host.secret), "it knows the host's secret")
}
