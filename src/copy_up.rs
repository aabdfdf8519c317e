//! tmpcopyup: a new tmpfs starts with what its mount point held.
//!
//! Descriptor by descriptor: no path is built, no link is followed, and what
//! is copied comes from inside the root only.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, SFlag};

use crate::error::{Error, Result, ensure};
use crate::sys::{directory, file};

/// How deep a tree may be: an image can nest directories without end.
const MAX_DEPTH: usize = 64;

/// Copies what the directory `place` holds into the detached mount `to`, which
/// becomes like it unless it has owner and mode of its own.
pub fn copy(place: BorrowedFd, to: BorrowedFd, own_mode: bool) -> Result<()> {
    let from = directory::open(place, c".")?;
    let target = directory::open(to, c".")?;
    if !own_mode {
        like(target.as_fd(), &file::fstat(from.as_fd())?)?;
    }
    copy_directory(from.as_fd(), &target, MAX_DEPTH)
}

fn copy_directory(from: BorrowedFd, to: &OwnedFd, depth: usize) -> Result<()> {
    let too_deep = || Error::config("tmpcopyup", "the directory is nested more than 64 deep");
    ensure(depth > 0, too_deep)?;
    for name in directory::names(from)? {
        let entry = file::openat(from, &name, OFlag::O_PATH | OFlag::O_NOFOLLOW, 0)?;
        let stat = file::fstat(entry.as_fd())?;
        match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFDIR => {
                file::mkdirat(to.as_fd(), &name, 0o700)?;
                let below = directory::open(from, &name)?;
                let target = directory::open(to.as_fd(), &name)?;
                copy_directory(below.as_fd(), &target, depth - 1)?;
                like(target.as_fd(), &stat)?;
            }
            SFlag::S_IFLNK => {
                let target = file::readlinkat(entry.as_fd(), c"")?;
                file::symlinkat(&target, to.as_fd(), &name)?;
                let link = file::openat(to.as_fd(), &name, OFlag::O_PATH | OFlag::O_NOFOLLOW, 0)?;
                file::fchown(link.as_fd(), stat.st_uid, stat.st_gid)?;
            }
            SFlag::S_IFREG => copy_file(from, to.as_fd(), &name, &stat)?,
            // Sockets, fifos and devices have no content to copy.
            _ => {}
        }
    }
    Ok(())
}

fn copy_file(from: BorrowedFd, to: BorrowedFd, name: &CStr, stat: &FileStat) -> Result<()> {
    // O_NONBLOCK: exchanged for a fifo meanwhile, it would keep us waiting for ever.
    let how = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let source = file::openat(from, name, how, 0)?;
    let how = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
    let mut target = File::from(file::openat(to, name, how, 0o600)?);
    std::io::copy(&mut File::from(source), &mut target).map_err(|error| Error::Call {
        name: "copy_file_range".into(),
        args: format!("{name:?}"),
        errno: error.raw_os_error().unwrap_or(Errno::EIO as i32),
    })?;
    // After the content: without CAP_FSETID on the host, writing takes set-id bits away.
    like(target.as_fd(), stat)
}

/// Owner first: a change of owner takes set-id bits away.
fn like(target: BorrowedFd, stat: &FileStat) -> Result<()> {
    file::fchown(target, stat.st_uid, stat.st_gid)?;
    file::fchmod(target, stat.st_mode & 0o7777)
}
