//! Devices: the few nodes that a program expects in /dev.
//!
//! A device node is a file with two numbers, and mknod(2) of any pair would
//! open the disk: so the list is short (null, zero, full, random, urandom,
//! tty), and CAP_MKNOD is dropped later. In a user namespace the kernel
//! refuses mknod; there the host's own node is bound, after checking that it
//! is the character device with those numbers and not a file with its name.
//! /dev/fd, stdin, stdout, stderr and ptmx are links. Side: init. Without it:
//! `>>/dev/null` fills the root. See mknod(2), null(4); config-linux.md,
//! "Default Devices".

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::stat::{FileStat, SFlag, makedev};

use super::mounts;
use crate::error::{Error, Result, unless};
use crate::plan::{Device, DeviceKind};
use crate::sides::Init;
use crate::sys::file;
use crate::sys::mount::{self, OPEN_TREE_CLONE};
use crate::tree::{self, Kind};

/// The links of /dev. The first of each pair is where it points to.
const LINKS: &[(&CStr, &CStr)] = &[
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
    (c"pts/ptmx", c"/dev/ptmx"),
];

/// Makes nodes and links.
pub fn run(init: &mut Init) -> Result<()> {
    let root = init.root()?;
    let mknod_allowed = !init.plan.namespaces.has_user();
    // The mode is part of the configuration, so no mask may take bits away.
    let before = file::umask(0)?;
    for device in &init.plan.devices {
        make(root, device, mknod_allowed)?;
    }
    file::umask(before)?;
    LINKS.iter().try_for_each(|(target, path)| link(root, target, path))
}

fn make(root: BorrowedFd, device: &Device, mknod_allowed: bool) -> Result<()> {
    if !mknod_allowed && device.kind != DeviceKind::Fifo {
        return bind(root, device);
    }
    let (directory, name) = tree::entry(root, &device.path)?;
    let kind = SFlag::from_bits_truncate(device.kind as u32);
    let number = makedev(device.major.into(), device.minor.into());
    // EPERM: no CAP_MKNOD here. EEXIST: the image has something of that name; it is covered.
    let made = file::mknodat(directory.as_fd(), &name, kind, device.mode, number);
    if unless(&[Errno::EPERM, Errno::EEXIST], made)?.is_none() {
        return bind(root, device);
    }
    let node = tree::step(directory.as_fd(), &name)?;
    // In a directory that others write to, the name can be another file's by now.
    let made = check(node.as_fd(), device)?;
    let is_owner = (made.st_uid, made.st_gid) == (device.uid, device.gid);
    if is_owner { Ok(()) } else { file::fchown(node.as_fd(), device.uid, device.gid) }
}

/// Binds the host's node, once it has proved to be what its name says (CVE-2025-31133).
fn bind(root: BorrowedFd, device: &Device) -> Result<()> {
    let node = mount::open_tree(file::HERE, &device.path, OPEN_TREE_CLONE, false)?;
    check(node.as_fd(), device)?;
    let place = tree::place(root, &device.path, Kind::File)?;
    mounts::outside_proc(place.as_fd(), &device.path)?;
    mount::move_mount(node.as_fd(), place.as_fd())
}

/// Whether a descriptor is the device of these numbers; whose it is.
pub fn check(node: BorrowedFd, device: &Device) -> Result<FileStat> {
    let stat = file::fstat(node)?;
    let number = makedev(device.major.into(), device.minor.into());
    if stat.st_mode & SFlag::S_IFMT.bits() == device.kind as u32 && stat.st_rdev == number {
        return Ok(stat);
    }
    let wanted = format!("device {}:{}", device.major, device.minor);
    let found = format!("mode {:#o}, device {:#x}", stat.st_mode, stat.st_rdev);
    Err(Error::differs(format!("{:?}", device.path), wanted, found))
}

/// A link that the image already has is its own affair, but for ptmx: that one
/// decides whose terminals are opened. A real ptmx does no harm, since it opens
/// the devpts that lies beside it (Linux 4.7), and may be the host's: it stays.
fn link(root: BorrowedFd, target: &CStr, path: &CStr) -> Result<()> {
    let (directory, name): (_, CString) = tree::entry(root, path)?;
    let made = file::symlinkat(target, directory.as_fd(), &name);
    let is_new = unless(&[Errno::EEXIST], made)?.is_some();
    if is_new || path != c"/dev/ptmx" || is_ptmx(directory.as_fd(), &name)? {
        return Ok(());
    }
    file::unlinkat(directory.as_fd(), &name, false)?;
    file::symlinkat(target, directory.as_fd(), &name)
}

/// Whether this is the device 5:2 itself, and no link to anything.
fn is_ptmx(directory: BorrowedFd, name: &CStr) -> Result<bool> {
    let ptmx = Device::open_to_all((c"/dev/ptmx", 5, 2));
    Ok(check(tree::step(directory, name)?.as_fd(), &ptmx).is_ok())
}
