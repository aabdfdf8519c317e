//! Press a key of the kernel's own keyboard: `b` restarts the machine, at once.
//!
//! Stopped by `masks`: /proc/sysrq-trigger is read-only. EROFS. See proc_sysrq-trigger(5).

use super::{Attempt, Host, Seen, when};

/// `h`: the kernel only says which keys there are, in its log.
pub fn attack() -> Attempt {
    std::fs::write("/proc/sysrq-trigger", "h")?;
    Ok("the key h was pressed".into())
}

/// The kernel's log, from the last message of `jec attack` on.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    let log = crate::sys::attack::kernel_log().ok()?;
    let since = log.rsplit(&host.secret).next().filter(|since| since.len() < log.len())?;
    when(since.contains("sysrq: "), "the kernel's log has the key")
}
