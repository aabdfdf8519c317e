//! Leave by a directory of the host that whoever started jec has forgotten to close.
//!
//! Stopped by `fds`: whatever is above 2 is closed by execve(2). ENOENT: there is no such link
//! in /proc/self/fd. See close_range(2), CVE-2024-21626.

use super::{Attempt, Host, Seen, told, when};

/// The secret of this machine lies in that directory.
pub fn attack() -> Attempt {
    Ok(std::fs::read_to_string(format!("/proc/self/fd/{}/secret", told("DESCRIPTOR")?))?)
}

/// It knows what nobody has told it.
pub fn harm(host: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.text.contains(&host.secret), "it knows the host's secret")
}
