//! linux.namespaces, with the clock offsets and id maps that belong to them.

use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::AsFd;

use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use oci_spec::runtime::LinuxNamespaceType::{
    self as Kind, Cgroup, Ipc, Mount, Network, Pid, Time, User, Uts,
};

use super::property::Property;
use crate::error::Result;
use crate::plan::{IdMaps, IdRange, MapWriter, Namespaces};
use crate::sys::{credentials, file};

/// The order of joining: the user namespace first, since it gives the right to join the others;
/// the mount namespace last, since the paths of the others are ours.
pub(in crate::plan) const ORDER: [Kind; 8] = [User, Pid, Time, Cgroup, Ipc, Uts, Network, Mount];

/// Every kind in that order: its name in /proc/PID/ns, where oci_spec shows mount and network as
/// mnt and net, and its flag.
pub fn kinds() -> [(String, CloneFlags); 8] {
    ORDER.map(|kind| (kind.to_string(), flag(kind)))
}

/// oci_spec counts the kinds by their flags of clone(2).
fn flag(kind: Kind) -> CloneFlags {
    CloneFlags::from_bits_retain(kind as i32)
}

/// Reads the list and what depends on it.
pub(super) fn namespaces(linux: &Property, warnings: &mut Vec<String>) -> Result<Namespaces> {
    let mut namespaces = listed(linux)?;
    let list = linux.at("namespaces")?;
    let problem = "needs one of type mount: without it the host itself would be mounted over";
    list.ensure(is_own(&list, &namespaces, Mount)?, problem)?;
    let may_make = may_make(namespaces.has_user(), credentials::geteuid());
    list.ensure(may_make, "needs one of type user, unless root runs jec")?;
    read_maps(&mut namespaces, linux, warnings)?;
    namespaces.clock_offsets = linux.each_entry("timeOffsets", clock_offset)?;
    let is_new = namespaces.makes(flag(Time)) || namespaces.clock_offsets.is_empty();
    let problem = "needs a new time namespace: offsets are fixed when its first process starts";
    linux.at("timeOffsets")?.ensure(is_new, problem)?;
    Ok(namespaces)
}

fn listed(linux: &Property) -> Result<Namespaces> {
    let mut seen = HashSet::new();
    let mut list = linux.each("namespaces", |entry| {
        let typ = entry.at("type")?;
        let (kind, name): (Kind, String) = (typ.read()?, typ.read()?);
        typ.ensure(seen.insert(kind), format!("a second {name} namespace"))?;
        // An empty path is an absent one: Go's encoder cannot tell them apart.
        let is_new = entry.get::<String>("path")?.unwrap_or_default().is_empty();
        let path = if is_new { None } else { Some(entry.at("path")?.absolute()?) };
        Ok((kind, path))
    })?;
    list.sort_by_key(|(kind, _)| ORDER.iter().position(|known| known == kind));
    let mut namespaces = Namespaces::default();
    for (kind, path) in list {
        match path {
            Some(path) => namespaces.joined.push((flag(kind), path)),
            None => namespaces.new.push(flag(kind)),
        }
    }
    Ok(namespaces)
}

/// Only in a user namespace may an ordinary user make the others (user_namespaces(7)).
fn may_make(has_user: bool, uid: u32) -> bool {
    has_user || uid == 0
}

/// Whether the container has a namespace of this kind that is not ours, so that a change in it
/// stays away from the host. A path may well lead back to our own (CVE-2022-0811 is what a
/// sysctl of the host is worth). `asking` is the property that depends on it.
pub(super) fn is_own(asking: &Property, namespaces: &Namespaces, kind: Kind) -> Result<bool> {
    let joined = namespaces.joined.iter().find(|(joined, _)| *joined == flag(kind));
    let Some((_, path)) = joined else {
        return Ok(namespaces.makes(flag(kind)));
    };
    // oci_spec shows mount and network as /proc does: mnt and net.
    let ours = asking.to_c_string(format!("/proc/self/ns/{kind}"))?;
    let theirs = inode(path).map_err(|error| asking.wrong(error))?;
    Ok(theirs != inode(&ours)?)
}

/// Device and inode: what namespaces(7) says to compare.
fn inode(path: &CStr) -> Result<(u64, u64)> {
    file::identity(file::openat(file::HERE, path, OFlag::O_PATH, 0)?.as_fd())
}

