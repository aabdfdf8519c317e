//! Overlay: the root is layers that stay as they are, and what is changed.
//!
//! overlayfs shows several directories as one. What is written goes into the
//! upper one, a file of a layer is copied there when it is first changed, and
//! a device 0:0 there says that a name is gone. So a hundred containers share
//! one tree, and none of them spoils it. The upper directory is in memory and
//! ends with the container, or is kept. Layers are opened first and named by
//! their descriptors, since fsconfig(2) takes 256 bytes. Side: init. Without
//! it: the container would write into the image. See mount(8), "overlay";
//! xattr(7); the kernel's Documentation/filesystems/overlayfs.rst.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::mounts::new_filesystem;
use crate::copy_up;
use crate::error::{Error, Result, ensure, unless};
use crate::plan::Overlay;
use crate::sides::{Init, needed};
use crate::state::files::start_time;
use crate::sys::file::{self, HERE, PLACE};
use crate::sys::mount::{self, AT_RECURSIVE, OPEN_TREE_CLONE};
use crate::sys::{directory, xattr};

/// fsconfig(2) takes values of at most 255 bytes.
const LONGEST: usize = 255;

/// Puts the merged tree onto the root.
pub fn run(init: &mut Init) -> Result<()> {
    let plan = init.plan;
    let overlay = needed(plan.overlay.as_ref(), "the layers")?;
    let open = |path: &CString| file::openat(HERE, path, PLACE, 0);
    let lower = overlay.lower.iter().map(open).collect::<Result<Vec<_>>>()?;
    let changes = match &overlay.upper {
        Some(path) => kept(init, path)?,
        None => in_memory(init, overlay)?,
    };
    let root = if overlay.copies {
        copied(&lower[0], changes.as_fd(), overlay.upper.is_some())?
    } else {
        merged(init, overlay, &lower, changes.as_fd())?
    };
    mount::move_mount(root.as_fd(), init.root()?)?;
    init.root = Some(root);
    Ok(())
}

/// A tmpfs, which has to be mounted to be a part of an overlay: on the root, which will cover it.
fn in_memory(init: &mut Init, overlay: &Overlay) -> Result<OwnedFd> {
    let mut parameters = vec![(c"mode".into(), Some(c"0755".into()))];
    parameters.extend(label(overlay));
    let memory = new_filesystem(c"tmpfs", c"changes", &parameters, 0)?;
    mount::move_mount(memory.as_fd(), init.root()?)?;
    let changes = file::openat(memory.as_fd(), c".", PLACE, 0)?;
    init.root = Some(memory);
    Ok(changes)
}

/// The directory that somebody wants to keep, once it is ours alone: the kernel would let two
/// containers write into it, and what comes out of that is undefined. The lock holds until our
/// number and start are written down; it ends with our descriptors, but we go on as the program.
fn kept(init: &Init, path: &CStr) -> Result<OwnedFd> {
    let changes = file::openat(HERE, path, PLACE, 0)?;
    let how = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW;
    let owner = file::openat(changes.as_fd(), c"owner", how, 0o600)?;
    let in_use = |by: &str| Error::config(format!("{path:?}"), format!("is in use by {by}"));
    unless(&[Errno::EWOULDBLOCK], file::flock(owner.as_fd(), false))?
        .ok_or_else(|| in_use("another jec"))?;
    let text = file::read_all(&owner, c"owner", 64)?;
    let mut words = text.split_whitespace();
    let before = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let start = words.next().and_then(|word| word.parse().ok());
    let lives = start.is_some() && start_time(init.proc.as_fd(), before) == start;
    ensure(!lives, || in_use(&format!("a container, whose process 1 is {before}")))?;
    // The host's /proc knows us by the number that we have there.
    let number = file::readlinkat(init.proc.as_fd(), c"self")?.to_string_lossy().into_owned();
    let start = number.parse().ok().and_then(|pid| start_time(init.proc.as_fd(), pid));
    let how = OFlag::O_WRONLY | OFlag::O_TRUNC | OFlag::O_NOFOLLOW;
    let new = file::openat(changes.as_fd(), c"owner", how, 0)?;
    file::write(new.as_fd(), format!("{number} {}\n", start.unwrap_or(0)).as_bytes())?;
    Ok(changes)
}

