//! Where the cgroup will be: decided, and everything that could be missing
//! found, before anything is made.
//!
//! The path is known here, so that it can be written to the state directory
//! first: whatever happens later, `delete --force` knows what to look for.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::systemd::Scope;
use super::{LONGEST, controllers, instead, open_if_there, read, root};
use crate::error::{Error, Result, ensure, unless};
use crate::plan::Plan;
use crate::sys::{credentials, directory, file};

/// The directory that jec makes for its containers.
pub(super) const JEC: &str = "jec";

/// What this machine and this user have: looked at once, before there is a plan.
pub enum Hierarchy {
    /// cgroup v2 alone, of which we may change a part.
    Ours {
        /// The root of the tree, `O_PATH`.
        root: OwnedFd,
        /// The topmost cgroup that we may change, without a slash at its end.
        base: String,
    },
    /// cgroup v2 alone, and we may change no part of it.
    Closed,
    /// Something else.
    Absent,
}

/// Where a cgroup will be made, and for what: [`Placement::make`] does it.
pub struct Placement<'a> {
    /// From the cgroup2 mount, with a leading slash: what the state file remembers.
    pub path: String,
    /// The root of the tree.
    pub(super) root: OwnedFd,
    pub(super) plan: &'a Plan,
    /// Made by systemd, if that is wanted.
    pub(super) scope: Option<Scope>,
}

impl Hierarchy {
    /// Looks at the tree, and for the part of it that is ours.
    pub fn look() -> Result<Self> {
        let Some(root) = root()? else {
            return Ok(Self::Absent);
        };
        let own = file::read_file(file::HERE, c"/proc/self/cgroup", LONGEST)?;
        let base = base(root.as_fd(), unified_line(&own))?;
        Ok(base.map_or(Self::Closed, |base| Self::Ours { root, base }))
    }

    /// Those of the controllers that a cgroup of ours could have. What is missing is told
    /// when a limit is asked for.
    pub fn usable(&self, controllers: &[&str]) -> Result<Vec<String>> {
        let Self::Ours { root, base } = self else {
            return Ok(vec![]);
        };
        let place = format!("{base}/{JEC}/any");
        let (usable, _) = controllers::check(root.as_fd(), base, &place, controllers)?;
        Ok(usable.into_iter().map(str::to_owned).collect())
    }

    /// Decides where the container's cgroup will be.
    ///
    /// `cgroupsPath` from the mount (absolute) or below `jec` (relative), else
    /// `jec/ID`. Fails when limits are asked for that this machine or this user
    /// cannot have, and when the place is taken. When nothing was asked for that needs a
    /// cgroup, device rules excepted, there may be none: then the answer is why.
    /// With `systemd` it is a scope of systemd, and `cgroupsPath` has another form. That
    /// form without `systemd` is a name like any other: BuildKit says it so (Docker 20.10).
    pub fn place(self, plan: &Plan, systemd: bool) -> Result<Result<Placement<'_>, String>> {
        let limits = &plan.cgroup.limits;
        let has_room = limits.iter().all(|limit| limit.0 != "pids.max" || limit.1 != "1");
        let problem = "1 is too few: while it is made, jec has two processes in the container";
        ensure(has_room, || Error::config("linux.resources.pids.limit (--pids)", problem))?;
        let (why, cure) = match self {
            Self::Ours { root, base } => return below(root, &base, plan, systemd).map(Ok),
            Self::Closed => (
                format!("uid {} may change no part of /sys/fs/cgroup", credentials::geteuid()),
                "systemd-run --user --scope -p Delegate=yes jec ..., or as root",
            ),
            Self::Absent => (
                format!("/sys/fs/cgroup {}", instead()),
                "boot with systemd.unified_cgroup_hierarchy=1",
            ),
        };
        // Without a cgroup there are no limits, so those that were asked for are an error.
        let limit = limits.first().map(|(file, _)| &**file);
        let Some(what) = systemd.then_some("--systemd-cgroup").or(limit) else {
            return Ok(Err(why));
        };
        Err(Error::machine(format!("{what} needs a cgroup, but {why}"), cure))
    }
}

fn below<'a>(root: OwnedFd, base: &str, plan: &'a Plan, scoped: bool) -> Result<Placement<'a>> {
    let scope = scoped.then(|| Scope::of(plan, !base.is_empty())).transpose()?;
    let path = match (plan.cgroup.path.as_deref(), &scope) {
        (_, Some(scope)) => scope.path(base),
        (Some(path), _) if path.starts_with('/') => path.to_owned(),
        (relative, _) => format!("{base}/{JEC}/{}", relative.unwrap_or(&plan.id)),
    };
    ensure(path.starts_with(&format!("{base}/")), || {
        let reach = "which is all that this user may change";
        let lacks = format!("the cgroup {path} is outside of {base}, {reach}");
        Error::machine(lacks, "leave linux.cgroupsPath out, or run jec as root")
    })?;
    let needed = controllers::needed(&plan.cgroup.limits);
    if let (_, Some(why)) = controllers::check(root.as_fd(), base, &path, &needed)? {
        return Err(why);
    }
    // Found now, because from the moment its path is in the state file it is the one that
    // `delete` kills.
    if let Some(dir) = open_if_there(root.as_fd(), &path)? {
        refuse_used(dir.as_fd(), &path, &plan.id)?;
    }
    Ok(Placement { path, root, plan, scope })
}

/// A cgroup with processes or children is somebody's.
pub(super) fn refuse_used(dir: BorrowedFd, path: &str, id: &str) -> Result<()> {
    let populated = read(dir, c"cgroup.events")?.contains("populated 1");
    let is_free = !populated && directory::directories(dir)?.is_empty();
    ensure(is_free, || Error::state(id, format!("the cgroup {path} exists and is in use")))
}

/// The cgroup of a process: the line `0::/path` of its /proc/PID/cgroup. `/` where there
/// is none, or where the path means nothing here: `/../x` is outside of our cgroup namespace.
pub(super) fn unified_line(text: &str) -> &str {
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
fn base(root: BorrowedFd, own: &str) -> Result<Option<String>> {
    for path in ancestors(own) {
        // Deleted while we are in it: then it is a place for nothing.
        let Some(dir) = open_if_there(root, path)? else {
            break;
        };
        if may_change(dir.as_fd())? {
            return Ok(Some(path.trim_end_matches('/').to_owned()));
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
    let asked = needed.iter().try_for_each(|name| file::writable(dir, name));
    // EROFS: the cgroup mount of a container is read-only, as a rule.
    Ok(unless(&[Errno::EACCES, Errno::EROFS], asked)?.is_some())
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
    fn without_cgroups_systemd_cannot_be_asked_for_a_scope() {
        let mut plan = Plan::nothing("c");
        plan.cgroup.path = Some("system.slice:jec:1".into());
        assert!(Hierarchy::Absent.place(&plan, false).unwrap().is_err());
        let error = Hierarchy::Absent.place(&plan, true).map(drop).unwrap_err().to_string();
        assert!(error.starts_with("--systemd-cgroup needs a cgroup"), "{error}");
    }

    #[test]
    fn ancestors_come_from_the_top() {
        let all = |path| ancestors(path).collect::<Vec<_>>();
        assert_eq!(all("/"), ["/"]);
        assert_eq!(all("/a/b"), ["/", "/a", "/a/b"]);
    }
}
