//! What only those ask who keep layers: locks that several hold, and how overlayfs marks things.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

use super::record::{record, record_as};
use crate::error::Result;

/// flock(2) LOCK_SH: until the last copy of the descriptor is closed. Who wants the file alone
/// is waited for; a lock that this descriptor has for itself alone becomes a shared one.
#[track_caller]
pub fn share(fd: BorrowedFd) -> Result<()> {
    let fd = fd.as_raw_fd();
    // SAFETY: only numbers are passed.
    let result = unsafe { libc::flock(fd, libc::LOCK_SH) };
    record("flock", format_args!("{fd}, LOCK_SH"), Errno::result(result))
}

/// fgetxattr(2) of one letter; ENODATA where there is none.
#[track_caller]
pub fn letter(fd: BorrowedFd, name: &CStr) -> Result<u8> {
    let (fd, mut value) = (fd.as_raw_fd(), [0_u8; 1]);
    let into = value.as_mut_ptr().cast();
    // SAFETY: the name ends with NUL, and there is room for the one byte.
    let result = unsafe { libc::fgetxattr(fd, name.as_ptr(), into, 1) };
    let result = Errno::result(result).map(|_| value[0]);
    record_as("fgetxattr", format_args!("{fd}, {name:?}, …, 1"), result, |letter| *letter)
}
