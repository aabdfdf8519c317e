//! Change a setting of the kernel that has no namespace, and so is the host's.
//!
//! Stopped by `masks`: /proc/sys is read-only. EROFS. See proc_sys(5), CVE-2022-0811.

use super::host::SETTINGS;
use super::{Attempt, Host, Seen, read, when};

/// How many seconds a lease holds: `jec attack` sets it back.
pub fn attack() -> Attempt {
    let path = "/proc/sys/fs/lease-break-time";
    let seconds: u32 = std::fs::read_to_string(path)?.trim().parse().unwrap_or(45);
    std::fs::write(path, (seconds + 1).to_string())?;
    Ok(format!("{} seconds instead of {seconds}", seconds + 1))
}

/// The setting as the host reads it.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    when(read(SETTINGS[0].1) != host.settings[0], "so it is on the host")
}
