//! linux.namespaces, with the id maps and clock offsets that belong to them.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::os::fd::AsFd;

use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use oci_spec::runtime::{Linux, LinuxNamespace, LinuxNamespaceType, LinuxTimeOffset};

use super::{IdMaps, Namespaces, id_maps, strings};
use crate::error::{Error, Result};
use crate::sys::constants::CLONE_NEWTIME;
use crate::sys::{credentials, file};

/// A kind of namespace.
struct Kind {
    /// Its name in the specification.
    name: &'static str,
    given: LinuxNamespaceType,
    flag: CloneFlags,
    /// Our own namespace of this kind.
    ours: &'static CStr,
}

/// The kinds, in the order of joining: the user namespace first, since it gives the right to
/// join the others; the mount namespace last, since the paths of the others are ours.
const KINDS: [Kind; 8] = [
    kind("user", LinuxNamespaceType::User, CloneFlags::CLONE_NEWUSER, c"/proc/self/ns/user"),
    kind("pid", LinuxNamespaceType::Pid, CloneFlags::CLONE_NEWPID, c"/proc/self/ns/pid"),
    kind("time", LinuxNamespaceType::Time, CLONE_NEWTIME, c"/proc/self/ns/time"),
    kind(
        "cgroup",
        LinuxNamespaceType::Cgroup,
        CloneFlags::CLONE_NEWCGROUP,
        c"/proc/self/ns/cgroup",
    ),
    kind("ipc", LinuxNamespaceType::Ipc, CloneFlags::CLONE_NEWIPC, c"/proc/self/ns/ipc"),
    kind("uts", LinuxNamespaceType::Uts, CloneFlags::CLONE_NEWUTS, c"/proc/self/ns/uts"),
    kind("network", LinuxNamespaceType::Network, CloneFlags::CLONE_NEWNET, c"/proc/self/ns/net"),
    kind("mount", LinuxNamespaceType::Mount, CloneFlags::CLONE_NEWNS, c"/proc/self/ns/mnt"),
];

const fn kind(
    name: &'static str,
    given: LinuxNamespaceType,
    flag: CloneFlags,
    ours: &'static CStr,
) -> Kind {
    Kind { name, given, flag, ours }
}

/// Reads the list and what depends on it.
pub(super) fn namespaces(linux: &Linux, warnings: &mut Vec<String>) -> Result<Namespaces> {
    let list = linux.namespaces().as_ref().map_or(&[][..], Vec::as_slice);
    let mut namespaces = Namespaces::default();
    for kind in &KINDS {
        let mut found = list.iter().enumerate().filter(|(_, entry)| entry.typ() == kind.given);
        if let Some((at, entry)) = found.next() {
            add(&mut namespaces, kind, &format!("linux.namespaces[{at}].path"), entry)?;
        }
        if let Some((at, _)) = found.next() {
            let property = format!("linux.namespaces[{at}].type");
            return Err(Error::config(property, format!("a second {} namespace", kind.name)));
        }
    }
    if !is_own(&namespaces, CloneFlags::CLONE_NEWNS)? {
        let problem = "needs one of type mount: without it the host itself would be mounted over";
        return Err(Error::config("linux.namespaces", problem));
    }
    check_rights(namespaces.has_user(), credentials::geteuid())?;
    read_maps(&mut namespaces, linux, warnings)?;
    read_offsets(&mut namespaces, linux.time_offsets().as_ref())?;
    Ok(namespaces)
}

/// Only in a user namespace may an ordinary user make the others (user_namespaces(7)).
fn check_rights(has_user: bool, uid: u32) -> Result<()> {
    if has_user || uid == 0 {
        return Ok(());
    }
    let problem = "needs one of type user, unless root runs jec";
    Err(Error::config("linux.namespaces", problem))
}

/// An empty path is an absent one: Go's encoder cannot tell them apart.
fn add(
    namespaces: &mut Namespaces,
    kind: &Kind,
    property: &str,
    entry: &LinuxNamespace,
) -> Result<()> {
    match entry.path() {
        Some(path) if !path.as_os_str().is_empty() => {
            let path = strings::absolute(property, path)?;
            namespaces.joined.push((kind.flag, path));
        }
        _ => namespaces.new |= kind.flag,
    }
    Ok(())
}