/// The overlay, not mounted yet. The names of its parts are numbers of descriptors, which are
/// looked up where the kernel lists those.
fn merged(
    init: &Init,
    overlay: &Overlay,
    lower: &[OwnedFd],
    changes: BorrowedFd,
) -> Result<OwnedFd> {
    let top = lower.first().map(AsFd::as_fd);
    let (upper, work) = (part(changes, c"upper", top)?, part(changes, c"work", None)?);
    let mut parameters = lower_parameters(lower)?;
    parameters.push((c"upperdir".into(), Some(number(&upper)?)));
    parameters.push((c"workdir".into(), Some(number(&work)?)));
    if attributes_are_the_users(work.as_fd())? {
        parameters.push((c"userxattr".into(), None));
    }
    parameters.extend(label(overlay));
    directory::enter(file::openat(init.proc.as_fd(), c"self/fd", PLACE, 0)?.as_fd())?;
    let merged = new_filesystem(c"overlay", c"overlay", &parameters, 0);
    directory::enter(init.root()?)?;
    merged
}

/// A directory of `changes`, made where it is missing; like another one, if there is one.
fn part(changes: BorrowedFd, name: &CStr, like: Option<BorrowedFd>) -> Result<OwnedFd> {
    let is_new = unless(&[Errno::EEXIST], file::mkdirat(changes, name, 0o700))?.is_some();
    let part = directory::open(changes, name)?;
    if let Some(like) = like.filter(|_| is_new) {
        let stat = file::fstat(like)?;
        // Somebody who has no name inside cannot be given anything.
        unless(
            &[Errno::EINVAL, Errno::EPERM],
            file::fchown(part.as_fd(), stat.st_uid, stat.st_gid),
        )?;
        file::fchmod(part.as_fd(), stat.st_mode & 0o7777)?;
    }
    Ok(part)
}

/// All layers as one value; where they are too many for that, one by one (Linux 6.7).
fn lower_parameters(lower: &[OwnedFd]) -> Result<Vec<(CString, Option<CString>)>> {
    let names: Vec<_> = lower.iter().map(|layer| layer.as_raw_fd().to_string()).collect();
    let together = names.iter().fold(String::new(), |all, name| all + ":" + name);
    if together.len() <= LONGEST {
        return Ok(vec![(c"lowerdir".into(), Some(CString::new(&together[1..])?))]);
    }
    names.into_iter().map(|name| Ok((c"lowerdir+".into(), Some(CString::new(name)?)))).collect()
}

fn number(directory: &OwnedFd) -> Result<CString> {
    Ok(CString::new(directory.as_raw_fd().to_string())?)
}

fn label(overlay: &Overlay) -> Option<(CString, Option<CString>)> {
    overlay.label.clone().map(|label| (c"context".into(), Some(label)))
}

/// Where the overlay notes what it has to know of a directory: in attributes that only root of
/// the host may set, or (`userxattr`) in those that everybody may. Without either, a directory
/// that is removed or exchanged would end in EIO.
fn attributes_are_the_users(work: BorrowedFd) -> Result<bool> {
    if unless(&[Errno::EPERM], xattr::set(work, c"trusted.jec", b""))?.is_some() {
        return Ok(false);
    }
    xattr::set(work, c"user.jec", b"").map(|()| true)
}

/// Instead of an overlay: a copy of the one layer, made once where it is kept.
fn copied(layer: &OwnedFd, changes: BorrowedFd, is_kept: bool) -> Result<OwnedFd> {
    if !is_kept {
        copy_up::copy(layer.as_fd(), changes, false)?;
    } else if unless(&[Errno::ENOENT], directory::open(changes, c"root"))?.is_none() {
        file::mkdirat(changes, c"root.partial", 0o700)?;
        let partial = directory::open(changes, c"root.partial")?;
        copy_up::copy(layer.as_fd(), partial.as_fd(), false)?;
        file::renameat(changes, c"root.partial", c"root")?;
    }
    let name = if is_kept { c"root" } else { c"." };
    mount::open_tree(changes, name, OPEN_TREE_CLONE | AT_RECURSIVE, true)
}
