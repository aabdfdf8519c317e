//! Masks: what may be seen but not written, and what may not be seen.
//!
//! /proc and /sys show more than the container's own: /proc/kcore is the
//! memory of the machine, /proc/sys its settings. A read-only path becomes a
//! mount of itself without write access; a masked file is covered by
//! /dev/null, a masked directory by an empty read-only tmpfs. The null that is
//! bound is checked to be device 1:3, since the image could have put a link
//! there (CVE-2025-31133). Last, the root itself. Side: init. Without it:
//! root inside reads the host's memory. See mount_setattr(2), proc(5);
//! config-linux.md, "Masked Paths".

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;

use super::{devices, mounts};
use crate::error::Result;
use crate::plan::Device;
use crate::sides::Init;
use crate::sys::file;
use crate::sys::mount::{self, AT_RECURSIVE, Change, MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE};
use crate::tree::{self, Kind};

/// Read-only paths, masked paths, and at last the root.
pub fn run(init: &mut Init) -> Result<()> {
    let (plan, root) = (init.plan, init.root()?);
    for path in &plan.readonly_paths {
        // A path that does not exist needs no protection; every other error counts.
        if let Some(place) = tree::find(root, path)? {
            tree::below(root, place.as_fd(), path)?;
            let copy = mount::open_tree(place.as_fd(), c"", OPEN_TREE_CLONE | AT_RECURSIVE, false)?;
            make_readonly(copy.as_fd(), true)?;
            mount::move_mount(copy.as_fd(), place.as_fd())?;
        }
    }
    mask(root, &plan.masked_paths)?;
    if plan.root.readonly {
        make_readonly(root, false)?;
    }
    Ok(())
}

fn make_readonly(mount: BorrowedFd, recursive: bool) -> Result<()> {
    mount::mount_setattr(mount, Change { set: MOUNT_ATTR_RDONLY, recursive, ..Change::default() })
}

fn mask(root: BorrowedFd, paths: &[CString]) -> Result<()> {
    let mut empty: Option<OwnedFd> = None;
    for path in paths {
        let Some(place) = tree::find(root, path)? else {
            continue;
        };
        if tree::below(root, place.as_fd(), path)? == Kind::File {
            mount::move_mount(null(root)?.as_fd(), place.as_fd())?;
            continue;
        }
        let cover = match &empty {
            None => empty_directory()?,
            // One empty tmpfs is enough for all of them.
            Some(first) => mount::open_tree(first.as_fd(), c"", OPEN_TREE_CLONE, false)?,
        };
        mount::move_mount(cover.as_fd(), place.as_fd())?;
        empty.get_or_insert(cover);
    }
    Ok(())
}

/// A mount of /dev/null that has proved to be it.
fn null(root: BorrowedFd) -> Result<OwnedFd> {
    let device = Device::open_to_all((c"/dev/null", 1, 3));
    let node = file::open_in_root(root, &device.path, OFlag::O_PATH | OFlag::O_NOFOLLOW)?;
    devices::check(node.as_fd(), &device)?;
    mount::open_tree(node.as_fd(), c"", OPEN_TREE_CLONE, false)
}

fn empty_directory() -> Result<OwnedFd> {
    let one = |key: &CStr| (key.into(), Some(c"1".into()));
    let parameters = [one(c"nr_blocks"), one(c"nr_inodes")];
    mounts::new_filesystem(c"tmpfs", c"tmpfs", &parameters, MOUNT_ATTR_RDONLY)
}
