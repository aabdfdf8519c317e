//! What a stack of layers shows, without mounting it: the rules of overlayfs.
//!
//! The uppermost layer that has a name decides what it is. A device 0:0 says that there is
//! nothing, whatever is below; a directory is merged with those below it, unless it is opaque, or
//! something else is in between. Links lead inside the merged tree, never inside one layer.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};
use nix::sys::stat::SFlag;

use crate::error::{Error, Result, unless};
use crate::sys::{directory, file, layers};

/// As many links as the kernel follows.
const LINKS: usize = 40;

/// What a layer has under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory, which is merged with those below.
    Directory,
    /// One that hides those below.
    Opaque,
    /// Nothing, and it hides what is below.
    Whiteout,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

impl Kind {
    /// Whether there are names in it.
    pub fn is_directory(self) -> bool {
        matches!(self, Self::Directory | Self::Opaque)
    }
}

/// Opens layers, in their order.
pub fn open<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<Vec<OwnedFd>> {
    let open = |path: &Path| {
        let path = CString::new(path.as_os_str().as_encoded_bytes())?;
        directory::open(file::HERE, &path)
    };
    paths.map(open).collect()
}

/// What one layer has at this path, whose directories must be real ones in there.
pub fn look(layer: BorrowedFd, path: &CStr) -> Result<Option<(OwnedFd, Kind)>> {
    let how = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let absent = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP];
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    let Some(found) = unless(&absent, file::openat2(layer, path, how, resolve))? else {
        return Ok(None);
    };
    let stat = file::fstat(found.as_fd())?;
    let kind = match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFDIR if is_opaque(found.as_fd())? => Kind::Opaque,
        SFlag::S_IFDIR => Kind::Directory,
        SFlag::S_IFLNK => Kind::Link,
        SFlag::S_IFCHR if stat.st_rdev == 0 => Kind::Whiteout,
        _ => Kind::Other,
    };
    Ok(Some((found, kind)))
}

fn is_opaque(found: BorrowedFd) -> Result<bool> {
    // A directory that nobody may read cannot be asked; nothing in it will be found either.
    let none = [Errno::ENODATA, Errno::EOPNOTSUPP, Errno::EACCES];
    for name in [c"trusted.overlay.opaque", c"user.overlay.opaque"] {
        if unless(&none, layers::attribute(found, name))?.as_deref() == Some(b"y") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The file at `path` of the stack, the topmost layer first; links are followed. None: not there.
pub fn find(stack: &[OwnedFd], path: &str) -> Result<Option<OwnedFd>> {
    let mut to_do: Vec<String> = parts(path);
    let mut done: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(part) = to_do.pop() {
        if part == ".." {
            done.pop();
            continue;
        }
        done.push(part);
        let Some((found, kind)) = top(stack, &done.join("/"))? else { return Ok(None) };
        match kind {
            Kind::Link => {
                links += 1;
                if links > LINKS {
                    return Err(Error::config(path, "more than 40 links lead to it in the image"));
                }
                let target = file::readlinkat(found.as_fd(), c"")?.to_string_lossy().into_owned();
                if target.starts_with('/') {
                    done.clear();
                } else {
                    drop(done.pop());
                }
                to_do.extend(parts(&target));
            }
            _ if to_do.is_empty() => return Ok(Some(found)),
            kind if kind.is_directory() => {}
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The parts of a path, the first one last.
fn parts(path: &str) -> Vec<String> {
    let parts = path.split('/').rev().filter(|part| !part.is_empty() && *part != ".");
    parts.map(str::to_owned).collect()
}

/// What the stack shows at a path whose directories are real ones.
fn top(stack: &[OwnedFd], path: &str) -> Result<Option<(OwnedFd, Kind)>> {
    let name = CString::new(path)?;
    for layer in stack {
        if let Some((found, kind)) = look(layer.as_fd(), &name)? {
            return Ok((kind != Kind::Whiteout).then_some((found, kind)));
        }
        if hides(layer.as_fd(), path)? {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Whether a layer that has not this path lets nothing of it be seen from below.
fn hides(layer: BorrowedFd, path: &str) -> Result<bool> {
    for (end, _) in path.match_indices('/') {
        match look(layer, &CString::new(&path[..end])?)? {
            Some((_, Kind::Directory)) => {}
            Some(_) => return Ok(true),
            None => return Ok(false),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_from_layer_to_layer_and_what_is_hidden_is_not_found() {
        let temporary = tempfile::tempdir().unwrap();
        let path = |name: &str| temporary.path().join(name);
        for (file, text) in [
            ("low/etc/passwd", "low"),
            ("low/usr/lib/passwd", "usr"),
            ("low/var/x", "x"),
            ("top/etc/group", "top"),
            ("top/etc/y/z", ""),
        ] {
            fs::create_dir_all(path(file).parent().unwrap()).unwrap();
            fs::write(path(file), text).unwrap();
        }
        symlink("/lib/passwd", path("top/etc/link")).unwrap();
        symlink("usr/lib", path("top/lib")).unwrap();
        symlink("link", path("top/etc/loop2")).unwrap();
        symlink("loop", path("top/etc/loop")).unwrap();
        symlink("../../../../etc/passwd", path("top/etc/up")).unwrap();
        fs::write(path("top/var"), "a file hides a directory").unwrap();
        let stack =
            open([path("top"), path("low")].iter().map(std::path::PathBuf::as_path)).unwrap();
        let text = |name| {
            let found = find(&stack, name).unwrap()?;
            let proc = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&found));
            fs::read_to_string(proc).ok()
        };
        assert_eq!(text("etc/passwd").as_deref(), Some("low"));
        assert_eq!(text("/etc/group").as_deref(), Some("top"));
        assert_eq!(text("etc/link").as_deref(), Some("usr"));
        assert_eq!(text("etc/loop2").as_deref(), Some("usr"));
        assert_eq!(text("etc/up").as_deref(), Some("low"));
        for absent in ["var/x", "etc/none", "etc/passwd/x", "etc/y/z/a"] {
            assert_eq!(text(absent), None, "{absent}");
        }
        assert!(find(&stack, "etc/loop").unwrap_err().to_string().contains("links"));
    }
}
