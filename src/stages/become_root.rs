//! Become root: take uid and gid 0 of the user namespace.
//!
//! After the map is written, the middle still has the id it came with, which
//! may not be mapped at all; then the kernel makes no file for it, which would
//! belong to nobody. Here it becomes uid 0 and gid 0 of the namespace (or the
//! first id that is mapped), so that what init makes belongs to the container's
//! root. Supplementary groups of the host are dropped where the kernel allows
//! it. Side: middle.
//! Without it: EOVERFLOW from mkdir and mknod. See user_namespaces(7),
//! setresuid(2).

use std::os::fd::{AsFd, BorrowedFd};

use crate::error::Result;
use crate::plan::IdRange;
use crate::sides::Middle;
use crate::sys::{credentials, file};

/// Changes groups, then the group, then the user: each needs what the next gives up.
pub fn run(middle: &mut Middle) -> Result<()> {
    let namespaces = &middle.plan.namespaces;
    if may_set_groups(middle.proc.as_fd())? {
        credentials::setgroups(&[])?;
    }
    credentials::setresgid(root_of(&namespaces.ids.gids))?;
    credentials::setresuid(root_of(&namespaces.ids.uids))
}

/// False where an ordinary user gave setgroups(2) up for a map of her own id:
/// that holds for everybody in the namespace, those who join it as well.
pub fn may_set_groups(proc: BorrowedFd) -> Result<bool> {
    Ok(file::read_file(proc, c"self/setgroups", 64)?.trim() == "allow")
}

/// 0 where it is mapped (always, in a namespace that is joined), else the first id that is.
fn root_of(ranges: &[IdRange]) -> u32 {
    let zero = ranges.is_empty() || ranges.iter().any(|range| range.container == 0);
    if zero { 0 } else { ranges[0].container }
}