/// Whether the container has a namespace of this kind that is not ours, so that a change in it
/// stays away from the host. A path may well lead back to our own (CVE-2022-0811 is what a
/// sysctl of the host is worth).
pub(super) fn is_own(namespaces: &Namespaces, flag: CloneFlags) -> Result<bool> {
    if namespaces.makes(flag) {
        return Ok(true);
    }
    let joined = namespaces.joined.iter().find(|(kind, _)| *kind == flag);
    let kind = KINDS.iter().find(|kind| kind.flag == flag);
    let (Some((_, path)), Some(kind)) = (joined, kind) else {
        return Ok(false);
    };
    let theirs =
        inode(path).map_err(|error| Error::config("linux.namespaces", error.to_string()))?;
    Ok(theirs != inode(kind.ours)?)
}

/// Device and inode: what namespaces(7) says to compare.
fn inode(path: &CStr) -> Result<(u64, u64)> {
    let file = file::openat(file::HERE, path, OFlag::O_PATH, 0)?;
    let found = file::fstat(file.as_fd())?;
    Ok((found.st_dev, found.st_ino))
}

fn read_maps(namespaces: &mut Namespaces, linux: &Linux, warnings: &mut Vec<String>) -> Result<()> {
    let maps = IdMaps {
        uids: id_maps::ranges("linux.uidMappings", linux.uid_mappings().as_ref())?,
        gids: id_maps::ranges("linux.gidMappings", linux.gid_mappings().as_ref())?,
    };
    let lists = [("linux.uidMappings", &maps.uids), ("linux.gidMappings", &maps.gids)];
    let makes_user = namespaces.makes(CloneFlags::CLONE_NEWUSER);
    for (property, ranges) in lists {
        if makes_user && ranges.is_empty() {
            let problem = "a new user namespace without it has no ids at all";
            return Err(Error::config(property, problem));
        }
        if !namespaces.has_user() && !ranges.is_empty() {
            return Err(Error::config(property, "there is no user namespace to map ids for"));
        }
        if !makes_user && !ranges.is_empty() {
            warnings.push(format!("{property}: the joined user namespace keeps its own map"));
        }
    }
    if makes_user {
        namespaces.map_writer =
            id_maps::writer(&maps, credentials::geteuid(), credentials::getegid());
        namespaces.ids = maps;
    }
    Ok(())
}

/// The clocks that a time namespace shifts (time_namespaces(7)).
const CLOCKS: [&str; 2] = ["boottime", "monotonic"];

fn read_offsets(
    namespaces: &mut Namespaces,
    given: Option<&HashMap<String, LinuxTimeOffset>>,
) -> Result<()> {
    let given: BTreeMap<_, _> = given.into_iter().flatten().collect();
    if !given.is_empty() && !namespaces.makes(CLONE_NEWTIME) {
        let problem = "needs a new time namespace: offsets are fixed when its first process starts";
        return Err(Error::config("linux.timeOffsets", problem));
    }
    for (name, offset) in given {
        let property = format!("linux.timeOffsets.{name}");
        let Some(clock) = CLOCKS.into_iter().find(|clock| clock == name) else {
            return Err(Error::config(property, "is neither boottime nor monotonic"));
        };
        let nanoseconds = offset.nanosecs().unwrap_or(0);
        if nanoseconds >= 1_000_000_000 {
            let problem = format!("{nanoseconds} is a second or more");
            return Err(Error::config(format!("{property}.nanosecs"), problem));
        }
        namespaces.clock_offsets.push((clock, offset.secs().unwrap_or(0), nanoseconds));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_user_needs_a_user_namespace() {
        assert!(check_rights(true, 1000).is_ok());
        assert!(check_rights(false, 0).is_ok());
        assert!(check_rights(false, 1000).is_err());
    }

    #[test]
    fn our_own_namespaces_are_not_the_containers_own() {
        for kind in &KINDS {
            let mut namespaces = Namespaces::default();
            assert!(!is_own(&namespaces, kind.flag).unwrap(), "{}", kind.name);
            namespaces.joined.push((kind.flag, kind.ours.into()));
            assert!(!is_own(&namespaces, kind.flag).unwrap(), "{}", kind.name);
            namespaces.joined[0].1 = c"/proc/self/exe".into();
            assert!(is_own(&namespaces, kind.flag).unwrap(), "{}", kind.name);
            namespaces.joined.clear();
            namespaces.new = kind.flag;
            assert!(is_own(&namespaces, kind.flag).unwrap(), "{}", kind.name);
        }
    }
}
