//! Limits: each is written, then read back.
//!
//! The kernel is free to round what it is given, and some files take a word and
//! keep another. A limit that is not what was asked for is an error, not a hope.

use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::{c_string, read};
use crate::error::{Error, Result};
use crate::sys::cgroupfs;

/// Writes the limits in order and checks each.
pub(super) fn write(dir: BorrowedFd, limits: &[(String, String)]) -> Result<()> {
    for (file, value) in limits {
        match set(dir, file, value) {
            Err(error) if error.is(Errno::ENOENT) && is_spare(dir, file, value) => {}
            other => other?,
        }
    }
    Ok(())
}

/// Writes one file of a cgroup and compares what the kernel says then.
pub(super) fn set(dir: BorrowedFd, file: &str, value: &str) -> Result<()> {
    let name = c_string(file)?;
    cgroupfs::write(dir, &name, value)?;
    if !is_known(file) {
        return Ok(());
    }
    let found = read(dir, &name)?;
    if holds(file, value, found.trim()) {
        return Ok(());
    }
    Err(Error::differs(file, value, found.trim()))
}

/// Whether a file that does not exist is no loss: without CONFIG_SWAP there is
/// no swap to be unlimited, and two files come in pairs, of which a kernel may
/// have one (see plan/config/resources.rs).
fn is_spare(dir: BorrowedFd, file: &str, value: &str) -> bool {
    let twin = match file {
        "memory.swap.max" => return value == "max",
        "io.weight" => "io.bfq.weight".to_owned(),
        "io.bfq.weight" => "io.weight".to_owned(),
        other => match other.strip_suffix(".rsvd.max") {
            Some(size) => format!("{size}.max"),
            None => return false,
        },
    };
    c_string(&twin).is_ok_and(|twin| cgroupfs::writable(dir, &twin).is_ok())
}

/// The files whose content is the limit in the form in which it was written.
/// Others (`unified` may name any) are written, and the kernel's word is taken.
fn is_known(file: &str) -> bool {
    let what = file.rsplit('.').next().unwrap_or_default();
    match file.split('.').next() {
        Some("memory") => matches!(what, "max" | "high" | "low" | "min" | "group"),
        Some("cpu") => matches!(what, "weight" | "max" | "burst" | "idle" | "nice"),
        Some("cpuset") => matches!(what, "cpus" | "mems"),
        Some("io") => matches!(what, "weight" | "max"),
        Some("hugetlb" | "pids" | "rdma" | "misc") => what == "max",
        _ => false,
    }
}

/// Whether `found`, read from `file`, means what was written.
fn holds(file: &str, wanted: &str, found: &str) -> bool {
    if wanted == found {
        return true;
    }
    match file.split('.').next() {
        Some("memory" | "hugetlb") => number_holds(wanted, found, unit(file)),
        // The kernel writes 0,1,2 as 0-2; strides ("0-31:2/4") are its own business.
        Some("cpuset") => members(wanted).is_none_or(|wanted| Some(wanted) == members(found)),
        // `cpu.max` takes "max" for "max 100000".
        Some("cpu") => {
            found.split(' ').zip(wanted.split(' ')).all(|(found, wanted)| found == wanted)
        }
        // One line for each device: every word that was written is in that device's line.
        Some("io" | "rdma" | "misc") => line_holds(wanted, found),
        _ => false,
    }
}

/// Memory is counted in pages, so a limit is rounded down to one; what is too
/// large to count (2^63 - 1 is a customary "unlimited") becomes `max`.
fn number_holds(wanted: &str, found: &str, unit: u64) -> bool {
    match (wanted.parse::<u64>(), found.parse::<u64>()) {
        (Ok(wanted), Ok(found)) => found <= wanted && wanted - found < unit,
        (Ok(wanted), Err(_)) => found == "max" && wanted > u64::MAX / 2 - unit,
        _ => false,
    }
}

/// What a limit is rounded down to: a huge page, or a page, of 64 KiB at most.
fn unit(file: &str) -> u64 {
    let Some(size) = file.strip_prefix("hugetlb.").and_then(|rest| rest.split('.').next()) else {
        return 64 << 10;
    };
    let number = size.trim_end_matches(['K', 'M', 'G', 'B']);
    let shift = match &size[number.len()..] {
        "KB" => 10,
        "MB" => 20,
        _ => 30,
    };
    number.parse::<u64>().map_or(1, |number| number << shift)
}

/// The members of a list such as `0-3,8`; none when it is written otherwise or
/// names more than a machine can have.
fn members(text: &str) -> Option<BTreeSet<u32>> {
    let mut all = BTreeSet::new();
    for range in text.split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        if to > 1 << 16 {
            return None;
        }
        all.extend(from..=to);
    }
    Some(all)
}

fn line_holds(wanted: &str, found: &str) -> bool {
    let mut words = wanted.split_whitespace();
    let device = words.next();
    let of_device = |line: &&str| line.split_whitespace().next() == device;
    match found.lines().find(of_device) {
        Some(line) => words.all(|word| line.split_whitespace().any(|found| found == word)),
        // A device without any limit has no line.
        None => words.all(|word| word.ends_with("=max")),
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
            ("cpu.weight", "59", "58", false),
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
            assert_eq!(holds(file, wanted, found), expected, "{file} {wanted:?} {found:?}");
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
            assert_eq!(is_known(file), expected, "{file}");
        }
    }
}
