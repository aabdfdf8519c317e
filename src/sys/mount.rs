//! Mounts: the descriptor-based calls of Linux 5.2 and later, and pivot_root.
//!
//! A path is looked up once, by openat2; from there on everything goes by
//! descriptor, so nobody can exchange what a name means under our hands.
//! glibc 2.36 has wrappers for them, but static binaries on older ones do not:
//! all go through syscall(2). Constants are those of <linux/mount.h>.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::mount::MntFlags;

use super::file::{HERE, dir};
use super::record;
use crate::error::Result;

/// open_tree(2): a detached copy rather than a handle.
pub const OPEN_TREE_CLONE: u32 = 1;
/// open_tree(2) and mount_setattr(2): with everything mounted below.
pub const AT_RECURSIVE: u32 = 0x8000;
const AT_EMPTY_PATH: u32 = 0x1000;
const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const OPEN_TREE_CLOEXEC: u32 = libc::O_CLOEXEC as u32;
const MOVE_MOUNT_EMPTY_PATHS: u32 = 0x4 | 0x40; // F_EMPTY_PATH | T_EMPTY_PATH

/// MOUNT_ATTR_RDONLY
pub const MOUNT_ATTR_RDONLY: u64 = 0x1;
/// MOUNT_ATTR_NOSUID
pub const MOUNT_ATTR_NOSUID: u64 = 0x2;
/// MOUNT_ATTR_NODEV
pub const MOUNT_ATTR_NODEV: u64 = 0x4;
/// MOUNT_ATTR_NOEXEC
pub const MOUNT_ATTR_NOEXEC: u64 = 0x8;
/// MOUNT_ATTR_NOATIME, one value of the field MOUNT_ATTR__ATIME
pub const MOUNT_ATTR_NOATIME: u64 = 0x10;
/// MOUNT_ATTR_STRICTATIME, one value of the field MOUNT_ATTR__ATIME
pub const MOUNT_ATTR_STRICTATIME: u64 = 0x20;
/// MOUNT_ATTR_NODIRATIME
pub const MOUNT_ATTR_NODIRATIME: u64 = 0x80;
/// MOUNT_ATTR_IDMAP
pub const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;
/// MOUNT_ATTR_NOSYMFOLLOW
pub const MOUNT_ATTR_NOSYMFOLLOW: u64 = 0x20_0000;

const ATTRIBUTE_NAMES: &[(u64, &str)] = &[
    (MOUNT_ATTR_RDONLY, "RDONLY"),
    (MOUNT_ATTR_NOSUID, "NOSUID"),
    (MOUNT_ATTR_NODEV, "NODEV"),
    (MOUNT_ATTR_NOEXEC, "NOEXEC"),
    (MOUNT_ATTR_NOATIME, "NOATIME"),
    (MOUNT_ATTR_STRICTATIME, "STRICTATIME"),
    (MOUNT_ATTR_NODIRATIME, "NODIRATIME"),
    (MOUNT_ATTR_IDMAP, "IDMAP"),
    (MOUNT_ATTR_NOSYMFOLLOW, "NOSYMFOLLOW"),
];
const PROPAGATION_NAMES: &[(u64, &str)] = &[
    (libc::MS_SHARED, "MS_SHARED"),
    (libc::MS_SLAVE, "MS_SLAVE"),
    (libc::MS_PRIVATE, "MS_PRIVATE"),
    (libc::MS_UNBINDABLE, "MS_UNBINDABLE"),
    (libc::MS_REC, "MS_REC"),
];

/// The names of the bits of `value`, joined by `|`; `0` when it is empty.
fn names(table: &[(u64, &str)], value: u64) -> String {
    let words: Vec<_> =
        table.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name).collect();
    if words.is_empty() { "0".into() } else { words.join("|") }
}

