//! Removing a tree that somebody else has made.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use crate::error::{Result, unless};
use crate::sys::{directory, entries, file};

/// How many names are held at a time.
const SOME: usize = 1024;

/// Removes all that is in a directory, however much and however deeply nested: with three
/// descriptors, since what a directory holds comes up before it is removed.
pub fn empty(directory: BorrowedFd) -> Result<()> {
    let mut number = 0;
    loop {
        let names = entries::some_names(directory, SOME)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            if !is_removed(directory, &name)? {
                lift(directory, &name, &mut number)?;
            }
        }
    }
}

/// Removes `name` with all that is below it; nothing is there is no error.
pub fn tree(at: BorrowedFd, name: &CStr) -> Result<()> {
    if is_removed(at, name)? {
        return Ok(());
    }
    entries::fchmodat(at, name, 0o700)?;
    empty(directory::open(at, name)?.as_fd())?;
    file::remove(at, name, true).map(drop)
}

/// False where it is a directory that holds something.
fn is_removed(at: BorrowedFd, name: &CStr) -> Result<bool> {
    // EPERM is POSIX's word for a directory.
    if unless(&[Errno::EISDIR, Errno::EPERM], file::remove(at, name, false))?.is_some() {
        return Ok(true);
    }
    let full = [Errno::ENOTEMPTY, Errno::EEXIST];
    Ok(unless(&full, file::remove(at, name, true))?.is_some())
}

/// Moves what the directory `name` holds beside it, and removes it.
fn lift(at: BorrowedFd, name: &CStr, number: &mut u64) -> Result<()> {
    entries::fchmodat(at, name, 0o700)?;
    let inner = directory::open(at, name)?;
    loop {
        let names = entries::some_names(inner.as_fd(), SOME)?;
        if names.is_empty() {
            return file::remove(at, name, true).map(drop);
        }
        for name in names {
            if !is_removed(inner.as_fd(), &name)? {
                // A directory that changes its parent is written to itself: its `..` changes.
                entries::fchmodat(inner.as_fd(), &name, 0o700)?;
                rename_up(inner.as_fd(), &name, at, number)?;
            }
        }
    }
}

/// To the first number that is free.
fn rename_up(from: BorrowedFd, name: &CStr, to: BorrowedFd, number: &mut u64) -> Result<()> {
    loop {
        *number += 1;
        let new = CString::new(number.to_string())?;
        let taken = [Errno::EEXIST, Errno::ENOTEMPTY, Errno::ENOTDIR];
        if unless(&taken, entries::renameat(from, name, to, &new))?.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_tree_deeper_than_descriptors_and_paths_go_is_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let top = fs::File::open(temporary.path()).unwrap();
        let mut place = directory::open(top.as_fd(), c".").unwrap();
        for depth in 0..3000 {
            for name in [c"file", c"1", c"empty"] {
                let how = nix::fcntl::OFlag::O_CREAT;
                if name == c"empty" {
                    file::mkdirat(place.as_fd(), name, 0o700).unwrap();
                } else {
                    file::openat(place.as_fd(), name, how, 0o600).unwrap();
                }
            }
            file::mkdirat(place.as_fd(), c"deep", 0o700).unwrap();
            let next = directory::open(place.as_fd(), c"deep").unwrap();
            if depth % 2 == 1 {
                file::fchmod(place.as_fd(), 0).unwrap();
            }
            place = next;
        }
        empty(top.as_fd()).unwrap();
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    }

    #[test]
    fn links_are_not_followed_and_closed_directories_are_opened() {
        let temporary = tempfile::tempdir().unwrap();
        let path = |name: &str| temporary.path().join(name);
        fs::create_dir_all(path("victim")).unwrap();
        fs::write(path("victim/file"), "x").unwrap();
        fs::create_dir_all(path("tree/closed/below")).unwrap();
        fs::write(path("tree/closed/below/file"), "x").unwrap();
        std::os::unix::fs::symlink(path("victim"), path("tree/link")).unwrap();
        std::os::unix::fs::symlink(path("victim"), path("tree/closed/link")).unwrap();
        for name in ["tree/closed/below", "tree/closed", "tree"] {
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o0)).unwrap();
        }
        let top = fs::File::open(temporary.path()).unwrap();
        tree(top.as_fd(), c"tree").unwrap();
        tree(top.as_fd(), c"nothing").unwrap();
        assert!(!path("tree").exists() && path("victim/file").exists());
    }
}
