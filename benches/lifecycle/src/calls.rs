//! How many system calls: `strace -f -c`, in a run of its own.

use crate::process::Line;

const STRACE: &str = "/usr/bin/strace";
const SUMMARY: &str = "/run/bench/calls";

/// The calls of all processes of all lines; none without strace. strace waits for
/// whatever was started under it, a container too: so several lines are one
/// shell's, whose own hundred calls are in the sum.
pub fn count(lines: &[Line]) -> Option<u64> {
    let mut traced = Line::new([STRACE, "-f", "-c", "-o", SUMMARY]);
    if let [line] = lines {
        traced.words.extend(line.words.clone());
        traced.given.clone_from(&line.given);
    } else {
        let script: Vec<String> = lines.iter().map(Line::shown).collect();
        traced = traced.with("/bin/sh").with("-c").with(&script.join(" && "));
    }
    traced.succeeds().then(total).flatten()
}

/// The row "total": % time, seconds, usecs/call, calls, errors, "total".
fn total() -> Option<u64> {
    let summary = std::fs::read_to_string(SUMMARY).ok()?;
    let row = summary.lines().rev().find(|row| row.ends_with("total"))?;
    row.split_whitespace().nth(3)?.parse().ok()
}
