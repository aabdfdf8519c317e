//! Mount something in a volume, so that it covers files of the host as well.
//!
//! Stopped by `propagation`, which has cut the mounts of the container off from those of the host:
//! no call fails, if CAP_SYS_ADMIN was given, as it is here; the host does not see it. jec has no
//! root without that stage: a mount namespace as unshare(2) makes it stands in its place.
//! See mount_namespaces(7), "SHARED SUBTREES".

use nix::mount::{MsFlags, mount};

use super::{Attempt, Host, Seen, read, when};

/// The volume is a shared mount, as all mounts are where systemd runs.
pub fn attack() -> Attempt {
    std::fs::create_dir_all("/vol/leak")?;
    mount(Some("leak"), "/vol/leak", Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    Ok("a tmpfs on /vol/leak".into())
}

/// The host's own mounts.
pub fn harm(_: &mut Host, _: &Seen) -> Option<String> {
    when(read("/proc/self/mountinfo").contains("/volume/leak "), "the host has that mount")
}
