//! linux.resources and linux.cgroupsPath: the v1 words of the specification,
//! turned into the files of cgroup v2.
//!
//! The specification still speaks cgroup v1 ("shares", "memory + swap"). Its
//! section "Unified" says what a runtime on v2 does with such words: it may
//! convert, and where no conversion exists it MUST fail. So every property
//! here becomes `(file, value)`, or is refused by its name, unless it asks for
//! what v2 does anyway (useHierarchy: true, kernel: -1, ...).
//!
//! More: runtime-spec config-linux.md, "Control groups"; Linux
//! Documentation/admin-guide/cgroup-v2.rst; the chapter "cgroup".

mod cpu;
mod devices;
mod io;
#[cfg(test)]
mod tests;

use oci_spec::runtime::{Linux, LinuxMemory, LinuxNetwork, LinuxResources};

use super::Cgroup;
use crate::error::{Error, Result};
pub use devices::default_devices;

/// Files and what is written into them, in order.
type Limits = Vec<(String, String)>;

/// The files of the cgroup itself, which are jec's: `cgroup.procs` would move
/// a process of the host, `cgroup.freeze` would stop init before it is init.
const OURS: [&str; 6] = [
    "cgroup.freeze",
    "cgroup.kill",
    "cgroup.procs",
    "cgroup.subtree_control",
    "cgroup.threads",
    "cgroup.type",
];

/// The plan of the cgroup: its path, its limits as files of cgroup v2, and the
/// device rules, to which those of the devices that every container has are added.
pub fn cgroup(linux: &Linux) -> Result<Cgroup> {
    let path = match linux.cgroups_path() {
        Some(path) => Some(checked_path(path.to_str())?),
        None => None,
    };
    let mut limits = Limits::new();
    let rules = match linux.resources() {
        Some(resources) => {
            all_limits(resources, &mut limits)?;
            resources.devices().as_deref().unwrap_or_default()
        }
        None => &[],
    };
    Ok(Cgroup { path, limits, devices: devices::rules(rules)? })
}

/// `unified` comes last: it is the more precise word, so it wins.
fn all_limits(resources: &LinuxResources, limits: &mut Limits) -> Result<()> {
    if let Some(memory) = resources.memory() {
        memory_limits(memory, limits)?;
    }
    if let Some(cpu) = resources.cpu() {
        cpu::limits(cpu, limits)?;
    }
    if let Some(pids) = resources.pids() {
        pids_limit(pids.limit(), limits)?;
    }
    if let Some(block_io) = resources.block_io() {
        io::limits(block_io, limits)?;
    }
    io::hugepages(resources.hugepage_limits().as_deref(), limits)?;
    io::rdma(resources.rdma().as_ref(), limits)?;
    if let Some(network) = resources.network() {
        refuse_network(network)?;
    }
    unified(resources, limits)
}

/// A path that names one place below the cgroup2 mount, and cannot leave it.
/// Absolute: from the mount; relative: below jec's own cgroup.
fn checked_path(path: Option<&str>) -> Result<String> {
    let wrong = |problem: &str| Err(Error::config("linux.cgroupsPath", problem));
    let Some(path) = path else {
        return wrong("is not UTF-8");
    };
    if !path.starts_with('/') && path.matches(':').count() == 2 {
        return wrong(
            "slice:prefix:name is the form of the systemd driver, which needs --systemd-cgroup",
        );
    }
    let below = path.strip_prefix('/').unwrap_or(path);
    for component in below.split('/') {
        match component {
            "" => return wrong("has an empty component; the root cgroup itself has no limits"),
            "." | ".." => return wrong("must not contain \".\" or \"..\""),
            long if long.len() > 255 => return wrong("has a component of more than 255 bytes"),
            // The kernel refuses only the newline, which would forge lines of /proc/PID/cgroup.
            odd if odd.contains(char::is_control) => return wrong("has a control character"),
            _ => {}
        }
    }
    Ok(path.to_owned())
}

/// Bytes, or `max` for -1.
fn bytes(property: &str, value: i64) -> Result<String> {
    match value {
        -1 => Ok("max".into()),
        0.. => Ok(value.to_string()),
        _ => Err(Error::config(property, format!("{value} is neither bytes nor -1"))),
    }
}

