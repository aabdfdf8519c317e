//! Very little memory, and very many containers.

use std::path::Path;
use std::time::Instant;

use crate::bundle::{Bundles, Purpose};
use crate::process::{Line, wait};
use crate::results::{Report, Scale, Thousand};
use crate::runtimes::Runtime;
use crate::view;

/// For each of many containers so much memory has to be available when it begins.
const EACH_KIB: u64 = 1024;
/// Where the search for the least memory.max ends, in pages of 4 KiB: 64 MiB.
const MOST_PAGES: u64 = 16 * 1024;
/// A limit is enough when so many starts in a row succeed.
const SURE: usize = 3;

/// All of it for one runtime, with at most `most` containers; what it has not is left out.
pub fn all(
    runtime: &Runtime,
    bundles: &Bundles,
    most: usize,
    report: &mut Report,
) -> Result<(), String> {
    let mut scale = Scale { runtime: runtime.name.into(), ..Scale::default() };
    if view::has_controller("memory") {
        eprintln!("lifecycle: {}: the least memory.max", runtime.name);
        scale.least_memory_kib = least_memory(runtime, bundles)?;
    }
    scale.stays_waiting = waiting(runtime, bundles)?;
    if runtime.has_create {
        scale.stays_detached = detached(runtime, bundles)?;
        eprintln!("lifecycle: {}: many at once", runtime.name);
        scale.thousand = Some(many(runtime, bundles, bearable(most))?);
    }
    report.scale.push(scale);
    Ok(())
}

/// Only what the bars need.
pub fn thousand(
    runtime: &Runtime,
    bundles: &Bundles,
    most: usize,
    report: &mut Report,
) -> Result<(), String> {
    let mut scale = Scale { runtime: runtime.name.into(), ..Scale::default() };
    if view::has_controller("memory") {
        scale.least_memory_kib = least_memory(runtime, bundles)?;
    }
    if runtime.has_create {
        scale.thousand = Some(many(runtime, bundles, bearable(most))?);
    }
    report.scale.push(scale);
    Ok(())
}

/// A binary search, in pages; none when not even the most is enough.
fn least_memory(runtime: &Runtime, bundles: &Bundles) -> Result<Option<u64>, String> {
    let (mut low, mut high) = (0, MOST_PAGES);
    if !starts_with(runtime, bundles, high)? {
        return Ok(None);
    }
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if starts_with(runtime, bundles, middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(Some(high * 4))
}

fn starts_with(runtime: &Runtime, bundles: &Bundles, pages: u64) -> Result<bool, String> {
    let bundle = bundles.write("memory", false, Purpose::Ends, Some(pages * 4096))?;
    let line = runtime.run_bundle(&bundle, "memory");
    for _ in 0..SURE {
        if !line.succeeds() {
            remove(runtime, "memory");
            return Ok(false);
        }
    }
    Ok(true)
}

/// After a failure; what is not there needs no removing.
fn remove(runtime: &Runtime, id: &str) {
    runtime.line().with("delete").with("--force").with(id).succeeds();
}

/// What stays beside a container that was created and started.
fn detached(runtime: &Runtime, bundles: &Bundles) -> Result<Option<(u64, u64)>, String> {
    let mut lines = runtime.cycle("alone", false, Purpose::Stays, bundles)?;
    let end = lines.pop();
    let started = lines.iter().all(Line::succeeds);
    let found = started.then(|| processes_of(&runtime.path));
    if let Some(end) = end {
        end.succeeds();
    }
    Ok(found)
}

/// What stays beside a container while `run` waits for it.
fn waiting(runtime: &Runtime, bundles: &Bundles) -> Result<Option<(u64, u64)>, String> {
    if !runtime.is_oci() {
        return Ok(None);
    }
    let bundle = bundles.write("waiting", false, Purpose::Stays, None)?;
    let pid = runtime.run_bundle(&bundle, "waiting").spawn().map_err(|error| error.to_string())?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let found = processes_of(&runtime.path);
    remove(runtime, "waiting");
    wait(pid).map_err(|error| error.to_string())?;
    Ok(Some(found))
}

/// How many processes run from this file, or from a copy of it under another
/// name, and their PSS together in KiB.
fn processes_of(path: &Path) -> (u64, u64) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = (0, 0);
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let read = |file| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        let first = read("cmdline").split('\0').next().unwrap_or_default().to_owned();
        if !first.ends_with(&name) {
            continue;
        }
        let rollup = read("smaps_rollup");
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = pss.and_then(|pss| pss.split_whitespace().next()?.parse::<u64>().ok());
        found = (found.0 + 1, found.1 + kib.unwrap_or(0));
    }
    found
}

fn bearable(most: usize) -> usize {
    most.min((available() / EACH_KIB) as usize)
}

/// MemAvailable of /proc/meminfo, in KiB.
fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What the kernel and tmpfs hold that nobody can reclaim, in KiB. Not MemAvailable, in
/// which is whatever the rest of the machine does in the meantime.
fn held() -> u64 {
    const PARTS: [&str; 4] = ["Shmem:", "SUnreclaim:", "KernelStack:", "PageTables:"];
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let value = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    let is_part = |line: &&str| PARTS.iter().any(|part| line.starts_with(part));
    text.lines().filter(is_part).filter_map(value).sum()
}

/// Starts `count`, looks, and deletes them.
fn many(runtime: &Runtime, bundles: &Bundles, count: usize) -> Result<Thousand, String> {
    let mut found = Thousand::default();
    let mut ends = Vec::new();
    let before = held();
    for number in 0..count {
        let name = format!("many-{number}");
        let mut lines = runtime.cycle(&name, false, Purpose::Stays, bundles)?;
        ends.extend(lines.pop());
        let begin = Instant::now();
        if let Some(line) = lines.iter().find(|line| !line.succeeds()) {
            eprintln!("lifecycle: {} failed: {}", line.shown(), line.complaint());
            break;
        }
        found.starts.push(begin.elapsed().as_nanos() as f64 / 1000.0);
    }
    let taken = held().saturating_sub(before);
    found.memory_kib = taken as f64 / found.starts.len().max(1) as f64;
    let list = runtime.line().with("list").time();
    found.list = list.ok().filter(|list| !list.failed).map(|list| list.micros);
    let begin = Instant::now();
    for end in ends {
        end.succeeds();
    }
    found.teardown = begin.elapsed().as_nanos() as f64 / 1000.0;
    Ok(found)
}
