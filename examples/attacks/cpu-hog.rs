//! Use a whole processor.
//!
//! Stopped by `cgroup`: cpu.max, a fifth of one here. No call fails: the kernel lets the container
//! wait, which `jec attack` measures. See cgroups(7).

use std::time::{Duration, Instant};

use super::{Attempt, Host, Seen, read, when};

/// For three seconds.
pub fn attack() -> Attempt {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        std::hint::spin_loop();
    }
    Ok("three seconds of work".into())
}

/// Its share of a processor since it began, as the host counts (proc_pid_stat(5)).
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    let stat = seen.read("stat");
    let fields: Vec<u64> = stat.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
    let (used, since) = (fields.get(13)? + fields.get(14)?, *fields.get(21)?);
    let now = read("/proc/uptime").split('.').next()?.parse::<u64>().ok()? * 100;
    let percent = used * 100 / now.saturating_sub(since).max(1);
    // Of a busy machine nobody gets all; and before it began there was jec.
    when(percent > 30, format!("{percent} % of a processor"))
}