fn read_maps(
    namespaces: &mut Namespaces,
    linux: &Property,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let maps = maps(linux)?;
    let (makes_user, has_user) = (namespaces.makes(flag(User)), namespaces.has_user());
    for (name, ranges) in [("uidMappings", &maps.uids), ("gidMappings", &maps.gids)] {
        let (given, is_given) = (linux.at(name)?, !ranges.is_empty());
        let no_ids = "a new user namespace without it has no ids at all";
        given.ensure(is_given || !makes_user, no_ids)?;
        given.ensure(!is_given || has_user, "there is no user namespace to map ids for")?;
        if is_given && !makes_user {
            warnings.push(given.warning("the joined user namespace keeps its own map"));
        }
    }
    if makes_user {
        let (uid, gid) = (credentials::geteuid(), credentials::getegid());
        namespaces.map_writer = writer(&maps, uid, gid);
        namespaces.ids = maps;
    }
    Ok(())
}

/// The clocks that a time namespace shifts (time_namespaces(7)).
const CLOCKS: [&str; 2] = ["boottime", "monotonic"];

fn clock_offset(name: &str, given: &Property) -> Result<(&'static str, i64, u32)> {
    let known = CLOCKS.into_iter().find(|clock| *clock == name);
    let clock = known.ok_or_else(|| given.wrong("is neither boottime nor monotonic"))?;
    let nanoseconds = given.optional("nanosecs", |given| given.within(0..=999_999_999))?;
    Ok((clock, given.get("secs")?.unwrap_or(0), nanoseconds.unwrap_or(0)))
}

/// Lines of an id map that the kernel takes, since Linux 4.15 (UID_GID_MAP_MAX_EXTENTS).
const LINE_LIMIT: usize = 340;

/// The properties `uidMappings` and `gidMappings` of an object, of the user namespace or of a
/// mount (user_namespaces(7)); absent means empty. The kernel checks all of this again, but
/// answers one EINVAL for everything.
pub(super) fn maps(given: &Property) -> Result<IdMaps> {
    Ok(IdMaps { uids: ranges(given, "uidMappings")?, gids: ranges(given, "gidMappings")? })
}

fn ranges(given: &Property, name: &str) -> Result<Vec<IdRange>> {
    let count = given.each(name, |_| Ok(()))?.len();
    let problem = format!("has {count} entries; the kernel takes {LINE_LIMIT}");
    given.at(name)?.ensure(count <= LINE_LIMIT, problem)?;
    let mut ranges: Vec<IdRange> = Vec::new();
    given.each(name, |mapping| {
        let number = |name| mapping.at(name)?.read();
        let (container, host) = (number("containerID")?, number("hostID")?);
        let range = IdRange { container, host, size: number("size")? };
        check(mapping, range, &ranges)?;
        ranges.push(range);
        Ok(())
    })?;
    Ok(ranges)
}

fn check(given: &Property, range: IdRange, before: &[IdRange]) -> Result<()> {
    given.at("size")?.ensure(range.size > 0, "maps nothing")?;
    // 4294967295 is (uid_t) -1, which means "no id": the end may reach it, not pass it.
    let fits = |first: u32| first.checked_add(range.size).is_some();
    let beyond = "goes beyond the last id, 4294967294";
    given.ensure(fits(range.container) && fits(range.host), beyond)?;
    let overlaps = |one: u32, other: u32, size: u32| one < other + size && other < one + range.size;
    let clash = before.iter().any(|known| {
        overlaps(range.container, known.container, known.size)
            || overlaps(range.host, known.host, known.size)
    });
    given.ensure(!clash, "overlaps an entry before it")
}

/// `id`, if the container can have it: 4294967295 means "leave as it is" to setresuid(2), so that
/// the process would stay root (the class of CVE-2026-30892), and what is not mapped is EINVAL.
/// Empty ranges: there is no map, or it is not ours to know.
pub(super) fn mapped(given: &Property, id: u32, ranges: &[IdRange]) -> Result<u32> {
    given.ensure(id != u32::MAX, format!("{id} is not an id but the absence of one"))?;
    let is_mapped = ranges.is_empty() || contains(ranges, id);
    given.ensure(is_mapped, format!("{id} is not mapped in the user namespace"))?;
    Ok(id)
}

fn contains(ranges: &[IdRange], id: u32) -> bool {
    let holds = |range: &IdRange| (range.container..range.container + range.size).contains(&id);
    ranges.iter().any(holds)
}

