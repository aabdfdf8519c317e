//! Numbers of the kernel headers that plan and stages speak of. No call is made here.

use nix::sched::CloneFlags;

/// Mount attributes of mount_setattr(2) and fsmount(2), <linux/mount.h>.
pub use libc::{
    MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_RELATIME, MOUNT_ATTR_STRICTATIME,
};

/// Propagation, as mount(2) and mount_setattr(2) take it, <linux/mount.h>.
pub use libc::{MS_PRIVATE, MS_REC, MS_SLAVE};

/// fstatfs(2) of a proc file system, <linux/magic.h>.
pub const PROC_SUPER_MAGIC: i64 = 0x9fa0;

/// A new time namespace, <linux/sched.h>. unshare(2) and clone3(2) take it;
/// in clone(2) the bit belongs to the exit signal, which is why nix has no name for it.
pub const CLONE_NEWTIME: CloneFlags = CloneFlags::from_bits_retain(libc::CLONE_NEWTIME);
