//! The names in a directory.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::dir::Dir;

use super::record;
use crate::error::Result;

/// The names in an open directory, without `.` and `..` (getdents64(2)).
pub fn names(directory: BorrowedFd) -> Result<Vec<CString>> {
    let result = list(directory);
    let mut found = Vec::new();
    let count = result.map(|names| {
        found = names;
        found.len()
    });
    record("getdents64", format_args!("{}", directory.as_raw_fd()), count)?;
    Ok(found)
}

fn list(directory: BorrowedFd) -> nix::Result<Vec<CString>> {
    let copy = nix::unistd::dup(directory)?;
    let mut names = Vec::new();
    for entry in Dir::from_fd(copy)?.iter() {
        let name = entry?.file_name().to_owned();
        if !matches!(name.as_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

/// fchdir(2): an open directory becomes the working directory.
pub fn enter(directory: BorrowedFd) -> Result<()> {
    let result = nix::unistd::fchdir(directory);
    record("fchdir", format_args!("{}", directory.as_raw_fd()), result)
}
