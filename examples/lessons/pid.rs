//! A pid namespace numbers its processes anew. /proc shows the numbers of whoever mounted it.
//!
//! The first process in a new pid namespace is 1, and /proc still lists the machine. With a /proc
//! of its own it sees itself alone. When process 1 ends, its namespace has ended with it. What is
//! printed: both views, and the errno of being late. See pid_namespaces(7), proc(5).

use std::env;
use std::error::Error;
use std::fs;
use std::process::{Command, exit, id};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).is_some() {
        return inside();
    }
    become_root().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    // Not for ourselves: a process keeps its number for life. For our children.
    unshare(CloneFlags::CLONE_NEWPID)?;
    let mut child = Command::new("/proc/self/exe").arg("inside").spawn()?;
    let status = child.wait()?;
    let claim = format!("outside: that was process {}, and it ended well", child.id());
    holds(&claim, status.success() && child.id() != 1)?;
    // What is left of the namespace can have no more processes: fork(2) fails with ENOMEM.
    let late = Command::new("true").spawn().err().and_then(|error| error.raw_os_error());
    holds("outside: after process 1 nobody can be born there: ENOMEM", late == Some(12))
}

fn inside() -> Result<(), Box<dyn Error>> {
    holds("inside:  getpid(2) says 1", id() == 1)?;
    let (me, all) = (fs::read_link("/proc/self")?, processes()?);
    let claim = format!("inside:  the old /proc says {}, and lists {all} processes", me.display());
    holds(&claim, me.as_os_str() != "1" && all > 1)?;

    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), nothing)?;
    let (me, all) = (fs::read_link("/proc/self")?, processes()?);
    let claim = format!("inside:  the own /proc says {}, and lists {all} process", me.display());
    holds(&claim, me.as_os_str() == "1" && all == 1)
}

/// How many directories of /proc are numbers.
fn processes() -> std::io::Result<usize> {
    let names = fs::read_dir("/proc")?.flatten().map(|entry| entry.file_name());
    Ok(names.filter(|name| name.to_string_lossy().parse::<u32>().is_ok()).count())
}

/// Root of a user namespace of its own may do all that follows, and nearly everybody can have one.
fn become_root() -> Result<(), Box<dyn Error>> {
    let (uid, gid) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(())
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
