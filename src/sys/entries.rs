//! Entries of a directory, as an archive has them: links, times, attributes, holes.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FchmodatFlags, Mode};

use super::arguments::dir;
use super::file::openat;
use super::record::{again, record, record_as};
use crate::error::Result;

/// A moment as the kernel has it: seconds since 1970, and nanoseconds.
pub type Moment = (i64, i64);

/// utimensat(2): this time stays as it is.
pub const AS_IT_IS: Moment = (0, libc::UTIME_OMIT);

/// linkat(2): a second name for what `name` itself is, be it a link.
#[track_caller]
pub fn linkat(from: BorrowedFd, name: &CStr, to: BorrowedFd, new: &CStr) -> Result<()> {
    let result = nix::unistd::linkat(from, name, to, new, AtFlags::empty());
    record("linkat", format_args!("{}, {name:?}, {}, {new:?}, 0", dir(from), dir(to)), result)
}

/// renameat(2) from one directory into another.
#[track_caller]
pub fn renameat(from: BorrowedFd, name: &CStr, to: BorrowedFd, new: &CStr) -> Result<()> {
    let result = nix::fcntl::renameat(from, name, to, new);
    record("renameat", format_args!("{}, {name:?}, {}, {new:?}", dir(from), dir(to)), result)
}

/// fchmodat(2), which follows links: for what is known to be none.
#[track_caller]
pub fn fchmodat(at: BorrowedFd, name: &CStr, mode: u32) -> Result<()> {
    let bits = Mode::from_bits_retain(mode);
    let result = nix::sys::stat::fchmodat(at, name, bits, FchmodatFlags::FollowSymlink);
    record("fchmodat", format_args!("{}, {name:?}, {mode:#o}", dir(at)), result)
}

/// utimensat(2) of what `fd` itself is (`AT_EMPTY_PATH`, Linux 5.8): last access, last change.
#[track_caller]
pub fn utimens(fd: BorrowedFd, access: Moment, change: Moment) -> Result<()> {
    let times = [access, change].map(|(tv_sec, tv_nsec)| libc::timespec { tv_sec, tv_nsec });
    let (number, name) = (fd.as_raw_fd(), c"".as_ptr());
    // SAFETY: the name ends with NUL, and there are two whole timespecs.
    let result = unsafe { libc::utimensat(number, name, times.as_ptr(), libc::AT_EMPTY_PATH) };
    let args = format_args!("{number}, \"\", [{access:?}, {change:?}], AT_EMPTY_PATH");
    record("utimensat", args, Errno::result(result))
}

/// setxattr(2) of what `fd` itself is; fsetxattr(2) takes no `O_PATH`.
#[track_caller]
pub fn setxattr(fd: BorrowedFd, name: &CStr, value: &[u8]) -> Result<()> {
    let path = CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    let (bytes, length) = (value.as_ptr().cast(), value.len());
    // SAFETY: both strings end with NUL, and the value is valid for its length.
    let result = unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), bytes, length, 0) };
    record("setxattr", format_args!("{path:?}, {name:?}, …, {length}, 0"), Errno::result(result))
}

/// pwrite64(2) of all of `bytes`.
#[track_caller]
pub fn write_at(fd: BorrowedFd, mut bytes: &[u8], mut offset: u64) -> Result<()> {
    while !bytes.is_empty() {
        let at = i64::try_from(offset).unwrap_or(i64::MAX);
        let result = again(|| nix::sys::uio::pwrite(fd, bytes, at));
        let args = format_args!("{}, …, {}, {offset}", fd.as_raw_fd(), bytes.len());
        let count = record_as("pwrite64", args, result, |count| *count)?;
        bytes = &bytes[count..];
        offset += count as u64;
    }
    Ok(())
}

/// ftruncate(2): the length of a file, a hole at its end included.
#[track_caller]
pub fn ftruncate(fd: BorrowedFd, length: u64) -> Result<()> {
    let bytes = i64::try_from(length).map_err(|_| Errno::EFBIG);
    let result = bytes.and_then(|bytes| nix::unistd::ftruncate(fd, bytes));
    record("ftruncate", format_args!("{}, {length}", fd.as_raw_fd()), result)
}

/// syncfs(2): what was written to the file system of `fd` is on the disk.
#[track_caller]
pub fn syncfs(fd: BorrowedFd) -> Result<()> {
    // SAFETY: only a number is passed.
    let result = Errno::result(unsafe { libc::syncfs(fd.as_raw_fd()) });
    record("syncfs", format_args!("{}", fd.as_raw_fd()), result)
}

/// Some of the names in a directory, at most `count`: an archive may have put millions there.
#[track_caller]
pub fn some_names(at: BorrowedFd, count: usize) -> Result<Vec<CString>> {
    let directory = openat(at, c".", OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)?;
    let result = Dir::from_fd(directory).and_then(|mut entries| {
        let names = entries.iter().map(|entry| Ok(entry?.file_name().to_owned()));
        let is_dot = |name: &nix::Result<CString>| {
            name.as_ref().is_ok_and(|name| [c".", c".."].contains(&&**name))
        };
        names.filter(|name| !is_dot(name)).take(count).collect()
    });
    record_as("getdents64", format_args!("{}", at.as_raw_fd()), result, Vec::len)
}
