//! Read a file that only root may read.
//!
//! Stopped by `identity`: the program runs as user 1000, as asked for. EACCES. See setresuid(2).

use super::{Attempt, Host, Seen, when};

/// The secret of this machine lies in a volume, too.
pub fn attack() -> Attempt {
    Ok(std::fs::read_to_string("/vol/secret")?)
}

/// It knows what nobody has told it.
pub fn harm(host: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.text.contains(&host.secret), "it knows the host's secret")
}
