//! `jec ps`: the processes of a container.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Command;

use serde_json::json;

use super::{find, open_proc};
use crate::cli::{Format, Global, PsArgs};
use crate::error::{Error, Failure, Result};
use crate::sys::{directory, file};

/// Prints their numbers, or the lines that ps(1) has for them.
pub fn run(global: &Global, args: &PsArgs) -> Result<u8, Failure> {
    let proc = open_proc()?;
    let (_, container) = find(global, &args.id, &proc)?;
    let pids = match (container.cgroup()?, container.live_init()?) {
        (Some(cgroup), _) => cgroup.processes()?,
        (None, Some(init)) => family(proc.as_fd(), init.pid)?,
        (None, None) => Vec::new(),
    };
    let text = match args.format {
        Format::Json => json!(pids).to_string() + "\n",
        Format::Table => table(&pids, &args.options)?,
    };
    // A reader that has seen enough is no error.
    drop(std::io::stdout().write_all(text.as_bytes()));
    Ok(0)
}

/// Without a cgroup, init and its descendants: whose parent comes before them in the list.
fn family(proc: BorrowedFd, init: i32) -> Result<Vec<i32>> {
    let number = |name: std::ffi::CString| name.to_str().ok()?.parse::<i32>().ok();
    let all: Vec<_> = directory::directories(proc)?.into_iter().filter_map(number).collect();
    let parents: Vec<_> = all.iter().map(|pid| (*pid, parent(proc, *pid))).collect();
    let mut family = vec![init];
    let mut at = 0;
    while let Some(&pid) = family.get(at) {
        family.extend(parents.iter().filter(|(_, parent)| *parent == Some(pid)).map(|one| one.0));
        at += 1;
    }
    Ok(family)
}

/// Field 4 of /proc/PID/stat, counted behind the name; none when the process has ended.
fn parent(proc: BorrowedFd, pid: i32) -> Option<i32> {
    let name = std::ffi::CString::new(format!("{pid}/stat")).ok()?;
    let text = file::read_file(proc, &name, 4096).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The heading of ps(1), and those of its lines whose column PID names one of ours.
fn table(pids: &[i32], options: &[String]) -> Result<String> {
    let options = if options.is_empty() { &["-ef".to_owned()][..] } else { options };
    let failed = |problem: String| Error::machine(format!("ps: {problem}"), "install procps");
    let output =
        Command::new("ps").args(options).output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(Error::config("ps", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let heading = text.lines().next().unwrap_or_default();
    let column = heading.split_whitespace().position(|word| word == "PID");
    let column = column.ok_or_else(|| Error::config("ps", "these options show no column PID"))?;
    let is_ours = |line: &&str| {
        let pid = line.split_whitespace().nth(column).and_then(|word| word.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    };
    let lines = text.lines().take(1).chain(text.lines().skip(1).filter(is_ours));
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}
