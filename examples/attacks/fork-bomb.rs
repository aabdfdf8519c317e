//! Make processes until nobody else on the machine can make one.
//!
//! Stopped by `cgroup`: pids.max, 64 here. EAGAIN. See fork(2), cgroups(7).

use crate::sys::process::fork;

use super::{Attempt, Host, Seen, when};

/// Two hundred are enough to see it, and harm nobody. They end with the container.
pub fn attack() -> Attempt {
    for _ in 0..200 {
        fork(|| {
            loop {
                nix::unistd::pause();
            }
        })?;
    }
    Ok("200 processes".into())
}

/// The processes that the host counts.
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    let count = seen.children().len();
    when(count >= 200, format!("{count} processes"))
}
