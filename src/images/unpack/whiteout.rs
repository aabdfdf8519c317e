//! Whiteouts: what a layer hides of the layers below it.
//!
//! An image says it with file names, overlayfs with a device and an attribute
//! (<https://docs.kernel.org/filesystems/overlayfs.html>).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;

use super::member::wrong;
use crate::error::{Result, ensure, unless};
use crate::images::Whiteouts;
use crate::sys::{entries, file};

/// `.wh.NAME`
const PREFIX: &[u8] = b".wh.";

/// Everything below the directory is hidden.
const OPAQUE: &CStr = c".wh..wh..opq";

/// Whether the name speaks of layers below.
pub fn is_one(whiteouts: Whiteouts, name: &CStr) -> bool {
    whiteouts != Whiteouts::No && name.to_bytes().starts_with(PREFIX)
}

/// Hides what it says, in the directory `at`.
pub fn put(whiteouts: Whiteouts, at: BorrowedFd, name: &CStr) -> Result<()> {
    if name == OPAQUE {
        return opaque(whiteouts, at);
    }
    let hidden = &name.to_bytes()[PREFIX.len()..];
    if hidden.starts_with(PREFIX) {
        // What aufs kept for itself.
        return Ok(());
    }
    ensure(!matches!(hidden, [] | b"." | b".."), || wrong("hides nothing that has a name"))?;
    let hidden = CString::new(hidden)?;
    let made = file::mknodat(at, &hidden, SFlag::S_IFCHR, 0, 0);
    if unless(&[Errno::EEXIST], made)?.is_some() {
        return Ok(());
    }
    // This layer has something of that name itself: a file hides what is below, a directory has to be told.
    let how = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY;
    match unless(&[Errno::ENOTDIR, Errno::ELOOP], file::openat(at, &hidden, how, 0))? {
        Some(directory) => opaque(whiteouts, directory.as_fd()),
        None => Ok(()),
    }
}

/// Whether there is a whiteout at `name`: a character device 0:0.
pub fn hides(whiteouts: Whiteouts, at: BorrowedFd, name: &CStr) -> Result<bool> {
    if whiteouts == Whiteouts::No {
        return Ok(false);
    }
    let there = file::openat(at, name, OFlag::O_PATH | OFlag::O_NOFOLLOW, 0)?;
    let stat = file::fstat(there.as_fd())?;
    let is_device = stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFCHR.bits();
    Ok(is_device && stat.st_rdev == 0)
}

/// Lets a directory hide all that is below it.
pub fn opaque(whiteouts: Whiteouts, directory: BorrowedFd) -> Result<()> {
    let name = match whiteouts {
        Whiteouts::Overlay { user_xattr: true } => c"user.overlay.opaque",
        _ => c"trusted.overlay.opaque",
    };
    entries::setxattr(directory, name, b"y")
}
