//! What a container has changed: the tree that it sees, beside that of its layers.
//!
//! Both are stacks of directories, merged by the rules of overlayfs: the layers, and either the
//! kept changes on top of them or, where those are in memory, the root that the container has
//! right now. What was touched and is as before counts as unchanged.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::sys::stat::FileStat;

use super::merged::{self, Kind};
use super::unpack::dress;
use crate::error::{Error, Result, ensure, unless};
use crate::sys::{directory, file, layers};

/// How deep a tree may be: a container can nest directories without end.
const DEPTH: usize = 256;

/// A path that differs.
pub struct Change<'c> {
    /// `A`dded, `C`hanged or `D`eleted.
    pub letter: char,
    /// Below the root, without a slash at the beginning.
    pub path: &'c CStr,
    /// What is there now, as `O_PATH`; none where it is gone.
    pub now: Option<&'c OwnedFd>,
}

/// Tells of each change, in the order of the paths; a directory comes before what is in it.
pub fn walk(
    old: &[OwnedFd],
    new: &[OwnedFd],
    told: &mut dyn FnMut(&Change) -> Result<()>,
) -> Result<()> {
    below(c"", old, new, (told, DEPTH))
}

/// Who is told, and how deep to go.
type Told<'t> = (&'t mut dyn FnMut(&Change) -> Result<()>, usize);

fn below(path: &CStr, old: &[OwnedFd], new: &[OwnedFd], (told, depth): Told) -> Result<()> {
    let too_deep = || Error::config(path.to_string_lossy(), "is nested more than 256 deep");
    ensure(depth > 0, too_deep)?;
    let mut names = BTreeSet::new();
    for directory in old.iter().chain(new) {
        names.extend(directory::names(directory.as_fd())?);
    }
    for name in names {
        let (Some(before), Some(now)) = (find(old, &name)?, find(new, &name)?) else { continue };
        let path = join(path, &name)?;
        let (was, is) = (before.first(), now.first());
        let letter = match (was, is) {
            (Some(was), Some(is)) if differ(was, is)? => Some('C'),
            (None, Some(_)) => Some('A'),
            (Some(_), None) => Some('D'),
            _ => None,
        };
        if let Some(letter) = letter {
            told(&Change { letter, path: &path, now: is.map(|(found, _)| found) })?;
        }
        let (before, now) = (directories(&before)?, directories(&now)?);
        if !now.is_empty() {
            below(&path, &before, &now, (&mut *told, depth - 1))?;
        }
    }
    Ok(())
}

fn join(path: &CStr, name: &CStr) -> Result<CString> {
    let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
    Ok(CString::new([path.to_bytes(), slash, name.to_bytes()].concat())?)
}

/// What a stack shows under this name: one thing, or a directory and those that it is merged with;
/// empty where there is nothing. None: something is mounted here, which belongs to nobody's changes.
fn find(stack: &[OwnedFd], name: &CStr) -> Result<Option<Vec<(OwnedFd, Kind)>>> {
    let mut found = Vec::new();
    for layer in stack {
        if is_mount_point(layer, name)? {
            return Ok(None);
        }
        match merged::look(layer.as_fd(), name)? {
            None => {}
            Some((_, Kind::Whiteout)) => break,
            Some((opened, kind @ Kind::Directory)) => found.push((opened, kind)),
            // An opaque directory is the last one; anything else hides, and is hidden by one.
            Some((opened, kind)) => {
                if kind == Kind::Opaque || found.is_empty() {
                    found.push((opened, kind));
                }
                break;
            }
        }
    }
    Ok(Some(found))
}

fn is_mount_point(layer: &OwnedFd, name: &CStr) -> Result<bool> {
    let resolve = ResolveFlag::RESOLVE_NO_XDEV | ResolveFlag::RESOLVE_NO_SYMLINKS;
    let how = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    match file::openat2(layer.as_fd(), name, how, resolve) {
        Err(error) if error.is(Errno::EXDEV) => Ok(true),
        other => unless(&[Errno::ENOENT, Errno::ELOOP], other).map(|_| false),
    }
}

/// Opened to be read: those of them that are directories.
fn directories(found: &[(OwnedFd, Kind)]) -> Result<Vec<OwnedFd>> {
    let all = found.iter().filter(|(_, kind)| kind.is_directory());
    all.map(|(opened, _)| directory::open(opened.as_fd(), c".")).collect()
}

/// Whether a file is another one than before. The size of a directory is its file system's affair.
fn differ((was, before): &(OwnedFd, Kind), (is, now): &(OwnedFd, Kind)) -> Result<bool> {
    let (old, new) = (file::fstat(was.as_fd())?, file::fstat(is.as_fd())?);
    let size = |stat: &FileStat| if before.is_directory() { 0 } else { stat.st_size };
    let facts = |stat: &FileStat| {
        let owner = (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev);
        (owner, size(stat), stat.st_mtime, stat.st_mtime_nsec)
    };
    if facts(&old) != facts(&new) {
        return Ok(true);
    }
    let are_links = *before == Kind::Link && *now == Kind::Link;
    let target = |link: &OwnedFd| file::readlinkat(link.as_fd(), c"");
    Ok(are_links && target(was)? != target(is)? || attributes(was)? != attributes(is)?)
}

/// The extended attributes that are the file's own, and not those by which overlayfs remembers.
pub fn attributes(of: &OwnedFd) -> Result<Vec<(CString, Vec<u8>)>> {
    let none = [Errno::ENODATA, Errno::EOPNOTSUPP, Errno::EACCES, Errno::EPERM];
    let mut found = Vec::new();
    for name in unless(&none, layers::attributes(of.as_fd()))?.unwrap_or_default() {
        if dress::is_the_files(name.to_bytes())
            && let Some(value) = unless(&none, layers::attribute(of.as_fd(), &name))?
        {
            found.push((name, for_any_root(value)));
        }
    }
    Ok(found)
}

/// File capabilities that are those of one user namespace name its root behind 20 bytes, and have
/// revision 3 (capabilities(7)); where the layer is unpacked, they are those of whoever is root.
fn for_any_root(mut value: Vec<u8>) -> Vec<u8> {
    if value.len() == 24 && value[3] == 3 {
        value[3] = 2;
        value.truncate(20);
    }
    value
}
