//! Where the cgroup will be: decided, and everything that could be missing
//! found, before anything is made.
//!
//! The path is known here, so that it can be written to the state directory
//! first: whatever happens later, `delete --force` knows what to look for.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::controllers;
use super::{Support, detect, is, open_if_there, read};
use crate::error::{Error, Result};
use crate::plan::{self, DeviceRule};
use crate::sys::{cgroupfs, credentials, directory, file};

/// The directory that jec makes for its containers.
pub(super) const JEC: &str = "jec";

/// How an ordinary user gets a part of the tree.
const DELEGATE: &str = "systemd-run --user --scope -p Delegate=yes jec ..., or as root";

/// The answer of [`place`].
pub enum Place {
    /// Here; nothing has been made yet.
    At(Placement),
    /// Nowhere, and nothing was asked for that needs a cgroup, device rules excepted.
    Nowhere {
        /// Why, for a notice of one line.
        why: String,
    },
}

/// Where a cgroup will be made, and with what: [`Placement::make`] does it.
pub struct Placement {
    /// From the cgroup2 mount, with a leading slash: what the state file remembers.
    pub path: String,
    /// The root of the tree.
    pub(super) tree: OwnedFd,
    /// The container's id, for messages.
    pub(super) id: String,
    /// Controllers that the limits need.
    pub(super) controllers: Vec<String>,
    pub(super) limits: Vec<(String, String)>,
    pub(super) devices: Vec<DeviceRule>,
}

/// Decides where the container's cgroup will be.
///
/// `cgroupsPath` from the mount (absolute) or below `jec` (relative), else
/// `jec/ID`. Fails when limits are asked for that this machine or this user
/// cannot have, and when the place is taken.
pub fn place(plan: &plan::Cgroup, id: &str) -> Result<Place> {
    if plan.limits.iter().any(|limit| limit.0 == "pids.max" && limit.1 == "1") {
        let problem = "1 is too few: while it is made, jec has two processes in the container";
        return Err(Error::config("linux.resources.pids.limit (--pids)", problem));
    }
    let tree = match detect()? {
        Support::Unified(tree) => tree,
        Support::Absent { why } => {
            return nowhere(plan, why, "boot with systemd.unified_cgroup_hierarchy=1");
        }
    };
    let Some(base) = base(tree.as_fd(), &own_cgroup()?)? else {
        let why = format!("uid {} may change no part of /sys/fs/cgroup", credentials::geteuid());
        return nowhere(plan, why, DELEGATE);
    };
    let base = base.trim_end_matches('/');
    let path = match plan.path.as_deref() {
        None => format!("{base}/{JEC}/{id}"),
        Some(path) if path.starts_with('/') => path.to_owned(),
        Some(path) => format!("{base}/{JEC}/{path}"),
    };
    if !path.starts_with(&format!("{base}/")) {
        let lacks = format!(
            "the cgroup {path} is outside of {base}, which is all that this user may change"
        );
        return Err(Error::machine(lacks, "leave linux.cgroupsPath out, or run jec as root"));
    }
    let controllers = controllers::needed(&plan.limits);
    controllers::check(tree.as_fd(), base, &path, &controllers)?;
    refuse_taken(tree.as_fd(), &path, id)?;
    Ok(Place::At(Placement {
        path,
        tree,
        id: id.to_owned(),
        controllers,
        limits: plan.limits.clone(),
        devices: plan.devices.clone(),
    }))
}

/// Without a cgroup there are no limits, so those that were asked for are an error.
fn nowhere(plan: &plan::Cgroup, why: String, cure: &str) -> Result<Place> {
    match plan.limits.first() {
        None => Ok(Place::Nowhere { why }),
        Some((file, _)) => Err(Error::machine(format!("{file} needs a cgroup, but {why}"), cure)),
    }
}

/// The cgroup of this process: the line `0::/path` of /proc/self/cgroup.
fn own_cgroup() -> Result<String> {
    let text = file::read_file(file::HERE, c"/proc/self/cgroup", super::LONGEST)?;
    Ok(unified_line(&text).to_owned())
}

/// `/` where there is none, or where the path means nothing here: `/../x` is
/// outside of our cgroup namespace.
fn unified_line(text: &str) -> &str {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"));
    path.filter(|path| !path.starts_with("/..")).unwrap_or("/")
}

/// The topmost cgroup above our own that we may change: for root the mount
/// itself, for a user what was delegated to her.
///
/// Topmost, for two rules of the kernel. A process may be put into a cgroup
/// (CLONE_INTO_CGROUP too) only by who may write `cgroup.procs` of the nearest
/// common ancestor of here and there: our own cgroup is below this one, the new
/// one as well, so this is that ancestor. And the directory that hands
/// controllers down must have no processes: our shell's own cgroup has.
fn base(tree: BorrowedFd, own: &str) -> Result<Option<String>> {
    for path in ancestors(own) {
        // Deleted while we are in it: then it is a place for nothing.
        let Some(dir) = open_if_there(tree, path)? else {
            break;
        };
        if may_change(dir.as_fd())? {
            return Ok(Some(path.to_owned()));
        }
    }
    Ok(None)
}

/// `/a/b` gives `/`, `/a`, `/a/b`.
pub(super) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let inner = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
    let whole = (path != "/").then_some(path);
    std::iter::once("/").chain(inner).chain(whole)
}

/// What delegation means (cgroups(7), "Cgroups delegation"): the directory,
/// `cgroup.procs` and `cgroup.subtree_control` can be written.
fn may_change(dir: BorrowedFd) -> Result<bool> {
    let needed: [&CStr; 3] = [c".", c"cgroup.procs", c"cgroup.subtree_control"];
    for name in needed {
        match cgroupfs::writable(dir, name) {
            Ok(()) => {}
            // EROFS: the cgroup mount of a container is read-only, as a rule.
            Err(error) if is(&error, Errno::EACCES) || is(&error, Errno::EROFS) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// A cgroup with processes or children is somebody's. Found now, because from
/// the moment its path is in the state file it is the one that `delete` kills.
fn refuse_taken(tree: BorrowedFd, path: &str, id: &str) -> Result<()> {
    match open_if_there(tree, path)? {
        Some(dir) => refuse_used(dir.as_fd(), path, id),
        None => Ok(()),
    }
}

pub(super) fn refuse_used(dir: BorrowedFd, path: &str, id: &str) -> Result<()> {
    let populated = read(dir, c"cgroup.events")?.contains("populated 1");
    if populated || !directory::directories(dir)?.is_empty() {
        return Err(Error::state(id, format!("the cgroup {path} exists and is in use")));
    }
    Ok(())
}

impl Placement {
    /// The parent directory's path, and the name of the last component.
    pub(super) fn split(path: &str) -> (&str, &str) {
        path.rsplit_once('/').unwrap_or(("", path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_unified_hierarchy_is_found() {
        assert_eq!(unified_line("12:pids:/x\n0::/learner/shell\n"), "/learner/shell");
        assert_eq!(unified_line("1:name=systemd:/\n"), "/");
        assert_eq!(unified_line("0::/../other\n"), "/");
    }

    #[test]
    fn ancestors_come_from_the_top() {
        let all = |path| ancestors(path).collect::<Vec<_>>();
        assert_eq!(all("/"), ["/"]);
        assert_eq!(all("/a/b"), ["/", "/a", "/a/b"]);
    }
}
