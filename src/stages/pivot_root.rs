//! Pivot root: the container's root becomes `/`, and the host's is gone.
//!
//! chroot(2) only changes where a process begins its look-ups; the old tree is
//! still mounted, and a descriptor or CAP_SYS_CHROOT finds the way back.
//! pivot_root(2) exchanges the root mount of the whole namespace, and after
//! umount(2) of the old one there is nothing to go back to. `pivot_root(".",
//! ".")` stacks the old root on the new one, so no directory is needed for it.
//! Side: init. Without it: the escape in the chapter. On an initramfs, which
//! cannot be pivoted away, `--no-pivot` moves the mount and chroots. See
//! pivot_root(2), umount(2); config.md, "Root".

use std::os::fd::AsFd;

use super::mounts;
use crate::error::Result;
use crate::sides::Init;
use crate::sys::{directory, file, mount};

/// Exchanges the roots and lets the old one go.
pub fn run(init: &mut Init) -> Result<()> {
    directory::enter(init.root()?)?;
    if init.plan.root.no_pivot {
        mount::move_to_root(c".")?;
        mount::chroot(c".")?;
    } else {
        mount::pivot_root(c".", c".")?;
        // "." leads to the old root, which lies on the new one: nothing of it may go back to the host.
        mount::umount_detach(c".")?;
    }
    let root = file::openat(file::HERE, c"/", file::PLACE, 0)?;
    directory::enter(root.as_fd())?;
    let wanted = init.plan.root.propagation;
    if wanted != 0 {
        mounts::set_propagation(root.as_fd(), wanted)?;
    }
    init.root = Some(root);
    Ok(())
}
