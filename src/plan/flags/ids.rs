//! `--userns`, `--uidmap`, `--gidmap`: the user namespace and its id maps.

use oci_spec::runtime::{LinuxIdMapping, LinuxIdMappingBuilder};

use super::subids;
use super::{Machine, quantity::number};
use crate::cli::{ContainerFlags, Userns};
use crate::error::{Error, Result};
use crate::plan::{IdMaps, IdRange};

/// `INSIDE:OUTSIDE:COUNT`: ids below 4294967295, which is no id but (uid_t) -1.
pub fn range(text: &str) -> std::result::Result<IdRange, String> {
    let wrong = "write INSIDE:OUTSIDE:COUNT, e.g. 0:100000:65536";
    let parts: Vec<&str> = text.split(':').collect();
    let [container, host, size] = parts[..] else {
        return Err(wrong.into());
    };
    let id = |text| number(text).ok().and_then(|id| u32::try_from(id).ok()).ok_or(wrong);
    let range = IdRange { container: id(container)?, host: id(host)?, size: id(size)? };
    let ends = |first: u32| first.checked_add(range.size).is_some();
    if range.size == 0 || !ends(range.container) || !ends(range.host) {
        return Err("COUNT is at least 1, and ids end at 4294967294".into());
    }
    Ok(range)
}

/// The id maps of the container's new user namespace; none: it lives in ours.
pub(super) fn maps(flags: &ContainerFlags, machine: &Machine) -> Result<Option<IdMaps>> {
    if !flags.uidmap.is_empty() {
        return given(flags).map(Some);
    }
    let root = machine.uid == 0;
    match flags.userns {
        None | Some(Userns::Host) if root => Ok(None),
        Some(Userns::Host) => Err(Error::machine(
            "--userns host: only root can make a container without a user namespace",
            "leave the flag out: jec then makes one in which you are root",
        )),
        Some(Userns::Single) => Ok(Some(single(machine))),
        _ if root => root_ranges(machine).map(Some),
        _ => user_ranges(machine).map(|ranges| Some(ranges.unwrap_or_else(|| single(machine)))),
    }
}

/// The lines of the flags. The stages become uid 0 of the namespace, so it must exist.
fn given(flags: &ContainerFlags) -> Result<IdMaps> {
    let uids = flags.uidmap.clone();
    let gids = if flags.gidmap.is_empty() { uids.clone() } else { flags.gidmap.clone() };
    for (flag, map) in [("--uidmap", &uids), ("--gidmap", &gids)] {
        if !has(map, 0) {
            return Err(Error::config(
                flag,
                "no line maps 0, the root of the container: e.g. 0:100000:65536",
            ));
        }
        for (at, line) in map.iter().enumerate() {
            if let Some(other) = map[..at].iter().find(|other| overlap(line, other)) {
                let problem = format!("{} overlaps {}", shown(line), shown(other));
                return Err(Error::config(flag, problem));
            }
        }
    }
    Ok(IdMaps { uids, gids })
}

fn shown(range: &IdRange) -> String {
    format!("{}:{}:{}", range.container, range.host, range.size)
}

/// The kernel refuses maps that overlap on either side (user_namespaces(7)).
fn overlap(a: &IdRange, b: &IdRange) -> bool {
    let meet = |x: u32, y: u32| x < y.saturating_add(b.size) && y < x.saturating_add(a.size);
    meet(a.container, b.container) || meet(a.host, b.host)
}

impl IdMaps {
    /// Whether the container has this user.
    pub fn has_uid(&self, id: u32) -> bool {
        has(&self.uids, id)
    }
    /// Whether the container has this group.
    pub fn has_gid(&self, id: u32) -> bool {
        has(&self.gids, id)
    }
}

fn has(map: &[IdRange], id: u32) -> bool {
    map.iter().any(|line| id >= line.container && id - line.container < line.size)
}

/// One user, one group: root inside, ourselves outside.
fn single(machine: &Machine) -> IdMaps {
    let line = |host| vec![IdRange { container: 0, host, size: 1 }];
    IdMaps { uids: line(machine.uid), gids: line(machine.gid) }
}

/// Real root: the container's ids are all taken from the ranges, root included,
/// so that its root is nobody in particular on the host.
fn root_ranges(machine: &Machine) -> Result<IdMaps> {
    for owner in ["root", "containers"] {
        let uids = subids::ranges("/etc/subuid", &machine.subuid, &[owner])?;
        let gids = subids::ranges("/etc/subgid", &machine.subgid, &[owner])?;
        if !uids.is_empty() && !gids.is_empty() {
            return Ok(IdMaps { uids: lines(&uids, 0), gids: lines(&gids, 0) });
        }
    }
    Err(Error::machine(
        "--userns auto: /etc/subuid and /etc/subgid have no line for root or containers",
        "append `containers:2147483648:65536` to both (a range that nobody else has)",
    ))
}

/// An ordinary user: herself as root, her ranges from 1 on; none when she has no
/// ranges or the two set-user-ID programs that may write such a map are missing.
pub fn user_ranges(machine: &Machine) -> Result<Option<IdMaps>> {
    let uid = machine.uid.to_string();
    let mut owners = vec![&*uid];
    owners.extend(machine.user_name.as_deref());
    let uids = subids::ranges("/etc/subuid", &machine.subuid, &owners)?;
    let gids = subids::ranges("/etc/subgid", &machine.subgid, &owners)?;
    if uids.is_empty() || gids.is_empty() || !machine.has_map_helpers {
        return Ok(None);
    }
    let mut maps = single(machine);
    maps.uids.extend(lines(&uids, 1));
    maps.gids.extend(lines(&gids, 1));
    Ok(Some(maps))
}

/// Ranges of the host one behind the other, from `container` on.
fn lines(ranges: &[subids::Range], mut container: u32) -> Vec<IdRange> {
    let mut map = Vec::new();
    for range in ranges {
        // Ids of the container end where the type does; what is left over is not needed.
        let size = range.count.min(u32::MAX - container);
        if size > 0 {
            map.push(IdRange { container, host: range.first, size });
        }
        container += size;
    }
    map
}

/// The specification's type.
pub(super) fn specified(map: &[IdRange]) -> Result<Vec<LinuxIdMapping>> {
    let line = |range: &IdRange| {
        let line = LinuxIdMappingBuilder::default().container_id(range.container);
        line.host_id(range.host).size(range.size).build().map_err(|error| super::incomplete(&error))
    };
    map.iter().map(line).collect()
}
