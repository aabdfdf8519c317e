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

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;

use super::{devices, mounts};
use crate::error::Result;
use crate::plan::{Attributes, Device, DeviceKind};
use crate::sides::Init;
use crate::sys::file;
use crate::sys::mount::{self, AT_RECURSIVE, Change, MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE};
use crate::tree;

const READ_ONLY: Change<'static> = Change {
    set: MOUNT_ATTR_RDONLY,
    clear: 0,
    propagation: 0,
    user_namespace: None,
    recursive: false,
};

/// Read-only paths, masked paths, and at last the root.
pub fn run(init: &mut Init) -> Result<()> {
    let plan = init.plan;
    let root = init.root()?;
    for path in &plan.readonly_paths {
        make_readonly(root, path)?;
    }
    mask(root, &plan.masked_paths)?;
    if plan.root.readonly {
        mount::mount_setattr(root, READ_ONLY)?;
    }
    Ok(())
}

/// A path that does not exist needs no protection; every other error counts.
fn make_readonly(root: BorrowedFd, path: &CStr) -> Result<()> {
    let Some(place) = tree::find(root, path)? else {
        return Ok(());
    };
    tree::below(root, place.as_fd(), path)?;
    let copy = mount::open_tree(place.as_fd(), c"", OPEN_TREE_CLONE | AT_RECURSIVE, false)?;
    mount::mount_setattr(copy.as_fd(), Change { recursive: true, ..READ_ONLY })?;
    mount::move_mount(copy.as_fd(), place.as_fd())
}

fn mask(root: BorrowedFd, paths: &[std::ffi::CString]) -> Result<()> {
    let mut empty: Option<OwnedFd> = None;
    for path in paths {
        let Some(place) = tree::find(root, path)? else {
            continue;
        };
        tree::below(root, place.as_fd(), path)?;
        let cover = if !file::is_directory(place.as_fd())? {
            null(root)?
        } else if let Some(first) = &empty {
            // One empty tmpfs is enough for all of them.
            mount::open_tree(first.as_fd(), c"", OPEN_TREE_CLONE, false)?
        } else {
            empty_directory()?
        };
        mount::move_mount(cover.as_fd(), place.as_fd())?;
        if empty.is_none() && file::is_directory(cover.as_fd())? {
            empty = Some(cover);
        }
    }
    Ok(())
}

/// A mount of /dev/null that has proved to be it.
fn null(root: BorrowedFd) -> Result<OwnedFd> {
    let device = Device {
        path: c"/dev/null".into(),
        kind: DeviceKind::Character,
        major: 1,
        minor: 3,
        mode: 0o666,
        uid: 0,
        gid: 0,
    };
    let how = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let node = file::open_in_root(root, &device.path, how, 0)?;
    devices::check(node.as_fd(), &device)?;
    mount::open_tree(node.as_fd(), c"", OPEN_TREE_CLONE, false)
}

fn empty_directory() -> Result<OwnedFd> {
    let attributes = Attributes { set: MOUNT_ATTR_RDONLY, ..Attributes::default() };
    let parameters =
        [(c"nr_blocks".into(), Some(c"1".into())), (c"nr_inodes".into(), Some(c"1".into()))];
    mounts::new_filesystem(c"tmpfs", c"tmpfs", &parameters, attributes)
}
