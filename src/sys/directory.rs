//! The names in a directory.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::dir::{Dir, Entry, Type};
use nix::fcntl::OFlag;

use super::file;
use super::record::{record, record_as};
use crate::error::Result;

/// Opens a directory, to be read, which is no link.
#[track_caller]
pub fn open(at: BorrowedFd, name: &CStr) -> Result<OwnedFd> {
    file::openat(at, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW, 0)
}

/// The names in an open directory, without `.` and `..` (getdents64(2)).
#[track_caller]
pub fn names(directory: BorrowedFd) -> Result<Vec<CString>> {
    list(directory, |_| true)
}

/// Those of them that are directories.
#[track_caller]
pub fn directories(directory: BorrowedFd) -> Result<Vec<CString>> {
    list(directory, |entry| entry.file_type() == Some(Type::Directory))
}

/// Opened anew: a position in the list belongs to a descriptor and its copies.
#[track_caller]
fn list(directory: BorrowedFd, wanted: fn(&Entry) -> bool) -> Result<Vec<CString>> {
    let kept = |entry: &Entry| ![c".", c".."].contains(&entry.file_name()) && wanted(entry);
    let result = Dir::from_fd(open(directory, c".")?).and_then(|mut entries| {
        let entries = entries.iter().filter(|entry| entry.as_ref().map_or(true, kept));
        entries.map(|entry| Ok(entry?.file_name().to_owned())).collect()
    });
    record_as("getdents64", format_args!("{}", directory.as_raw_fd()), result, Vec::len)
}

/// fchdir(2): an open directory becomes the working directory.
#[track_caller]
pub fn enter(directory: BorrowedFd) -> Result<()> {
    record("fchdir", format_args!("{}", directory.as_raw_fd()), nix::unistd::fchdir(directory))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn only_directories_are_listed() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::create_dir(temporary.path().join("inner")).unwrap();
        std::fs::write(temporary.path().join("file"), "").unwrap();
        let dir = std::fs::File::open(temporary.path()).unwrap();
        assert_eq!(directories(dir.as_fd()), Ok(vec![c"inner".to_owned()]));
    }
}
