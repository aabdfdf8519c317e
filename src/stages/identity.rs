//! Identity: where the process stands, and who it is.
//!
//! The working directory is looked up inside the root, without magic links,
//! and entered by descriptor: `cwd: /proc/self/fd/7` was a way out to the host
//! (CVE-2024-21626). Then supplementary groups, the group, the user, in this
//! order, since each step needs the privilege that the last one gives up.
//! Keepcaps holds the permitted set over the change of uid; the next stage
//! trims it to what was asked for. Side: init. Without it: everything runs as
//! root. See setresuid(2), setgroups(2), PR_SET_KEEPCAPS(2const); config.md,
//! "User".

use std::os::fd::AsFd;

use super::become_root::may_set_groups;
use crate::error::Result;
use crate::sides::Init;
use crate::sys::{credentials, directory, file};
use crate::tree::{self, Kind};

/// Enters the working directory and becomes the user.
pub fn run(init: &mut Init) -> Result<()> {
    enter_working_directory(init)?;
    let user = &init.plan.process.user;
    credentials::keep_capabilities()?;
    // Where setgroups was given up, for a map of a single id, there is nothing to set.
    let has_user = init.plan.namespaces.has_user();
    if !has_user || !user.groups.is_empty() || may_set_groups(init.proc.as_fd())? {
        credentials::setgroups(&user.groups)?;
    }
    credentials::setresgid(user.gid)?;
    credentials::setresuid(user.uid)?;
    file::umask(user.umask).map(drop)
}

/// A working directory that does not exist is made, as every engine expects, with the container
/// and not in one that runs.
fn enter_working_directory(init: &Init) -> Result<()> {
    let (root, cwd) = (init.root()?, &init.plan.process.cwd);
    let opened = match &init.plan.joins {
        None => tree::place(root, cwd, Kind::Directory),
        Some(_) => file::open_in_root(root, cwd, file::PLACE),
    };
    directory::enter(opened?.as_fd())
}
