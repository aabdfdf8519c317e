//! Id map: which id inside is which id outside.
//!
//! A new user namespace has an empty map: every id is "nobody" (65534). The
//! map is written once, from outside, into /proc/PID/uid_map and gid_map. Root
//! may map anything. An ordinary user may map one id, her own, after giving up
//! setgroups (a group can also *deny* access, so dropping one must not be
//! free); for more, newuidmap and newgidmap, which are set-uid, check
//! /etc/subuid. The maps are read back. Side: runtime. Without it: uid 0 does
//! not exist inside. See user_namespaces(7), newuidmap(1), subuid(5).

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};

use crate::error::{Error, Result};
use crate::plan::{IdRange, MapWriter};
use crate::sides::Runtime;
use crate::sys::{file, program};

/// Writes both maps of the middle process.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let Some(middle) = &runtime.middle else {
        return Ok(());
    };
    let namespaces = &runtime.plan.namespaces;
    write_maps(runtime.proc.as_fd(), middle.pid, &namespaces.ids, namespaces.map_writer)
}

/// Writes the maps of the user namespace that process `pid` has just made.
pub fn write_maps(
    proc: BorrowedFd,
    pid: i32,
    ids: &crate::plan::IdMaps,
    writer: MapWriter,
) -> Result<()> {
    match writer {
        MapWriter::Privileged => {
            set(proc, pid, "uid_map", &ids.uids)?;
            set(proc, pid, "gid_map", &ids.gids)?;
        }
        MapWriter::SingleId => {
            file::write_file(proc, &path(pid, "setgroups")?, "deny")?;
            set(proc, pid, "uid_map", &ids.uids)?;
            set(proc, pid, "gid_map", &ids.gids)?;
        }
        MapWriter::Helpers => {
            program::run_helper("newuidmap", &arguments(pid, &ids.uids))?;
            program::run_helper("newgidmap", &arguments(pid, &ids.gids))?;
        }
    }
    check(proc, pid, "uid_map", &ids.uids)?;
    check(proc, pid, "gid_map", &ids.gids)
}

/// The kernel takes a map in one write, whole or not at all.
fn set(proc: BorrowedFd, pid: i32, name: &str, ranges: &[IdRange]) -> Result<()> {
    let lines = ranges.iter().fold(String::new(), |lines, range| {
        format!("{lines}{} {} {}\n", range.container, range.host, range.size)
    });
    file::write_file(proc, &path(pid, name)?, &lines)
}

/// Reads a map back: the helpers could have written another.
fn check(proc: BorrowedFd, pid: i32, name: &str, ranges: &[IdRange]) -> Result<()> {
    let found = file::read_file(proc, &path(pid, name)?, 64 * 1024)?;
    let numbers: Vec<u32> = found.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let mut found: Vec<[u32; 3]> = numbers.chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect();
    let mut wanted: Vec<[u32; 3]> =
        ranges.iter().map(|range| [range.container, range.host, range.size]).collect();
    // From six lines on, the kernel keeps a map sorted.
    found.sort_unstable();
    wanted.sort_unstable();
    if found == wanted {
        return Ok(());
    }
    Err(Error::differs(format!("/proc/{pid}/{name}"), format!("{wanted:?}"), format!("{found:?}")))
}

fn arguments(pid: i32, ranges: &[IdRange]) -> Vec<String> {
    let numbers = ranges.iter().flat_map(|range| [range.container, range.host, range.size]);
    std::iter::once(pid.to_string()).chain(numbers.map(|number| number.to_string())).collect()
}

fn path(pid: i32, name: &str) -> Result<CString> {
    Ok(CString::new(format!("{pid}/{name}"))?)
}
