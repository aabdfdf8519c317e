//! Mounts: the descriptor-based calls of Linux 5.2 and later, and pivot_root.
//!
//! A path is looked up once, by openat2; from there on everything goes by
//! descriptor, so nobody can exchange what a name means under our hands.
//! glibc 2.36 has wrappers for them, but static binaries on older ones do not:
//! all go through syscall(2). Constants are those of <linux/mount.h>.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

pub use libc::{MOUNT_ATTR_IDMAP, MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags};

use super::arguments::{self, dir};
use super::record::{descriptor, record, record_as, record_fd};
use crate::error::Result;

/// open_tree(2) and mount_setattr(2): with everything mounted below.
pub const AT_RECURSIVE: u32 = libc::AT_RECURSIVE.cast_unsigned();
const AT_EMPTY_PATH: u32 = libc::AT_EMPTY_PATH.cast_unsigned();
const AT_SYMLINK_NOFOLLOW: u32 = libc::AT_SYMLINK_NOFOLLOW.cast_unsigned();

/// open_tree(2) of a path: `OPEN_TREE_CLONE` makes a detached copy, as a bind mount would be.
/// An empty path means `at` itself. `follow`: whether a link at the end is followed.
#[track_caller]
pub fn open_tree(at: BorrowedFd, path: &CStr, how: u32, follow: bool) -> Result<OwnedFd> {
    let empty = if path.is_empty() { AT_EMPTY_PATH } else { 0 };
    let nofollow = if follow { 0 } else { AT_SYMLINK_NOFOLLOW };
    let (fd, bits) = (at.as_raw_fd(), how | libc::OPEN_TREE_CLOEXEC | empty | nofollow);
    // SAFETY: `path` is NUL-terminated and outlives the call; the new descriptor is ours alone.
    let result = unsafe { descriptor(libc::syscall(libc::SYS_open_tree, fd, path.as_ptr(), bits)) };
    record_fd("open_tree", format_args!("{}, {path:?}, {}", dir(at), arguments::tree(how)), result)
}

/// move_mount(2): puts the detached `mount` onto what `onto` refers to.
#[track_caller]
pub fn move_mount(mount: BorrowedFd, onto: BorrowedFd) -> Result<()> {
    let (from, to, empty) = (mount.as_raw_fd(), onto.as_raw_fd(), c"".as_ptr());
    let how = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: the empty path is a constant; both descriptors are open.
    let result = unsafe { libc::syscall(libc::SYS_move_mount, from, empty, to, empty, how) };
    record("move_mount", format_args!("{from}, \"\", {to}, \"\""), Errno::result(result))
}

/// fsopen(2): a new instance of a file system, to be configured.
#[track_caller]
pub fn fsopen(fstype: &CStr) -> Result<OwnedFd> {
    let (name, how) = (fstype.as_ptr(), libc::FSOPEN_CLOEXEC);
    // SAFETY: `fstype` is NUL-terminated and outlives the call; the new descriptor is ours alone.
    let result = unsafe { descriptor(libc::syscall(libc::SYS_fsopen, name, how)) };
    record_fd("fsopen", format_args!("{fstype:?}"), result)
}

/// fsconfig(2) with one parameter: a string when it has a value, a flag when it has none.
#[track_caller]
pub fn fsconfig_set(fs: BorrowedFd, key: &CStr, value: Option<&CStr>) -> Result<()> {
    let (fd, name) = (fs.as_raw_fd(), key.as_ptr());
    let (command, word, text) = match value {
        Some(text) => (libc::FSCONFIG_SET_STRING, "SET_STRING", text.as_ptr()),
        None => (libc::FSCONFIG_SET_FLAG, "SET_FLAG", std::ptr::null()),
    };
    // SAFETY: key and value are NUL-terminated and outlive the call; a flag has no value.
    let result = unsafe { libc::syscall(libc::SYS_fsconfig, fd, command, name, text, 0) };
    let args = format_args!("{fd}, {word}, {key:?}, {:?}", value.unwrap_or(c""));
    record("fsconfig", args, Errno::result(result))
}

/// fsconfig(2) FSCONFIG_CMD_CREATE: the instance comes to life.
#[track_caller]
pub fn fsconfig_create(fs: BorrowedFd) -> Result<()> {
    let (fd, command) = (fs.as_raw_fd(), libc::FSCONFIG_CMD_CREATE);
    let null = std::ptr::null::<libc::c_char>();
    // SAFETY: the command takes no key and no value.
    let result = unsafe { libc::syscall(libc::SYS_fsconfig, fd, command, null, null, 0) };
    record("fsconfig", format_args!("{fd}, CMD_CREATE"), Errno::result(result))
}

