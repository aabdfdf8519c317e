//! Controllers: which ones the limits need, whether they can be had, and how
//! they are handed down.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use super::place::ancestors;
use super::{open_if_there, read};
use crate::error::{Error, Result, unless};
use crate::sys::file;

/// The controllers of these files, each once: `memory.max` is a file of `memory`.
/// The files `cgroup.*` are there without any.
pub(super) fn needed(limits: &[(String, String)]) -> Vec<&str> {
    let names = limits.iter().filter_map(|(file, _)| file.split('.').next());
    let once: BTreeSet<_> = names.filter(|name| *name != "cgroup").collect();
    once.into_iter().collect()
}

fn lists(controllers: &str, name: &str) -> bool {
    controllers.split_whitespace().any(|word| word == name)
}

/// Walks down to the parent of `path` and asks at each cgroup that exists
/// whether [`enable`] would succeed there. Nothing is written. The answer: those
/// that can be had, and why the first of the others cannot.
pub(super) fn check<'a>(
    root: BorrowedFd,
    base: &str,
    path: &str,
    needed: &[&'a str],
) -> Result<(Vec<&'a str>, Option<Error>)> {
    let (mut usable, mut refusal) = (needed.to_vec(), None);
    for above in ancestors(path).filter(|above| *above != path && !needed.is_empty()) {
        let Some(dir) = open_if_there(root, above)? else {
            break;
        };
        let given = read(dir.as_fd(), c"cgroup.subtree_control")?;
        for name in needed.iter().filter(|name| !lists(&given, name)) {
            if let Some(why) = obstacle(dir.as_fd(), base, above, name)? {
                usable.retain(|other| other != name);
                refusal.get_or_insert(why);
            }
        }
    }
    Ok((usable, refusal))
}

/// What keeps the cgroup `above` from handing down this controller.
fn obstacle(dir: BorrowedFd, base: &str, above: &str, name: &str) -> Result<Option<Error>> {
    // At the root of the tree this is what the machine has at all.
    let has = read(dir, c"cgroup.controllers")?;
    let is_ours = format!("{above}/").starts_with(&format!("{base}/"));
    let (lacks, cure) = if above == "/" && !lists(&has, name) {
        let has = has.trim();
        (
            format!("the cgroup2 tree of this machine has no controller {name:?}; it has: {has}"),
            "unmount the cgroup v1 hierarchy that holds it, or boot with cgroup_no_v1=all",
        )
    } else if !is_ours {
        (
            format!("the controller {name} is not handed down below the cgroup {above}"),
            "as root: systemctl set-property user@UID.service Delegate=\"cpu cpuset io memory pids\"",
        )
    } else if is_inner(dir)? {
        (
            format!("the cgroup {above} has processes of its own, so it hands down no {name}"),
            "move them into a child first: mkdir CGROUP/init; for each line of CGROUP/cgroup.procs: echo PID > CGROUP/init/cgroup.procs",
        )
    } else {
        return Ok(None);
    };
    Ok(Some(Error::machine(lacks, cure)))
}

/// Whether the rule "no processes in an inner cgroup" forbids handing down. The
/// root of the whole hierarchy is exempt, and the only cgroup without `cgroup.type`;
/// the root of a cgroup namespace looks like it and is not.
fn is_inner(dir: BorrowedFd) -> Result<bool> {
    let kind = unless(&[Errno::ENOENT], read(dir, c"cgroup.type"))?;
    Ok(kind.is_some() && !read(dir, c"cgroup.procs")?.is_empty())
}

/// Hands controllers down to the children of `dir`: what is needed, and what `dir` was
/// given from above, so that its use can be read where it has no limit; only the
/// first has to succeed. One write for each, so that an error names the controller; none
/// where it is on already, because a change may stop the forks of the machine for a
/// moment. The answer: what the children have.
pub(super) fn enable(dir: BorrowedFd, needed: &[&str], from_above: &str) -> Result<String> {
    let mut given = read(dir, c"cgroup.subtree_control")?;
    for name in needed.iter().copied().chain(from_above.split_whitespace()) {
        if lists(&given, name) {
            continue;
        }
        match file::write_file(dir, c"cgroup.subtree_control", &format!("+{name}")) {
            Err(why) if needed.contains(&name) => return Err(why),
            Err(_) => {}
            Ok(()) => given = format!("{given} {name}"),
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_files_tell_the_controllers() {
        let files =
            ["memory.max", "memory.low", "cgroup.max.depth", "cpu.max.burst", "hugetlb.2MB.max"];
        let limits: Vec<_> = files.map(|file| (file.to_owned(), String::new())).into();
        assert_eq!(needed(&limits), ["cpu", "hugetlb", "memory"]);
        assert!(needed(&[]).is_empty());
    }

    #[test]
    fn a_controller_is_known_by_its_whole_name() {
        assert!(lists("cpu memory\n", "memory"));
        assert!(!lists("cpu memory_x\n", "memory"));
    }
}