/// Turns the result of syscall(2) into a descriptor that we own.
fn descriptor(result: i64) -> nix::Result<OwnedFd> {
    let fd = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just made this descriptor for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// open_tree(2) of a path: `OPEN_TREE_CLONE` makes a detached copy, as a bind mount would be.
/// An empty path means `at` itself. `follow`: whether a link at the end is followed.
pub fn open_tree(at: BorrowedFd, path: &CStr, how: u32, follow: bool) -> Result<OwnedFd> {
    let empty = if path.is_empty() { AT_EMPTY_PATH } else { 0 };
    let nofollow = if follow { 0 } else { AT_SYMLINK_NOFOLLOW };
    let bits = how | OPEN_TREE_CLOEXEC | empty | nofollow;
    // SAFETY: `path` is NUL-terminated and outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_open_tree, at.as_raw_fd(), path.as_ptr(), bits) };
    let clone = if how & OPEN_TREE_CLONE == 0 { "0" } else { "OPEN_TREE_CLONE" };
    let recursive = if how & AT_RECURSIVE == 0 { "" } else { "|AT_RECURSIVE" };
    let args = format_args!("{}, {path:?}, {clone}{recursive}", dir(at));
    record("open_tree", args, descriptor(result))
}

/// move_mount(2): puts the detached `mount` onto what `onto` refers to.
pub fn move_mount(mount: BorrowedFd, onto: BorrowedFd) -> Result<()> {
    let (from, to, empty) = (mount.as_raw_fd(), onto.as_raw_fd(), c"".as_ptr());
    // SAFETY: the empty path is a constant; both descriptors are open.
    let result = unsafe {
        libc::syscall(libc::SYS_move_mount, from, empty, to, empty, MOVE_MOUNT_EMPTY_PATHS)
    };
    record("move_mount", format_args!("{from}, \"\", {to}, \"\""), Errno::result(result).map(drop))
}

/// fsopen(2): a new instance of a file system, to be configured.
pub fn fsopen(fstype: &CStr) -> Result<OwnedFd> {
    const FSOPEN_CLOEXEC: u32 = 1;
    // SAFETY: `fstype` is NUL-terminated and outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_fsopen, fstype.as_ptr(), FSOPEN_CLOEXEC) };
    record("fsopen", format_args!("{fstype:?}"), descriptor(result))
}

/// fsconfig(2) with one parameter: a string when it has a value, a flag when it has none.
pub fn fsconfig_set(fs: BorrowedFd, key: &CStr, value: Option<&CStr>) -> Result<()> {
    let (command, word) = if value.is_some() { (1, "SET_STRING") } else { (0, "SET_FLAG") };
    let pointer = value.map_or(std::ptr::null(), CStr::as_ptr);
    let fd = fs.as_raw_fd();
    // SAFETY: key and value are NUL-terminated and outlive the call; a flag has no value.
    let result =
        unsafe { libc::syscall(libc::SYS_fsconfig, fd, command, key.as_ptr(), pointer, 0) };
    let args = format_args!("{fd}, {word}, {key:?}, {:?}", value.unwrap_or(c""));
    record("fsconfig", args, Errno::result(result).map(drop))
}

/// fsconfig(2) FSCONFIG_CMD_CREATE: the instance comes to life.
pub fn fsconfig_create(fs: BorrowedFd) -> Result<()> {
    const FSCONFIG_CMD_CREATE: u32 = 6;
    let null = std::ptr::null::<libc::c_char>();
    let fd = fs.as_raw_fd();
    // SAFETY: the command takes no key and no value.
    let result =
        unsafe { libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, null, null, 0) };
    record("fsconfig", format_args!("{fd}, CMD_CREATE"), Errno::result(result).map(drop))
}

