//! Controllers: which ones the limits need, whether they can be had, and how
//! they are handed down.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use super::place::ancestors;
use super::{Placement, open_if_there, read};
use crate::error::{Error, Result};
use crate::sys::cgroupfs;

/// The controllers of these files, each once: `memory.max` is a file of `memory`.
/// The files `cgroup.*` are there without any.
pub(super) fn needed(limits: &[(String, String)]) -> Vec<String> {
    let mut names: Vec<String> = limits
        .iter()
        .filter_map(|(file, _)| file.split('.').next())
        .filter(|name| *name != "cgroup")
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Those of `needed` that `dir` does not hand to its children yet.
fn missing<'a>(dir: BorrowedFd, needed: &'a [String]) -> Result<Vec<&'a str>> {
    let given = read(dir, c"cgroup.subtree_control")?;
    let is_missing = |name: &&str| !given.split_whitespace().any(|word| word == *name);
    Ok(needed.iter().map(String::as_str).filter(is_missing).collect())
}

/// Walks down to the parent of `path` and asks at each cgroup that exists
/// whether [`enable`] would succeed there. Nothing is written.
pub(super) fn check(tree: BorrowedFd, base: &str, path: &str, needed: &[String]) -> Result<()> {
    if needed.is_empty() {
        return Ok(());
    }
    let (parent, _) = Placement::split(path);
    for above in ancestors(if parent.is_empty() { "/" } else { parent }) {
        let Some(dir) = open_if_there(tree, above)? else {
            break;
        };
        let dir = dir.as_fd();
        let missing = missing(dir, needed)?;
        let Some(first) = missing.first() else {
            continue;
        };
        if above == "/" {
            has(&read(dir, c"cgroup.controllers")?, &missing)?;
        }
        let inside = above == base || above.starts_with(&format!("{base}/")) || base.is_empty();
        if !inside {
            return Err(Error::machine(
                format!("the controller {first} is not handed down below the cgroup {above}"),
                "as root: systemctl set-property user@UID.service Delegate=\"cpu cpuset io memory pids\"",
            ));
        }
        if is_inner(dir)? {
            return Err(Error::machine(
                format!(
                    "the cgroup {above} has processes of its own, so it cannot hand down the controller {first}"
                ),
                "move them into a child first: mkdir CGROUP/init; for each line of CGROUP/cgroup.procs: echo PID > CGROUP/init/cgroup.procs",
            ));
        }
    }
    Ok(())
}

/// At the root of the tree `cgroup.controllers` is what the machine has at all.
fn has(controllers: &str, wanted: &[&str]) -> Result<()> {
    let lacks = |name: &&&str| !controllers.split_whitespace().any(|word| word == **name);
    match wanted.iter().find(lacks) {
        None => Ok(()),
        Some(name) => Err(Error::machine(
            format!(
                "the cgroup2 tree of this machine has no controller {name:?}; it has: {}",
                controllers.trim()
            ),
            "unmount the cgroup v1 hierarchy that holds it, or boot with cgroup_no_v1=all",
        )),
    }
}

/// Whether the rule "no processes in an inner cgroup" forbids handing down. The
/// root of the whole hierarchy is exempt, and the only cgroup without `cgroup.type`;
/// the root of a cgroup namespace looks like it and is not.
fn is_inner(dir: BorrowedFd) -> Result<bool> {
    match read(dir, c"cgroup.type") {
        Err(error) if error.is(Errno::ENOENT) => Ok(false),
        Err(error) => Err(error),
        Ok(_) => Ok(!read(dir, c"cgroup.procs")?.is_empty()),
    }
}

/// Hands the needed controllers down to the children of `dir`. One write for
/// each, so that an error names the controller; none where it is on already,
/// because every change stops the forks of the machine for a moment.
pub(super) fn enable(dir: BorrowedFd, needed: &[String]) -> Result<()> {
    for name in missing(dir, needed)? {
        cgroupfs::write(dir, c"cgroup.subtree_control", &format!("+{name}"))?;
    }
    Ok(())
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
    fn a_controller_that_the_machine_does_not_have_is_named() {
        assert!(has("cpu memory\n", &["memory"]).is_ok());
        let error = has("cpu memory_x\n", &["cpu", "memory"]).unwrap_err();
        assert!(error.to_string().contains("no controller \"memory\""), "{error}");
    }
}
