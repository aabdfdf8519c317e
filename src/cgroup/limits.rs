//! Limits: each is written, then read back.
//!
//! The kernel is free to round what it is given, and some files take a word and
//! keep another. A limit that is not what was asked for is an error, not a hope.

use std::ffi::CString;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::read;
use crate::error::{Error, Result, ensure};
use crate::plan::list;
use crate::sys::file;

/// Writes the limits in order, and compares what the kernel says then.
pub(super) fn write(dir: BorrowedFd, limits: &[(String, String)]) -> Result<()> {
    for (file, value) in limits {
        let name = CString::new(file.as_str())?;
        match file::write_file(dir, &name, value) {
            Err(error) if error.is(Errno::ENOENT) && is_spare(dir, file, value) => continue,
            other => other?,
        }
        let Some(holds) = comparison(file) else {
            continue;
        };
        let found = read(dir, &name)?;
        let is_kept = value == found.trim() || holds(file, value, found.trim());
        ensure(is_kept, || Error::differs(file, value, found.trim()))?;
    }
    Ok(())
}

/// Whether a file that does not exist is no loss: without CONFIG_SWAP there is
/// no swap to be unlimited, and two files come in pairs, of which a kernel may
/// have one (see plan/config/resources.rs).
fn is_spare(dir: BorrowedFd, file: &str, value: &str) -> bool {
    let twin = match file {
        "memory.swap.max" => return value == "max",
        "io.weight" => "io.bfq.weight".to_owned(),
        "io.bfq.weight" => "io.weight".to_owned(),
        other => other.replace(".rsvd.max", ".max"),
    };
    CString::new(twin).is_ok_and(|twin| file::writable(dir, &twin).is_ok())
}

/// How to tell whether a limit holds: by the file, what was written into it, and what was
/// read from it when that is something else. None for files (`unified` may name any) whose
/// content is no limit: there the kernel's word is taken.
fn comparison(file: &str) -> Option<fn(&str, &str, &str) -> bool> {
    let what = file.rsplit('.').next()?;
    match (file.split('.').next()?, what) {
        ("memory", "max" | "high" | "low" | "min") | ("hugetlb", "max") => Some(number_holds),
        ("cpuset", "cpus" | "mems") => Some(members_hold),
        ("memory", "group")
        | ("cpu", "weight" | "max" | "burst" | "idle" | "nice")
        | ("io", "weight" | "max")
        | ("pids" | "rdma" | "misc", "max") => Some(line_holds),
        _ => None,
    }
}

/// Memory is counted in pages, so a limit is rounded down to one; what is too
/// large to count (2^63 - 1 is a customary "unlimited") becomes `max`.
fn number_holds(file: &str, wanted: &str, found: &str) -> bool {
    match (wanted.parse::<u64>(), found.parse::<u64>()) {
        (Ok(wanted), Ok(found)) => found <= wanted && wanted - found < unit(file),
        (Ok(wanted), Err(_)) => found == "max" && wanted > u64::MAX / 2 - unit(file),
        _ => false,
    }
}

/// What a limit is rounded down to: a huge page (`hugetlb.2MB.max`), or a page, of 64 KiB
/// at most.
fn unit(file: &str) -> u64 {
    let size = file.split('.').nth(1).unwrap_or_default();
    let bytes = |(unit, shift)| Some(size.strip_suffix(unit)?.parse::<u64>().ok()? << shift);
    [("KB", 10), ("MB", 20), ("GB", 30)].into_iter().find_map(bytes).unwrap_or(64 << 10)
}

/// The kernel writes 0,1,2 as 0-2; strides ("0-31:2/4") are its own business.
fn members_hold(_file: &str, wanted: &str, found: &str) -> bool {
    let members = |text| list(text, 1 << 16);
    members(wanted).is_none_or(|wanted| Some(wanted) == members(found))
}

/// One line for each device (`io.max`), or one in all: every word that was written is in
/// the line that begins with the first. `cpu.max` takes "max" for "max 100000".
fn line_holds(_file: &str, wanted: &str, found: &str) -> bool {
    let mut words = wanted.split_whitespace().peekable();
    let first = words.next();
    match found.lines().find(|line| line.split_whitespace().next() == first) {
        Some(line) => words.all(|word| line.split_whitespace().any(|found| found == word)),
        // A device without any limit has no line.
        None => words.peek().is_some() && words.all(|word| word.ends_with("=max")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_rounds_still_holds_and_what_it_changed_does_not() {
        let table = [
            ("memory.max", "67108864", "67108864", true),
            ("memory.max", "67108865", "67108864", true),
            ("memory.max", "67108864", "67104768", true),
            ("memory.max", "67108864", "33554432", false),
            ("memory.max", "67108864", "67112960", false),
            ("memory.max", "67108864", "max", false),
            ("memory.max", "9223372036854775807", "max", true),
            ("memory.max", "max", "max", true),
            ("memory.max", "max", "4096", false),
            ("hugetlb.2MB.max", "4194305", "4194304", true),
            ("hugetlb.2MB.max", "4194304", "0", false),
            ("cpu.max", "50000 100000", "50000 100000", true),
            ("cpu.max", "max", "max 100000", true),
            ("cpu.max", "50000 100000", "max 100000", false),
            ("cpu.max", "max 100000", "max 50000", false),
            ("cpu.weight", "59", "58", false),
            ("memory.oom.group", "1", "0", false),
            ("pids.max", "64", "65", false),
            ("cpuset.cpus", "0,1,2,5", "0-2,5", true),
            ("cpuset.cpus", "0-1", "0", false),
            ("cpuset.cpus", "0-1", "", false),
            ("cpuset.cpus", "0-4294967295", "0-1", true),
            ("io.max", "8:0 rbps=600", "8:16 rbps=1 wbps=max\n8:0 rbps=600 wbps=max", true),
            ("io.max", "8:0 rbps=600", "8:0 rbps=700 wbps=max", false),
            ("io.max", "8:0 rbps=600", "8:16 rbps=600", false),
            ("io.max", "8:0 rbps=max", "", true),
            ("io.weight", "default 4950", "default 4950\n8:0 1", true),
            ("rdma.max", "mlx hca_handle=3", "mlx hca_handle=3 hca_object=max", true),
        ];
        for (file, wanted, found, expected) in table {
            let holds = wanted == found || comparison(file).unwrap()(file, wanted, found);
            assert_eq!(holds, expected, "{file} {wanted:?} {found:?}");
        }
    }

    #[test]
    fn only_files_that_keep_their_limit_are_read_back() {
        for (file, expected) in [
            ("memory.max", true),
            ("memory.reclaim", false),
            ("io.cost.qos", false),
            ("cpu.max.burst", true),
        ] {
            assert_eq!(comparison(file).is_some(), expected, "{file}");
        }
    }
}