/// fsmount(2): a detached mount of the instance, with these MOUNT_ATTR_* attributes.
pub fn fsmount(fs: BorrowedFd, attributes: u64) -> Result<OwnedFd> {
    const FSMOUNT_CLOEXEC: u32 = 1;
    let fd = fs.as_raw_fd();
    // SAFETY: only numbers are passed.
    let result = unsafe { libc::syscall(libc::SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes) };
    let args = format_args!("{fd}, {}", names(ATTRIBUTE_NAMES, attributes));
    record("fsmount", args, descriptor(result))
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
pub fn mount_setattr(mount: BorrowedFd, change: Change) -> Result<()> {
    mount_setattr_at(mount, c"", change)
}

/// mount_setattr(2) on the mount of the whole tree, `/`.
pub fn mount_setattr_root(change: Change) -> Result<()> {
    mount_setattr_at(HERE, c"/", change)
}

fn mount_setattr_at(at: BorrowedFd, path: &CStr, change: Change) -> Result<()> {
    // The atime settings are one field: setting any of them clears the whole field first.
    const MOUNT_ATTR__ATIME: u64 = 0x70;
    let atime = if change.set & MOUNT_ATTR__ATIME == 0 { 0 } else { MOUNT_ATTR__ATIME };
    let user_namespace = change.user_namespace.map_or(0, |fd| fd.as_raw_fd());
    let attributes = libc::mount_attr {
        attr_set: change.set,
        attr_clr: change.clear | atime,
        propagation: change.propagation,
        userns_fd: u64::try_from(user_namespace).unwrap_or(0),
    };
    let recursive = if change.recursive { AT_RECURSIVE } else { 0 };
    let size = size_of::<libc::mount_attr>();
    // SAFETY: `path` is NUL-terminated, `attributes` is a whole struct of the size given.
    let result = unsafe {
        let bits = AT_EMPTY_PATH | recursive;
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            path.as_ptr(),
            bits,
            &raw const attributes,
            size,
        )
    };
    let shown = format_args!(
        "{}, {path:?}, {}, set={}, clear={}, propagation={}",
        dir(at),
        if change.recursive { "AT_RECURSIVE" } else { "0" },
        names(ATTRIBUTE_NAMES, change.set),
        names(ATTRIBUTE_NAMES, change.clear),
        names(PROPAGATION_NAMES, change.propagation),
    );
    record("mount_setattr", shown, Errno::result(result).map(drop))
}

/// The MOUNT_ATTR_* of RDONLY, NOSUID, NODEV, NOEXEC that the mount really has (fstatfs(2)).
pub fn attributes(mount: BorrowedFd) -> Result<u64> {
    // ST_RDONLY 1, ST_NOSUID 2, ST_NODEV 4, ST_NOEXEC 8: the same bits as MOUNT_ATTR_*.
    let result = nix::sys::statvfs::fstatvfs(mount)
        .map(|found| i64::from_ne_bytes(found.flags().bits().to_ne_bytes()));
    let bits = record("fstatfs", format_args!("{}", mount.as_raw_fd()), result)?;
    Ok(u64::from_ne_bytes(bits.to_ne_bytes()) & 0xf)
}

/// umount2(2) with MNT_DETACH: away now, gone when the last user is.
pub fn umount_detach(path: &CStr) -> Result<()> {
    let result = nix::mount::umount2(path, MntFlags::MNT_DETACH);
    record("umount2", format_args!("{path:?}, MNT_DETACH"), result)
}

/// pivot_root(2).
pub fn pivot_root(new: &CStr, old: &CStr) -> Result<()> {
    record("pivot_root", format_args!("{new:?}, {old:?}"), nix::unistd::pivot_root(new, old))
}

/// mount(2) with MS_MOVE: `.` becomes the root where pivot_root cannot (an initramfs).
pub fn move_to_root(path: &CStr) -> Result<()> {
    let flags = nix::mount::MsFlags::MS_MOVE;
    let result = nix::mount::mount(Some(path), c"/", None::<&CStr>, flags, None::<&CStr>);
    record("mount", format_args!("{path:?}, \"/\", NULL, MS_MOVE, NULL"), result)
}

/// chroot(2).
pub fn chroot(path: &CStr) -> Result<()> {
    record("chroot", format_args!("{path:?}"), nix::unistd::chroot(path))
}
