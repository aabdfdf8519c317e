//! Write below a read-only volume: a mount of the host that lies in it is not the volume's own.
//!
//! Stopped in `mounts`: `rro` makes all of the tree read-only, which `ro` does not. EROFS.
//! See mount_setattr(2), AT_RECURSIVE.

use super::{Attempt, Host, Seen, when};

/// The mount was made for this.
pub fn attack() -> Attempt {
    std::fs::write("/vol/below/owned", "owned")?;
    Ok("a file below a read-only volume".into())
}

/// The file on a mount of the host.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    when(host.path("volume/below/owned").exists(), "the host has that file")
}
