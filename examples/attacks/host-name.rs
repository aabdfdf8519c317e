//! Rename the host.
//!
//! Stopped by the filter and by the capabilities: sethostname(2) takes CAP_SYS_ADMIN. EPERM. Who
//! has that capability renames the container only: the uts namespace has a name of its own.
//! See uts_namespaces(7).

use super::{Attempt, Host, Seen, read, when};

/// The host here is a machine made for this, with a uts namespace of its own.
pub fn attack() -> Attempt {
    nix::unistd::sethostname("attacked")?;
    Ok("the name is now attacked".into())
}

/// The name of the host.
pub fn harm(_: &mut Host, _: &Seen) -> Option<String> {
    when(read("/proc/sys/kernel/hostname") == "attacked", "the host has that name")
}