/// fsmount(2): a detached mount of the instance, with these MOUNT_ATTR_* attributes.
#[track_caller]
pub fn fsmount(fs: BorrowedFd, attributes: u64) -> Result<OwnedFd> {
    let (fd, how) = (fs.as_raw_fd(), libc::FSMOUNT_CLOEXEC);
    // SAFETY: only numbers are passed; the new descriptor is ours alone.
    let result = unsafe { descriptor(libc::syscall(libc::SYS_fsmount, fd, how, attributes)) };
    record_fd("fsmount", format_args!("{fd}, {}", arguments::attributes(attributes)), result)
}

/// What mount_setattr(2) is asked to change.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'fd> {
    /// MOUNT_ATTR_* to set.
    pub set: u64,
    /// MOUNT_ATTR_* to clear.
    pub clear: u64,
    /// MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE; 0 leaves it.
    pub propagation: u64,
    /// The user namespace for MOUNT_ATTR_IDMAP.
    pub user_namespace: Option<BorrowedFd<'fd>>,
    /// On the mount and all below it.
    pub recursive: bool,
}

/// mount_setattr(2) on the mount that `mount` refers to.
#[track_caller]
pub fn mount_setattr(mount: BorrowedFd, change: Change) -> Result<()> {
    // The atime settings are one field: setting any of them clears the whole field first.
    let sets_atime = change.set & libc::MOUNT_ATTR__ATIME != 0;
    let attributes = libc::mount_attr {
        attr_set: change.set,
        attr_clr: change.clear | if sets_atime { libc::MOUNT_ATTR__ATIME } else { 0 },
        propagation: change.propagation,
        userns_fd: change.user_namespace.map_or(0, |fd| fd.as_raw_fd().unsigned_abs().into()),
    };
    let (recursive, word) =
        if change.recursive { (AT_RECURSIVE, "AT_RECURSIVE") } else { (0, "0") };
    let (fd, bits, changed) = (mount.as_raw_fd(), AT_EMPTY_PATH | recursive, &raw const attributes);
    let (name, size) = (c"".as_ptr(), size_of::<libc::mount_attr>());
    // SAFETY: the empty path is a constant, `attributes` is a whole struct of the size given.
    let result = unsafe { libc::syscall(libc::SYS_mount_setattr, fd, name, bits, changed, size) };
    let args = format_args!("{fd}, \"\", {word}, {}", arguments::change(change));
    record("mount_setattr", args, Errno::result(result))
}

/// The MOUNT_ATTR_* of RDONLY, NOSUID, NODEV, NOEXEC that the mount really has (fstatfs(2)).
#[track_caller]
pub fn attributes(mount: BorrowedFd) -> Result<u64> {
    // ST_RDONLY 1, ST_NOSUID 2, ST_NODEV 4, ST_NOEXEC 8: the same bits as MOUNT_ATTR_*.
    let result = nix::sys::statvfs::fstatvfs(mount).map(|found| found.flags().bits());
    let args = format_args!("{}", mount.as_raw_fd());
    record_as("fstatfs", args, result, |bits| *bits).map(|bits| bits & 0xf)
}

/// umount2(2) with MNT_DETACH: away now, gone when the last user is.
#[track_caller]
pub fn umount_detach(path: &CStr) -> Result<()> {
    let result = nix::mount::umount2(path, MntFlags::MNT_DETACH);
    record("umount2", format_args!("{path:?}, MNT_DETACH"), result)
}

/// pivot_root(2).
#[track_caller]
pub fn pivot_root(new: &CStr, old: &CStr) -> Result<()> {
    record("pivot_root", format_args!("{new:?}, {old:?}"), nix::unistd::pivot_root(new, old))
}

/// mount(2) with MS_MOVE: `.` becomes the root where pivot_root cannot (an initramfs).
#[track_caller]
pub fn move_to_root(path: &CStr) -> Result<()> {
    let nothing = None::<&CStr>;
    let result = nix::mount::mount(Some(path), c"/", nothing, MsFlags::MS_MOVE, nothing);
    record("mount", format_args!("{path:?}, \"/\", NULL, MS_MOVE, NULL"), result)
}

/// chroot(2).
#[track_caller]
pub fn chroot(path: &CStr) -> Result<()> {
    record("chroot", format_args!("{path:?}"), nix::unistd::chroot(path))
}
