//! What only those ask who keep layers: locks that several hold, and how overlayfs marks things.

use std::ffi::{CStr, CString};
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

/// getxattr(2) of what `fd` itself is; ENODATA where there is none of this name.
#[track_caller]
pub fn attribute(fd: BorrowedFd, name: &CStr) -> Result<Vec<u8>> {
    let path = CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    // SAFETY: both strings end with NUL, and there is room for as many bytes as it says.
    let ask = |into, size| unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), into, size) };
    record_as("getxattr", format_args!("{path:?}, {name:?}, …, …"), whole(ask), Vec::len)
}

/// listxattr(2) of what `fd` itself is: the names of its attributes, sorted.
#[track_caller]
pub fn attributes(fd: BorrowedFd) -> Result<Vec<CString>> {
    let path = CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    // SAFETY: the string ends with NUL, and there is room for as many bytes as it says.
    let ask = |into: *mut libc::c_void, size| unsafe {
        libc::listxattr(path.as_ptr(), into.cast(), size)
    };
    let result = whole(ask).map(|names| {
        let names = names.split_inclusive(|byte| *byte == 0);
        let mut names: Vec<_> = names
            .filter_map(|name| Some(CStr::from_bytes_with_nul(name).ok()?.to_owned()))
            .collect();
        names.sort();
        names
    });
    record_as("listxattr", format_args!("{path:?}, …, …"), result, Vec::len)
}

/// All that a call has to say which, given no room, tells how much it needs.
fn whole(ask: impl Fn(*mut libc::c_void, usize) -> isize) -> nix::Result<Vec<u8>> {
    let length = Errno::result(ask(std::ptr::null_mut(), 0))?;
    let mut bytes = vec![0; length.unsigned_abs()];
    if !bytes.is_empty() {
        let length = Errno::result(ask(bytes.as_mut_ptr().cast(), bytes.len()))?;
        bytes.truncate(length.unsigned_abs());
    }
    Ok(bytes)
}
