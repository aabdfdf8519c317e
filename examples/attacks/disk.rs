//! Read the host's disk, past all its files and their owners.
//!
//! Stopped by `bounding` (and by `no-new-privs`): mknod(2) of a device takes CAP_MKNOD. EPERM. Who
//! has that cannot open the node: the device program of the `cgroup` says no. See mknod(2).

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::{Attempt, Host, Seen, told, when};

/// Reads a few bytes, writes none.
pub fn attack() -> Attempt {
    let disk = told("DISK")?;
    let (major, minor) = disk.split_once(':').unwrap_or_default();
    let number = makedev(major.parse().unwrap_or(0), minor.parse().unwrap_or(0));
    mknod("/dev/disk", SFlag::S_IFBLK, Mode::S_IRUSR, number)?;
    let mut bytes = [0; 64];
    File::open("/dev/disk")?.read_exact_at(&mut bytes, 1024)?;
    Ok(format!("{bytes:02x?}"))
}

/// The same bytes, read by the host.
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    let mut bytes = [0; 64];
    super::host::disk()?.1.read_exact_at(&mut bytes, 1024).ok()?;
    when(seen.text == format!("{bytes:02x?}"), "it has read the host's disk")
}
