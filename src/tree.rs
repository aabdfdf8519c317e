//! A tree that somebody else owns, reached by descriptor only.
//!
//! Most escapes from containers, in every runtime, are one mistake: a
//! privileged process resolves a path in the root file system, and the image
//! has put a link there. So nothing here joins path strings: the kernel
//! resolves every path with openat2(2) and RESOLVE_IN_ROOT, where `..` and
//! absolute links end at the root of the tree, and what was opened is what is
//! mounted onto, chowned or written.

use std::collections::VecDeque;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::sys::stat::{FileStat, SFlag};

use crate::error::{Error, Result, ensure, unless};
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

impl Kind {
    /// What was opened.
    pub fn of(stat: &FileStat) -> Self {
        let is_directory = stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits();
        if is_directory { Self::Directory } else { Self::File }
    }
}

/// Opens `path` inside `root` as a handle (O_PATH), which can be mounted onto
/// but not read. None when it does not exist.
pub fn find(root: BorrowedFd, path: &CStr) -> Result<Option<OwnedFd>> {
    unless(&[Errno::ENOENT], file::open_in_root(root, path, OFlag::O_PATH))
}

/// Finds `path` inside `root`, or makes it with the directories it needs (mode 0755).
/// A link that leads nowhere is followed: images have /etc/resolv.conf as such
/// a link, and engines mount onto it.
pub fn place(root: BorrowedFd, path: &CStr, kind: Kind) -> Result<OwnedFd> {
    if let Some(found) = find(root, path)? {
        return Ok(found);
    }
    let mut links = 0;
    let mut names = names(path);
    let mut way = PathBuf::from("/");
    let mut place: Option<OwnedFd> = None;
    while let Some(name) = names.pop_front() {
        // `/`, where a path begins, leads back to the root, and `..` at the root stays there.
        way.push(&name);
        if let Some(found) = find(root, &c_string(&way)?)? {
            place = Some(found);
            continue;
        }
        let (directory, name) = (place.as_ref().map_or(root, AsFd::as_fd), c_string(&name)?);
        match unless(&[Errno::ENOENT], file::readlinkat(directory, &name))? {
            Some(_) if links == MAX_LINKS => {
                let problem = "leads through more than 40 symbolic links";
                return Err(Error::config(path.to_string_lossy(), problem));
            }
            Some(target) => {
                links += 1;
                way.pop();
                names = self::names(&target).into_iter().chain(names).collect();
            }
            None => {
                let kind = if names.is_empty() { kind } else { Kind::Directory };
                place = Some(make(directory, &name, kind)?);
            }
        }
    }
    place.ok_or_else(|| root_itself(path))
}

fn make(directory: BorrowedFd, name: &CStr, kind: Kind) -> Result<OwnedFd> {
    match kind {
        Kind::Directory => file::mkdirat(directory, name, 0o755)?,
        Kind::File => file::mknodat(directory, name, SFlag::S_IFREG, 0o644, 0)?,
    }
    step(directory, name)
}

/// The directory of `path`, made when it is missing, and the last name, which is
/// not followed: a node is made under the name itself, never where a link of the
/// image says, which could be a volume of the host.
pub fn entry(root: BorrowedFd, path: &CStr) -> Result<(OwnedFd, CString)> {
    let (parent, name) = (as_path(path).parent(), as_path(path).file_name());
    let (Some(parent), Some(name)) = (parent, name) else {
        return Err(root_itself(path));
    };
    Ok((place(root, &c_string(parent)?, Kind::Directory)?, c_string(name)?))
}

/// Refuses a place that is the root itself: what is mounted on it would lie
/// beside `/`, where no path leads, and the root would stay as it was. What it is instead.
pub fn below(root: BorrowedFd, place: BorrowedFd, path: &CStr) -> Result<Kind> {
    let (root, place) = (file::fstat(root)?, file::fstat(place)?);
    let is_root = (root.st_dev, root.st_ino) == (place.st_dev, place.st_ino);
    ensure(!is_root, || root_itself(path))?;
    Ok(Kind::of(&place))
}

/// One name below a directory that we hold, which must not be a link.
pub fn step(directory: BorrowedFd, name: &CStr) -> Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    file::openat2(directory, name, OFlag::O_PATH | OFlag::O_NOFOLLOW, resolve)
}

/// The names of a path, `/` and `..` among them.
fn names(path: &CStr) -> VecDeque<OsString> {
    as_path(path).components().map(|name| name.as_os_str().to_owned()).collect()
}

/// The same as a path of the standard library.
pub fn as_path(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

fn c_string(path: impl AsRef<OsStr>) -> Result<CString> {
    Ok(CString::new(path.as_ref().as_bytes())?)
}

fn root_itself(path: &CStr) -> Error {
    Error::config(path.to_string_lossy(), "names the root itself, not something below it")
}
