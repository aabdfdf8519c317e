//! A tree that somebody else owns, reached by descriptor only.
//!
//! Most escapes from containers, in every runtime, are one mistake: a
//! privileged process resolves a path in the root file system, and the image
//! has put a link there. So nothing here joins path strings: the kernel
//! resolves every path with openat2(2) and RESOLVE_IN_ROOT, where `..` and
//! absolute links end at the root of the tree, and what was opened is what is
//! mounted onto, chowned or written.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::sys::stat::SFlag;

use crate::error::{Error, Result};
use crate::sys::file;

/// How many links of an image are followed before it counts as a loop (as the kernel's MAXSYMLINKS).
const MAX_LINKS: usize = 40;

/// What a place has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file, or anything else that is no directory.
    File,
}

/// Opens `path` inside `root` as a handle (O_PATH), which can be mounted onto
/// but not read. None when it does not exist.
pub fn find(root: BorrowedFd, path: &CStr) -> Result<Option<OwnedFd>> {
    match file::open_in_root(root, path, OFlag::O_PATH, 0) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Finds `path` inside `root`, or makes it with the directories it needs (mode 0755).
pub fn place(root: BorrowedFd, path: &CStr, kind: Kind) -> Result<OwnedFd> {
    if let Some(found) = find(root, path)? {
        return Ok(found);
    }
    let (directory, name) = parent(root, path)?;
    match kind {
        Kind::Directory => file::mkdirat(directory.as_fd(), &name, 0o755)?,
        Kind::File => file::mknodat(directory.as_fd(), &name, SFlag::S_IFREG, 0o644, 0)?,
    }
    step(directory.as_fd(), &name)
}

/// The directory that `path` is in, made when it is missing, and its last name.
/// A link that leads nowhere is followed: images have /etc/resolv.conf as such
/// a link, and engines mount onto it.
pub fn parent(root: BorrowedFd, path: &CStr) -> Result<(OwnedFd, CString)> {
    let mut names = components(path.to_bytes());
    let mut links = 0;
    let mut at = 0;
    let mut directory = file::open_in_root(root, c"/", OFlag::O_PATH, 0)?;
    while at < names.len() {
        let last = at + 1 == names.len();
        let here = joined(&names[..=at])?;
        if let Some(found) = find(root, &here)? {
            if last {
                return Ok((directory, names.remove(at)));
            }
            directory = found;
            at += 1;
            continue;
        }
        match file::readlinkat(directory.as_fd(), &names[at]) {
            Ok(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(loop_of_links(path));
                }
                let absolute = target.to_bytes().starts_with(b"/");
                let mut followed = if absolute { Vec::new() } else { names[..at].to_vec() };
                for name in components(target.to_bytes()) {
                    // As in the kernel's RESOLVE_IN_ROOT: `..` at the root is the root.
                    if name.as_bytes() == b".." {
                        followed.pop();
                    } else {
                        followed.push(name);
                    }
                }
                followed.extend(names.drain(at + 1..));
                names = followed;
                at = 0;
                directory = file::open_in_root(root, c"/", OFlag::O_PATH, 0)?;
            }
            Err(error) if error.is(Errno::ENOENT) && last => {
                return Ok((directory, names.remove(at)));
            }
            Err(error) if error.is(Errno::ENOENT) => {
                file::mkdirat(directory.as_fd(), &names[at], 0o755)?;
                directory = step(directory.as_fd(), &names[at])?;
                at += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Err(root_itself(path))
}

/// The directory of `path`, made when it is missing, and the last name, which is
/// not followed: a node is made under the name itself, never where a link of the
/// image says, which could be a volume of the host.
pub fn entry(root: BorrowedFd, path: &CStr) -> Result<(OwnedFd, CString)> {
    let mut names = components(path.to_bytes());
    let name = names.pop().ok_or_else(|| root_itself(path))?;
    Ok((place(root, &joined(&names)?, Kind::Directory)?, name))
}

/// Refuses a place that is the root itself: what is mounted on it would lie
/// beside `/`, where no path leads, and the root would stay as it was.
pub fn below(root: BorrowedFd, place: BorrowedFd, path: &CStr) -> Result<()> {
    let (root, place) = (file::fstat(root)?, file::fstat(place)?);
    if (root.st_dev, root.st_ino) == (place.st_dev, place.st_ino) {
        return Err(root_itself(path));
    }
    Ok(())
}

/// One name below a directory that we hold, which must not be a link.
pub fn step(directory: BorrowedFd, name: &CStr) -> Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    file::openat2(directory, name, OFlag::O_PATH | OFlag::O_NOFOLLOW, 0, resolve)
}

/// The names of a path, without empty ones and `.`.
fn components(path: &[u8]) -> Vec<CString> {
    Path::new(OsStr::from_bytes(path))
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => CString::new(name.as_bytes()).ok(),
            Component::ParentDir => Some(c"..".into()),
            _ => None,
        })
        .collect()
}

/// `/a/b/c` of its names; `/` of none.
fn joined(names: &[CString]) -> Result<CString> {
    let mut bytes = b"/".to_vec();
    for name in names {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'/');
    }
    if bytes.len() > 1 {
        bytes.pop();
    }
    Ok(CString::new(bytes)?)
}

fn root_itself(path: &CStr) -> Error {
    Error::config(path.to_string_lossy(), "names the root itself, not something below it")
}

fn loop_of_links(path: &CStr) -> Error {
    Error::config(path.to_string_lossy(), "leads through more than 40 symbolic links")
}
