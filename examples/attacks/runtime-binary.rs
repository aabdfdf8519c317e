//! Change the runtime's own file on the host: the image asks for /proc/self/exe as its program,
//! which is the runtime, and reaches its file through the same link.
//!
//! Stopped by `seal`: jec runs from a read-only mount of its file. EROFS. See CVE-2019-5736.

use std::fs::{Permissions, metadata, set_permissions};
use std::os::unix::fs::PermissionsExt;

use super::{Attempt, Host, Seen, when};

/// Anybody may write to it then. Its contents can be written when no jec runs any more (ETXTBSY).
pub fn attack() -> Attempt {
    set_permissions("/proc/self/exe", Permissions::from_mode(0o777))?;
    Ok("anybody may write to the runtime".into())
}

/// The mode of the runtime's file.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    let mode = metadata(host.path("runtime")).ok()?.permissions().mode();
    when(mode & 0o002 != 0, "anybody may write to the runtime")
}