/// Who has to write these maps, if the effective ids are `uid` and `gid`: root may write any,
/// others one line of their own id, and for all else the set-user-ID helpers look into
/// /etc/subuid.
pub(super) fn writer(maps: &IdMaps, uid: u32, gid: u32) -> MapWriter {
    let is_own =
        |ranges: &[IdRange], id: u32| matches!(ranges, [only] if only.size == 1 && only.host == id);
    if uid == 0 {
        MapWriter::Privileged
    } else if is_own(&maps.uids, uid) && is_own(&maps.gids, gid) {
        MapWriter::SingleId
    } else {
        MapWriter::Helpers
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;
    use crate::sys::constants::CLONE_NEWTIME;
    use serde_json::json;

    #[test]
    fn an_ordinary_user_needs_a_user_namespace() {
        assert!(may_make(true, 1000));
        assert!(may_make(false, 0));
        assert!(!may_make(false, 1000));
    }

    #[test]
    fn our_own_namespaces_are_not_the_containers_own() {
        let asking = Property::new("linux.namespaces", &serde_json::Value::Null);
        let is_own = |namespaces: &Namespaces, kind| is_own(&asking, namespaces, kind);
        for kind in ORDER {
            let mut namespaces = Namespaces::default();
            assert!(!is_own(&namespaces, kind).unwrap(), "{kind}");
            namespaces
                .joined
                .push((flag(kind), CString::new(format!("/proc/self/ns/{kind}")).unwrap()));
            assert!(!is_own(&namespaces, kind).unwrap(), "{kind}");
            namespaces.joined[0].1 = c"/proc/self/exe".into();
            assert!(is_own(&namespaces, kind).unwrap(), "{kind}");
            namespaces.joined.clear();
            namespaces.new = vec![flag(kind)];
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

    /// containerID, hostID, size
    type Triple = (u32, u32, u32);

    fn read(triples: &[Triple]) -> Result<Vec<IdRange>> {
        let mapping = |(container, host, size): &Triple| json!({"containerID": container, "hostID": host, "size": size});
        let given = json!({"uidMappings": triples.iter().map(mapping).collect::<Vec<_>>()});
        ranges(&Property::new("linux", &given), "uidMappings")
    }

    #[test]
    fn maps_that_the_kernel_takes_are_taken() {
        let good: &[&[Triple]] = &[
            &[],
            &[(0, 1000, 1)],
            &[(0, 0, u32::MAX)],
            &[(0, 1000, 1), (1, 100_000, 65_536)],
            &[(u32::MAX - 1, u32::MAX - 1, 1)],
            &[(10, 5, 5), (5, 10, 5)],
        ];
        for triples in good {
            assert_eq!(read(triples).unwrap().len(), triples.len(), "{triples:?}");
        }
    }

    #[test]
    fn maps_that_the_kernel_refuses_are_named() {
        let bad: &[(&[Triple], &str)] = &[
            (&[(0, 0, 0)], "linux.uidMappings[0].size: maps nothing"),
            (&[(1, 0, u32::MAX)], "linux.uidMappings[0]: goes beyond"),
            (&[(0, u32::MAX, 1)], "linux.uidMappings[0]: goes beyond"),
            (&[(0, 0, 2), (1, 5, 1)], "linux.uidMappings[1]: overlaps"),
            (&[(0, 0, 2), (5, 1, 1)], "linux.uidMappings[1]: overlaps"),
            (&[(7, 7, 1); 341], "linux.uidMappings: has 341 entries"),
        ];
        for (triples, message) in bad {
            let error = read(triples).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn an_id_is_looked_up_as_the_container_sees_it() {
        let ranges = read(&[(0, 1000, 1), (10, 100_000, 10)]).unwrap();
        for (id, mapped) in [(0, true), (1, false), (9, false), (10, true), (19, true), (20, false)]
        {
            assert_eq!(contains(&ranges, id), mapped, "{id}");
        }
    }

    #[test]
    fn who_writes_the_maps_depends_on_whose_ids_they_are() {
        let own = [(0, 1000, 1)];
        let ranges = [(0, 1000, 1), (1, 100_000, 65_536)];
        let maps = |uids: &[Triple], gids: &[Triple]| IdMaps {
            uids: read(uids).unwrap(),
            gids: read(gids).unwrap(),
        };
        assert_eq!(writer(&maps(&ranges, &ranges), 0, 0), MapWriter::Privileged);
        assert_eq!(writer(&maps(&own, &own), 1000, 1000), MapWriter::SingleId);
        assert_eq!(writer(&maps(&own, &own), 1000, 1001), MapWriter::Helpers);
        assert_eq!(writer(&maps(&own, &ranges), 1000, 1000), MapWriter::Helpers);
    }
}
