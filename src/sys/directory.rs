//! The names in a directory.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::dir::{Dir, Entry, Type};
use nix::fcntl::OFlag;

use super::file;
use super::record::{record, record_as};
use crate::error::Result;

/// The names in an open directory, without `.` and `..` (getdents64(2)).
pub fn names(directory: BorrowedFd) -> Result<Vec<CString>> {
    let result = nix::unistd::dup(directory).and_then(|copy| list(copy, |_| true));
    record_as("getdents64", format_args!("{}", directory.as_raw_fd()), result, Vec::len)
}

/// Those of them that are directories.
pub fn directories(directory: BorrowedFd) -> Result<Vec<CString>> {
    let again = file::openat(directory, c".", OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)?;
    let result = list(again, |entry| entry.file_type() == Some(Type::Directory));
    record_as("getdents64", format_args!("{}", directory.as_raw_fd()), result, Vec::len)
}

fn list(directory: OwnedFd, wanted: fn(&Entry) -> bool) -> nix::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::from_fd(directory)?.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." && wanted(&entry) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// fchdir(2): an open directory becomes the working directory.
pub fn enter(directory: BorrowedFd) -> Result<()> {
    let result = nix::unistd::fchdir(directory);
    record("fchdir", format_args!("{}", directory.as_raw_fd()), result)
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
