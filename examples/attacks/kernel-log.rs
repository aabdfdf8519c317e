//! Read the kernel's messages: addresses of its memory, what the host and its neighbours do.
//!
//! Stopped by the filter and, where kernel.dmesg_restrict is set, by the capabilities: it takes
//! CAP_SYSLOG. EPERM. See syslog(2).

use super::{Attempt, Host, Seen, when};

/// The newest messages of `jec attack`, which has written the secret of this machine there.
pub fn attack() -> Attempt {
    let log = crate::sys::attack::kernel_log()?;
    let lines = log.lines().rev().filter(|line| line.contains("jec attack"));
    Ok(lines.take(8).collect())
}

/// It knows what nobody has told it.
pub fn harm(host: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.text.contains(&host.secret), "it knows the host's secret")
}