fn memory_limits(memory: &LinuxMemory, limits: &mut Limits) -> Result<()> {
    refuse_memory(memory)?;
    if let Some(limit) = memory.limit() {
        let property = "linux.resources.memory.limit";
        // runc reads 0 as "not set", crun writes it: the one drops a limit, the
        // other kills the first process. Neither is what somebody meant.
        if limit == 0 {
            return Err(Error::config(property, "0 bytes hold no process; no limit is -1"));
        }
        limits.push(("memory.max".into(), bytes(property, limit)?));
    }
    if let Some(swap) = memory.swap() {
        limits.push(("memory.swap.max".into(), swap_only(swap, memory.limit())?));
    }
    if let Some(reservation) = memory.reservation() {
        let value = bytes("linux.resources.memory.reservation", reservation)?;
        limits.push(("memory.low".into(), value));
    }
    Ok(())
}

/// v1 counts memory and swap together, v2 counts swap alone.
fn swap_only(both: i64, limit: Option<i64>) -> Result<String> {
    let property = "linux.resources.memory.swap";
    let swap = match (both, limit) {
        (-1, _) => return bytes(property, -1),
        (_, None | Some(-1)) => {
            return Err(Error::config(property, "is memory + swap, so it needs memory.limit"));
        }
        (_, Some(limit)) => both.checked_sub(limit).unwrap_or(-1),
    };
    if swap < 0 {
        return Err(Error::config(
            property,
            "is memory + swap, so it cannot be less than memory.limit",
        ));
    }
    bytes(property, swap)
}

/// What the memory controller of v2 does not have. crun refuses these too;
/// runc warns or says nothing, which here would be a silent weakening.
fn refuse_memory(memory: &LinuxMemory) -> Result<()> {
    let asked = [
        ("kernel", memory.kernel().is_some_and(|limit| limit != -1)),
        ("kernelTCP", memory.kernel_tcp().is_some_and(|limit| limit != -1)),
        ("swappiness", memory.swappiness().is_some()),
        ("disableOOMKiller", memory.disable_oom_killer() == Some(true)),
        ("useHierarchy", memory.use_hierarchy() == Some(false)),
    ];
    // checkBeforeUpdate needs nothing here: the cgroup is new and its usage 0.
    refuse("linux.resources.memory", &asked)
}

fn refuse_network(network: &LinuxNetwork) -> Result<()> {
    let priorities = network.priorities().as_ref();
    let asked = [
        ("classID", network.class_id().is_some_and(|id| id != 0)),
        ("priorities", priorities.is_some_and(|list| !list.is_empty())),
    ];
    refuse("linux.resources.network", &asked)
}

/// Refuses the first property that is asked for.
fn refuse(parent: &str, asked: &[(&str, bool)]) -> Result<()> {
    match asked.iter().find(|(_, asked)| *asked) {
        None => Ok(()),
        Some((name, _)) => Err(Error::config(
            format!("{parent}.{name}"),
            "exists in cgroup v1 only, and v2 has no equivalent",
        )),
    }
}

/// Since runtime-spec 1.3 only -1 means "no limit" and 0 is a number like any
/// other (runtime-spec #1279, runc 1.4); before, 0 was "no limit" as well. A
/// cgroup for no process at all cannot start one, so 0 is refused either way.
fn pids_limit(limit: i64, limits: &mut Limits) -> Result<()> {
    let value = match limit {
        -1 => "max".to_owned(),
        limit @ 1.. => limit.to_string(),
        other => {
            let problem = format!("{other} leaves no room for a process; no limit is -1");
            return Err(Error::config("linux.resources.pids.limit", problem));
        }
    };
    limits.push(("pids.max".into(), value));
    Ok(())
}

/// The files of v2 by name. A key is a plain file name, `controller.what`, so
/// that it can name nothing outside the container's own directory.
fn unified(resources: &LinuxResources, limits: &mut Limits) -> Result<()> {
    let mut files: Vec<_> = resources.unified().iter().flatten().collect();
    files.sort();
    for (file, value) in files {
        let wrong =
            |problem: &str| Error::config(format!("linux.resources.unified[{file:?}]"), problem);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if file.starts_with('.') || !file.contains('.') || !file.chars().all(plain) {
            return Err(wrong("is not the name of a cgroup file, such as memory.high"));
        }
        if OURS.contains(&file.as_str()) {
            return Err(wrong("belongs to the life of the container, not to its limits"));
        }
        // A file of many lines takes one line a write(2).
        for line in value.lines().filter(|line| !line.trim().is_empty()) {
            limits.push((file.clone(), line.trim().to_owned()));
        }
    }
    Ok(())
}
