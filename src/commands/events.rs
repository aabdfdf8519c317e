//! `jec events`: what a container uses, and when it runs out of memory, in the JSON of runc.

use std::ffi::CStr;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;
use serde_json::{Map, Value, json};

use super::{find, open_proc};
use crate::cgroup::Cgroup;
use crate::cli::{EventsArgs, Global};
use crate::error::{Error, Failure, Result, unless};

/// Prints once, or until the container or the reader has ended.
pub fn run(global: &Global, args: &EventsArgs) -> Result<u8, Failure> {
    let (_, container) = find(global, &args.id, &open_proc()?)?;
    let wrong = |problem: &str| Error::state(&args.id, problem);
    let init = container.live_init()?.ok_or_else(|| wrong("container not running"))?;
    let none = || wrong("has no cgroup, so nothing counts what it uses");
    let cgroup = container.cgroup()?.ok_or_else(none)?;
    let stats = || Ok::<_, Error>(json!({"type": "stats", "id": args.id, "data": stats(&cgroup)?}));
    if args.stats {
        drop(print(&stats()?));
        return Ok(0);
    }
    let (mut seen, mut next) = (cgroup.oom_kills()?, Instant::now());
    loop {
        let (ended, killed) = (container.live_init()?.is_none(), cgroup.oom_kills()?);
        let mut lines = Vec::new();
        if killed > seen {
            lines.push(json!({"type": "oom", "id": args.id}));
            seen = killed;
        }
        if Instant::now() >= next && !ended {
            lines.push(stats()?);
            next = Instant::now() + args.interval;
        }
        if lines.iter().try_for_each(print).is_err() || ended {
            return Ok(0);
        }
        let left = next.saturating_duration_since(Instant::now());
        // Whoever removes the cgroup has ended the container before.
        let waited = cgroup.await_oom(seen, init.pidfd.as_fd(), left);
        unless(&[Errno::ENOENT, Errno::ENODEV], waited)?;
    }
}

fn print(event: &Value) -> io::Result<()> {
    writeln!(io::stdout(), "{event}")
}

/// The files of the cgroup in the words of runc's types/events.go, which are those of
/// cgroup v1: nanoseconds, memory and swap together, one entry for each disk and operation. The
/// kernel counts memory only where the cgroup has that controller: what is not counted is null,
/// and not 0.
fn stats(cgroup: &Cgroup) -> Result<Value> {
    let (cpu, memory) = (pairs(cgroup, c"cpu.stat")?, pairs(cgroup, c"memory.stat")?);
    let nanoseconds = |key| number(&cpu, key) * 1000;
    let (usage, limit) = (single(cgroup, c"memory.current")?, single(cgroup, c"memory.max")?);
    let (swap, most) =
        (single(cgroup, c"memory.swap.current")?, single(cgroup, c"memory.swap.max")?);
    let both = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
    // There, 0 is the word for no limit.
    let most_pids = single(cgroup, c"pids.max")?.filter(|most| *most != u64::MAX).unwrap_or(0);
    let pids = single(cgroup, c"pids.current")?.map_or_else(|| tasks(cgroup), Ok)?;
    Ok(json!({
        "cpu": {
            "usage": {
                "total": nanoseconds("usage_usec"),
                "kernel": nanoseconds("system_usec"),
                "user": nanoseconds("user_usec"),
            },
            "throttling": {
                "periods": number(&cpu, "nr_periods"),
                "throttledPeriods": number(&cpu, "nr_throttled"),
                "throttledTime": nanoseconds("throttled_usec"),
            },
        },
        "memory": {
            "cache": memory.get("file"),
            "usage": {"usage": usage, "limit": limit, "failcnt": 0},
            "swap": {"usage": both(usage, swap), "limit": both(limit, most), "failcnt": 0},
            "raw": memory,
        },
        "pids": {"current": pids, "limit": most_pids},
        "blkio": {
            "ioServiceBytesRecursive": disks(cgroup, [("rbytes", "Read"), ("wbytes", "Write")])?,
            "ioServicedRecursive": disks(cgroup, [("rios", "Read"), ("wios", "Write")])?,
        },
    }))
}

/// A file of one number: `max` is the largest; none without the controller.
fn single(cgroup: &Cgroup, name: &CStr) -> Result<Option<u64>> {
    Ok(cgroup.file(name)?.map(|text| text.trim().parse().unwrap_or(u64::MAX)))
}

/// What pids.current would say: processes and their threads, those of cgroups below included.
fn tasks(cgroup: &Cgroup) -> Result<u64> {
    let count =
        |pid: &i32| std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    Ok(cgroup.processes()?.iter().map(count).sum::<usize>() as u64)
}

/// A file of lines "key number".
fn pairs(cgroup: &Cgroup, name: &CStr) -> Result<Map<String, Value>> {
    let text = cgroup.file(name)?.unwrap_or_default();
    let pair = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.parse::<u64>().ok()?.into()))
    };
    Ok(text.lines().filter_map(pair).collect())
}

fn number(pairs: &Map<String, Value>, key: &str) -> u64 {
    pairs.get(key).and_then(Value::as_u64).unwrap_or(0)
}

/// `8:0 rbytes=1 wbytes=2 …` in io.stat.
fn disks(cgroup: &Cgroup, operations: [(&str, &str); 2]) -> Result<Vec<Value>> {
    let text = cgroup.file(c"io.stat")?.unwrap_or_default();
    let mut all = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let device = words.next().and_then(|device| device.split_once(':'));
        let device = device.map(|(major, minor)| (major.parse::<u32>(), minor.parse::<u32>()));
        let Some((Ok(major), Ok(minor))) = device else {
            continue;
        };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let op = operations.iter().find(|operation| operation.0 == key).map(|found| found.1);
            if let (Some(op), Ok(value)) = (op, value.parse::<u64>()) {
                all.push(json!({"major": major, "minor": minor, "op": op, "value": value}));
            }
        }
    }
    Ok(all)
}
