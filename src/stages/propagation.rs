//! Propagation: from here on, mounts stay inside.
//!
//! A new mount namespace is a copy of the host's tree, but copies of a shared
//! mount stay peers: what is mounted on one appears on the other. systemd
//! makes everything shared. So first the whole tree becomes a slave: it still
//! hears the host, and says nothing. Then the root file system is bound onto
//! itself, since pivot_root takes only a mount. Side: init. Without it: the
//! container's mounts show up on the host and stay there. See
//! mount_namespaces(7), "Shared subtrees"; config-linux.md, "Rootfs mount
//! propagation".

use std::os::fd::{AsFd, BorrowedFd};

use super::mounts;
use crate::error::Result;
use crate::plan::Plan;
use crate::sides::Init;
use crate::sys::constants::{MS_PRIVATE, MS_REC, MS_SLAVE};
use crate::sys::file::{self, HERE};
use crate::sys::mount::{self, AT_RECURSIVE, OPEN_TREE_CLONE};

/// Makes the tree a slave, and the root a mount whose descriptor is kept.
pub fn run(init: &mut Init) -> Result<()> {
    cut_off(file::openat(HERE, c"/", file::PLACE, 0)?.as_fd(), init.plan)?;
    let path = &init.plan.root.path;
    let root = mount::open_tree(HERE, path, OPEN_TREE_CLONE | AT_RECURSIVE, true)?;
    let place = mount::open_tree(HERE, path, 0, true)?;
    mount::move_mount(root.as_fd(), place.as_fd())?;
    init.root = Some(root);
    Ok(())
}

/// What is mounted on this tree is not mounted on the host; the other way only if that is wanted.
pub(super) fn cut_off(tree: BorrowedFd, plan: &Plan) -> Result<()> {
    let is_private = plan.root.propagation & MS_PRIVATE != 0;
    mounts::set_propagation(tree, MS_REC | if is_private { MS_PRIVATE } else { MS_SLAVE })
}
