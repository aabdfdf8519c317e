//! A cgroup limits memory, and does not say so: inside, /proc/meminfo tells of the whole machine.
//!
//! A child enters a group of 32 MiB and is content with 8. Another wants 64, and is killed. What
//! is printed: the view from inside, and what the group has counted. Needs cgroup v2 and a group
//! in which you may make another. See cgroups(7), and "memory.max" in the kernel's cgroup-v2.rst.

use std::env;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, exit, id};

const LIMIT: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    if let [_, group, mebibytes] = &env::args().collect::<Vec<_>>()[..] {
        return inside(Path::new(group), mebibytes.parse()?);
    }
    let group = Group::new().unwrap_or_else(|error| skip(&error.to_string()));
    fs::write(group.0.join("memory.max"), format!("{LIMIT}M"))?;
    // Without this, pages go to swap space instead, as long as there is any.
    fs::write(group.0.join("memory.swap.max"), "0").or_else(no_swap)?;

    holds("outside: the child with 8 MiB ended well", child(&group, 8)?.success())?;
    let killed = child(&group, 64)?.signal() == Some(9);
    holds("outside: the child with 64 MiB was killed by signal 9", killed)?;
    let events = fs::read_to_string(group.0.join("memory.events"))?;
    let count = events.lines().find(|line| line.starts_with("oom_kill ")).unwrap_or("none");
    holds(&format!("outside: memory.events has: {count}"), count == "oom_kill 1")
}

fn child(group: &Group, mebibytes: usize) -> std::io::Result<ExitStatus> {
    Command::new("/proc/self/exe").arg(&group.0).arg(mebibytes.to_string()).status()
}

fn inside(group: &Path, mebibytes: usize) -> Result<(), Box<dyn Error>> {
    fs::write(group.join("cgroup.procs"), "0")?; // 0 is whoever writes
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let total: usize = meminfo.split_whitespace().nth(1).ok_or("no MemTotal")?.parse()?;
    let claim = format!("inside:  /proc/meminfo says {} MiB; I take {mebibytes}", total >> 10);
    holds(&claim, total >> 10 > LIMIT)?;
    black_box(vec![1_u8; mebibytes << 20]); // memory counts when it is written, not before
    Ok(())
}

fn no_swap(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// A cgroup beside our own, gone at the end.
struct Group(PathBuf);

impl Group {
    fn new() -> Result<Self, Box<dyn Error>> {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).ok_or("no cgroup v2")?;
        let own = Path::new("/sys/fs/cgroup").join(own);
        let above = own.parent().filter(|parent| parent.starts_with("/sys/fs/cgroup"));
        let parent = above.unwrap_or(&own);
        let given = fs::read_to_string(parent.join("cgroup.subtree_control"));
        if !given.is_ok_and(|given| given.split_whitespace().any(|name| name == "memory")) {
            return Err("no memory controller of cgroup v2 is given to groups beside ours".into());
        }
        let path = parent.join(format!("lesson-{}", id()));
        fs::create_dir(&path).map_err(|error| format!("no cgroup for you here: {error}"))?;
        Ok(Self(path))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).unwrap_or_else(|error| eprintln!("{}: {error}", self.0.display()));
    }
}

fn skip(reason: &str) -> ! {
    println!("skipped: {reason}");
    exit(77)
}

/// Prints a claim that holds; one that does not ends the lesson with status 1.
fn holds(claim: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this does not hold: {claim}").into());
    }
    println!("{claim}");
    Ok(())
}
