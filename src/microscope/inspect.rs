//! `jec inspect`: all facts of one process, and what goes with them at one moment.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use serde::Serialize;

use super::facts::{Eye, Facts};
use super::names::Names;
use crate::error::{Error, Result};
use crate::sys::{board, directory, file};

/// What there is to see of a container.
#[derive(Serialize)]
pub struct Seen {
    /// The container's id.
    pub id: String,
    /// Its first process, as the host counts.
    pub pid: i32,
    /// What the kernel says of it; keys as in a trace.
    pub container: Facts,
    /// The same of jec itself, which is on the host.
    pub host: Facts,
    /// By kind of namespace, the user id that made its user namespace.
    pub owners: BTreeMap<String, u32>,
    /// What the cgroup uses now.
    pub usage: BTreeMap<String, String>,
    /// Those of its pid namespace; only itself, where that is the host's.
    pub processes: Vec<Process>,
}

/// A process with all its numbers.
#[derive(Serialize)]
pub struct Process {
    /// On the host, then one for each pid namespace further in.
    pub pids: Vec<i32>,
    /// Its name.
    pub name: String,
}

/// Files of a cgroup that tell what is used.
const USAGE: [&str; 4] = ["memory.current", "memory.peak", "memory.swap.current", "pids.current"];

/// Looks at a process.
pub fn look(proc: &Rc<OwnedFd>, id: String, pid: i32) -> Result<Seen> {
    let (mut eye, mut names) = (Eye::new_for_now(proc.clone()), Names::raw());
    let host = eye.facts(std::process::id().cast_signed(), &mut names).unwrap_or_default();
    let gone = || Error::state(&id, format!("no process {pid} runs; ps -e lists those that do"));
    let container = eye.facts(pid, &mut names).ok_or_else(gone)?;
    if container.get("namespace.mnt").is_none_or(|link| link.starts_with('(')) {
        let ns = CString::new(format!("{pid}/ns/mnt"))?;
        file::readlinkat(proc.as_fd(), &ns)?;
    }
    let owners = owners(proc, pid, &container)?;
    let usage = usage(&container)?;
    let processes =
        processes(&eye, proc, pid, container["namespace.pid"] == host["namespace.pid"])?;
    Ok(Seen { id, pid, container, host, owners, usage, processes })
}

fn owners(proc: &OwnedFd, pid: i32, facts: &Facts) -> Result<BTreeMap<String, u32>> {
    let mut owners = BTreeMap::new();
    for kind in facts.keys().filter_map(|key| key.strip_prefix("namespace.")) {
        let path = CString::new(format!("{pid}/ns/{kind}"))?;
        let Ok(open) = file::openat(proc.as_fd(), &path, OFlag::O_RDONLY, 0) else {
            continue;
        };
        // EPERM: that user namespace is above ours, and its owner is not shown to us.
        let owner = crate::error::unless(&[Errno::EPERM], board::namespace_owner(open.as_fd()))?;
        owners.extend(owner.map(|uid| (kind.into(), uid)));
    }
    Ok(owners)
}

fn usage(facts: &Facts) -> Result<BTreeMap<String, String>> {
    let mut usage = BTreeMap::new();
    let Some(path) = facts.get("cgroup") else {
        return Ok(usage);
    };
    for name in USAGE {
        let file = CString::new(format!("/sys/fs/cgroup{path}/{name}"))?;
        // A controller that is not there has no files.
        let text = file::read_file(file::HERE, &file, 4096).ok();
        usage.extend(text.map(|text| (name.into(), text.trim().into())));
    }
    Ok(usage)
}

fn processes(eye: &Eye, proc: &OwnedFd, init: i32, shared: bool) -> Result<Vec<Process>> {
    let link = |pid: i32| {
        let path = CString::new(format!("{pid}/ns/pid")).ok()?;
        file::readlinkat(proc.as_fd(), &path).ok()
    };
    let theirs = link(init);
    let number = |name: CString| name.to_str().ok()?.parse::<i32>().ok();
    let all = directory::directories(proc.as_fd())?.into_iter().filter_map(number);
    let ours = |pid: &i32| *pid == init || !shared && link(*pid) == theirs;
    let mut pids: Vec<_> = all.filter(ours).collect();
    pids.sort_unstable();
    // Who has ended in the meantime is not there.
    Ok(pids.into_iter().filter_map(|pid| process(eye, pid)).collect())
}

fn process(eye: &Eye, pid: i32) -> Option<Process> {
    let status = eye.read(&format!("{pid}/status")).ok()?;
    let value = |word: &str| status.lines().find_map(|line| line.strip_prefix(word));
    let pids = value("NSpid:")?.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    Some(Process { pids, name: value("Name:")?.trim().into() })
}
