//! Extended attributes (xattr(7)): names and values beside a file's content.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

use super::record::record;
use crate::error::Result;

/// fsetxattr(2).
#[track_caller]
pub fn set(fd: BorrowedFd, name: &CStr, value: &[u8]) -> Result<()> {
    let (number, bytes, length) = (fd.as_raw_fd(), value.as_ptr().cast(), value.len());
    // SAFETY: the name ends with NUL, and the value is valid for its length.
    let result = unsafe { libc::fsetxattr(number, name.as_ptr(), bytes, length, 0) };
    record("fsetxattr", format_args!("{number}, {name:?}, …, {length}"), Errno::result(result))
}
