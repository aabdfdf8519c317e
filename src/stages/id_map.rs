//! Id map: which id inside is which id outside.
//!
//! A new user namespace has an empty map: every id is "nobody" (65534). The
//! map is written once, from outside, into /proc/PID/uid_map and gid_map. Root
//! may map anything. An ordinary user may map one id, her own, after giving up
//! setgroups (a group can also *deny* access, so dropping one must not be
//! free); for more, newuidmap and newgidmap, which are set-uid, check
//! /etc/subuid. The maps are read back. Side: runtime. Without it: uid 0 does
//! not exist inside. See user_namespaces(7), newuidmap(1), subuid(5).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use crate::error::{Error, Result, ensure};
use crate::plan::{IdMaps, MapWriter};
use crate::sides::{Runtime, needed};
use crate::sys::{file, program};

/// Writes both maps of the middle process.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let middle = needed(runtime.middle.as_ref(), "the middle process")?;
    let namespaces = &runtime.plan.namespaces;
    write_maps(runtime.proc.as_fd(), middle.pid, &namespaces.ids, namespaces.map_writer)
}

/// Writes the maps of the user namespace that process `pid` has just made.
pub fn write_maps(proc: BorrowedFd, pid: i32, ids: &IdMaps, writer: MapWriter) -> Result<()> {
    let path = |name| -> Result<CString> { Ok(CString::new(format!("{pid}/{name}"))?) };
    if writer == MapWriter::SingleId {
        file::write_file(proc, &path("setgroups")?, "deny")?;
    }
    let maps =
        [("newuidmap", path("uid_map")?, &ids.uids), ("newgidmap", path("gid_map")?, &ids.gids)];
    for (helper, map, ranges) in maps {
        let numbers = ranges.iter().flat_map(|range| [range.container, range.host, range.size]);
        let numbers: Vec<_> = numbers.map(|number| number.to_string()).collect();
        let lines: String = numbers.chunks(3).map(|line| line.join(" ") + "\n").collect();
        if writer == MapWriter::Helpers {
            program::run_helper(helper, &[&[pid.to_string()], &*numbers].concat())?;
        } else {
            // The kernel takes a map in one write, whole or not at all.
            file::write_file(proc, &map, &lines)?;
        }
        check(proc, &map, &lines)?;
    }
    Ok(())
}

/// Reads a map back: the helpers could have written another.
fn check(proc: BorrowedFd, map: &CStr, wanted: &str) -> Result<()> {
    let found = file::read_file(proc, map, 64 * 1024)?;
    ensure(sorted(&found) == sorted(wanted), || {
        Error::differs(format!("/proc/{}", map.to_string_lossy()), wanted.trim(), found.trim())
    })
}

/// The numbers of each line. From six lines on, the kernel keeps a map sorted.
fn sorted(map: &str) -> Vec<Vec<&str>> {
    let mut lines: Vec<_> = map.lines().map(|line| line.split_whitespace().collect()).collect();
    lines.sort_unstable();
    lines
}
