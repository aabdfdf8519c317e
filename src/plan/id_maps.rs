//! Id maps: those of the user namespace and those of id-mapped mounts (user_namespaces(7)).
//!
//! The kernel checks all of this again, but answers one EINVAL for everything.

use oci_spec::runtime::LinuxIdMapping;

use super::property::{each, ensure, inside};
use super::{IdMaps, IdRange, MapWriter};
use crate::error::Result;

/// Lines that the kernel takes, since Linux 4.15 (UID_GID_MAP_MAX_EXTENTS).
const LINE_LIMIT: usize = 340;

type Given<'a> = Option<&'a Vec<LinuxIdMapping>>;

/// The properties `uidMappings` and `gidMappings` of an object; absent means empty.
pub(super) fn maps(uids: Given, gids: Given) -> Result<IdMaps> {
    Ok(IdMaps {
        uids: ranges(uids).map_err(inside("uidMappings"))?,
        gids: ranges(gids).map_err(inside("gidMappings"))?,
    })
}

fn ranges(given: Given) -> Result<Vec<IdRange>> {
    let count = given.map_or(0, Vec::len);
    let problem = format!("has {count} entries; the kernel takes {LINE_LIMIT}");
    ensure(count <= LINE_LIMIT, "", problem)?;
    let mut before: Vec<IdRange> = Vec::new();
    each("", given, |mapping| {
        let (container, host) = (mapping.container_id(), mapping.host_id());
        let range = IdRange { container, host, size: mapping.size() };
        check(range, &before)?;
        before.push(range);
        Ok(range)
    })
}

fn check(range: IdRange, before: &[IdRange]) -> Result<()> {
    ensure(range.size > 0, "size", "maps nothing")?;
    // 4294967295 is (uid_t) -1, which means "no id": the end may reach it, not pass it.
    let fits = |first: u32| first.checked_add(range.size).is_some();
    let beyond = "goes beyond the last id, 4294967294";
    ensure(fits(range.container) && fits(range.host), "", beyond)?;
    let overlaps = |one: u32, other: u32, size: u32| one < other + size && other < one + range.size;
    let clash = before.iter().any(|known| {
        overlaps(range.container, known.container, known.size)
            || overlaps(range.host, known.host, known.size)
    });
    ensure(!clash, "", "overlaps an entry before it")
}

/// `id`, if the container can have it: 4294967295 means "leave as it is" to setresuid(2), so that
/// the process would stay root (the class of CVE-2026-30892), and what is not mapped is EINVAL.
/// Empty ranges: there is no map, or it is not ours to know.
pub(super) fn mapped(id: u32, ranges: &[IdRange]) -> Result<u32> {
    ensure(id != u32::MAX, "", format!("{id} is not an id but the absence of one"))?;
    let is_mapped = ranges.is_empty() || contains(ranges, id);
    ensure(is_mapped, "", format!("{id} is not mapped in the user namespace"))?;
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
    use super::*;
    use serde_json::json;

    /// containerID, hostID, size
    type Triple = (u32, u32, u32);

    fn read(triples: &[Triple]) -> Result<Vec<IdRange>> {
        let given: Vec<LinuxIdMapping> = triples
            .iter()
            .map(|(container, host, size)| json!({"containerID": container, "hostID": host, "size": size}))
            .map(|mapping| serde_json::from_value(mapping).unwrap())
            .collect();
        ranges(Some(&given)).map_err(inside("linux.uidMappings"))
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
