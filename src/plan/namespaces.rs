//! linux.namespaces, with the id maps and clock offsets that belong to them.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use oci_spec::runtime::{Linux, LinuxNamespaceType as Kind, LinuxTimeOffset};

use super::property::{absolute, c_string, each, each_entry, ensure, inside, within};
use super::{Namespaces, id_maps};
use crate::error::{Error, Result};
use crate::sys::{credentials, file};

/// The order of joining: the user namespace first, since it gives the right to join the others;
/// the mount namespace last, since the paths of the others are ours.
const ORDER: [Kind; 8] = [
    Kind::User,
    Kind::Pid,
    Kind::Time,
    Kind::Cgroup,
    Kind::Ipc,
    Kind::Uts,
    Kind::Network,
    Kind::Mount,
];

/// oci_spec counts the kinds by their flags of clone(2).
fn flag(kind: Kind) -> CloneFlags {
    CloneFlags::from_bits_retain(kind as i32)
}

/// Reads the list and what depends on it.
pub(super) fn namespaces(linux: &Linux, warnings: &mut Vec<String>) -> Result<Namespaces> {
    let mut namespaces = listed(linux).map_err(inside("namespaces"))?;
    read_maps(&mut namespaces, linux, warnings)?;
    namespaces.clock_offsets = each_entry("timeOffsets", linux.time_offsets(), clock_offset)?;
    let is_new = namespaces.makes(flag(Kind::Time)) || namespaces.clock_offsets.is_empty();
    let problem = "needs a new time namespace: offsets are fixed when its first process starts";
    ensure(is_new, "timeOffsets", problem)?;
    Ok(namespaces)
}

fn listed(linux: &Linux) -> Result<Namespaces> {
    let mut seen = HashSet::new();
    let mut list = each("", linux.namespaces(), |entry| {
        let kind = entry.typ();
        let name = format!("{kind:?}").to_lowercase();
        ensure(seen.insert(kind), "type", format!("a second {name} namespace"))?;
        // An empty path is an absent one: Go's encoder cannot tell them apart.
        let path = entry.path().as_ref().filter(|path| !path.as_os_str().is_empty());
        Ok((kind, path.map(absolute).transpose().map_err(inside("path"))?))
    })?;
    list.sort_by_key(|(kind, _)| ORDER.iter().position(|known| known == kind));
    let mut namespaces = Namespaces::default();
    for (kind, path) in list {
        match path {
            Some(path) => namespaces.joined.push((flag(kind), path)),
            None => namespaces.new |= flag(kind),
        }
    }
    let problem = "needs one of type mount: without it the host itself would be mounted over";
    ensure(is_own(&namespaces, Kind::Mount)?, "", problem)?;
    check_rights(namespaces.has_user(), credentials::geteuid())?;
    Ok(namespaces)
}

/// Only in a user namespace may an ordinary user make the others (user_namespaces(7)).
fn check_rights(has_user: bool, uid: u32) -> Result<()> {
    ensure(has_user || uid == 0, "", "needs one of type user, unless root runs jec")
}

/// Whether the container has a namespace of this kind that is not ours, so that a change in it
/// stays away from the host. A path may well lead back to our own (CVE-2022-0811 is what a
/// sysctl of the host is worth).
pub(super) fn is_own(namespaces: &Namespaces, kind: Kind) -> Result<bool> {
    let joined = namespaces.joined.iter().find(|(joined, _)| *joined == flag(kind));
    let Some((_, path)) = joined else {
        return Ok(namespaces.makes(flag(kind)));
    };
    let theirs = inode(path).map_err(|error| Error::config("", error.to_string()))?;
    Ok(theirs != inode(&ours(kind)?)?)
}

/// Our own namespace of this kind: oci_spec shows mount and network as /proc does, mnt and net.
fn ours(kind: Kind) -> Result<CString> {
    c_string(format!("/proc/self/ns/{kind}"))
}

/// Device and inode: what namespaces(7) says to compare.
fn inode(path: &CStr) -> Result<(u64, u64)> {
    let file = file::openat(file::HERE, path, OFlag::O_PATH, 0)?;
    let found = file::fstat(file.as_fd())?;
    Ok((found.st_dev, found.st_ino))
}

fn read_maps(namespaces: &mut Namespaces, linux: &Linux, warnings: &mut Vec<String>) -> Result<()> {
    let maps = id_maps::maps(linux.uid_mappings().as_ref(), linux.gid_mappings().as_ref())?;
    let (makes_user, has_user) = (namespaces.makes(flag(Kind::User)), namespaces.has_user());
    for (name, ranges) in [("uidMappings", &maps.uids), ("gidMappings", &maps.gids)] {
        let is_given = !ranges.is_empty();
        let no_ids = "a new user namespace without it has no ids at all";
        ensure(is_given || !makes_user, name, no_ids)?;
        ensure(!is_given || has_user, name, "there is no user namespace to map ids for")?;
        if is_given && !makes_user {
            warnings.push(format!("linux.{name}: the joined user namespace keeps its own map"));
        }
    }
    if makes_user {
        let (uid, gid) = (credentials::geteuid(), credentials::getegid());
        namespaces.map_writer = id_maps::writer(&maps, uid, gid);
        namespaces.ids = maps;
    }
    Ok(())
}

/// The clocks that a time namespace shifts (time_namespaces(7)).
const CLOCKS: [&str; 2] = ["boottime", "monotonic"];

fn clock_offset(name: &str, given: &LinuxTimeOffset) -> Result<(&'static str, i64, u32)> {
    let known = CLOCKS.into_iter().find(|clock| *clock == name);
    let clock = known.ok_or_else(|| Error::config("", "is neither boottime nor monotonic"))?;
    let nanoseconds = within("nanosecs", given.nanosecs().unwrap_or(0), 0..=999_999_999)?;
    Ok((clock, given.secs().unwrap_or(0), nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::constants::CLONE_NEWTIME;

    #[test]
    fn an_ordinary_user_needs_a_user_namespace() {
        assert!(check_rights(true, 1000).is_ok());
        assert!(check_rights(false, 0).is_ok());
        assert!(check_rights(false, 1000).is_err());
    }

    #[test]
    fn our_own_namespaces_are_not_the_containers_own() {
        for kind in ORDER {
            let mut namespaces = Namespaces::default();
            assert!(!is_own(&namespaces, kind).unwrap(), "{kind}");
            namespaces.joined.push((flag(kind), ours(kind).unwrap()));
            assert!(!is_own(&namespaces, kind).unwrap(), "{kind}");
            namespaces.joined[0].1 = c"/proc/self/exe".into();
            assert!(is_own(&namespaces, kind).unwrap(), "{kind}");
            namespaces.joined.clear();
            namespaces.new = flag(kind);
            assert!(is_own(&namespaces, kind).unwrap(), "{kind}");
        }
    }

    #[test]
    fn each_kind_has_its_flag() {
        let flags = [
            CloneFlags::CLONE_NEWUSER,
            CloneFlags::CLONE_NEWPID,
            CLONE_NEWTIME,
            CloneFlags::CLONE_NEWCGROUP,
            CloneFlags::CLONE_NEWIPC,
            CloneFlags::CLONE_NEWUTS,
            CloneFlags::CLONE_NEWNET,
            CloneFlags::CLONE_NEWNS,
        ];
        assert_eq!(ORDER.map(flag), flags);
    }
}
