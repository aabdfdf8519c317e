//! A process has five sets of capabilities, and execve(2) makes the new ones from the old.
//!
//! An ordinary uid holds all capabilities of a user namespace. A program that it executes holds
//! none; with one in the ambient set, that one. What is no longer in the bounding set is out of
//! reach for good. What is printed: the sets, four times. See capabilities(7), "Transformation".

use std::error::Error;
use std::fs;
use std::process::{Command, exit};

use caps::{CapSet, Capability};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

const NET_RAW: u64 = 1 << 13;
const SYS_ADMIN: u64 = 1 << 21;

/// The lines of /proc/self/status, in its order.
#[derive(PartialEq)]
struct Sets {
    inheritable: u64,
    permitted: u64,
    effective: u64,
    bounding: u64,
    ambient: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    become_ordinary().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    println!("{:20} inheritable     permitted     effective      bounding       ambient", "");
    let own = sets(&fs::read_to_string("/proc/self/status")?)?;
    let all = own.bounding;
    let full = Sets { inheritable: 0, permitted: all, effective: all, bounding: all, ambient: 0 };
    show("this process", &own, own == full && all & NET_RAW != 0)?;

    // Uid 1000 is no root: permitted' = ambient, effective' = ambient.
    let none = Sets { inheritable: 0, permitted: 0, effective: 0, bounding: all, ambient: 0 };
    let program = executed()?;
    show("a program", &program, program == none)?;

    // Ambient is what stays over execve; the kernel wants it permitted and inheritable as well.
    caps::raise(None, CapSet::Inheritable, Capability::CAP_NET_RAW)?;
    caps::raise(None, CapSet::Ambient, Capability::CAP_NET_RAW)?;
    let (one, bounding) = (NET_RAW, all);
    let raw = Sets { inheritable: one, permitted: one, effective: one, bounding, ambient: one };
    let program = executed()?;
    show("ambient NET_RAW", &program, program == raw)?;

    // The ceiling of what any program can bring, a set-user-ID one as well. It only sinks.
    caps::drop(None, CapSet::Bounding, Capability::CAP_SYS_ADMIN)?;
    let lower = Sets { bounding: all & !SYS_ADMIN, ..raw };
    let program = executed()?;
    show("bounding SYS_ADMIN", &program, program == lower)
}

/// The sets of a program that we execute.
fn executed() -> Result<Sets, Box<dyn Error>> {
    let output = Command::new("cat").arg("/proc/self/status").output()?;
    sets(&String::from_utf8(output.stdout)?)
}

fn sets(status: &str) -> Result<Sets, Box<dyn Error>> {
    let of = |name: &str| -> Result<u64, Box<dyn Error>> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such set")?;
        Ok(u64::from_str_radix(line.trim_start_matches(":\t"), 16)?)
    };
    let (inheritable, permitted, effective) = (of("CapInh")?, of("CapPrm")?, of("CapEff")?);
    Ok(Sets { inheritable, permitted, effective, bounding: of("CapBnd")?, ambient: of("CapAmb")? })
}

fn show(whose: &str, sets: &Sets, so: bool) -> Result<(), Box<dyn Error>> {
    let Sets { inheritable, permitted, effective, bounding, ambient } = sets;
    let values = [inheritable, permitted, effective, bounding, ambient];
    let values: Vec<_> = values.iter().map(|value| format!("{value:11x}")).collect();
    holds(&format!("{whose:20} {}", values.join("   ")), so)
}

/// Uid 1000 of a user namespace of its own: with all capabilities, and without uid 0.
fn become_ordinary() -> Result<(), Box<dyn Error>> {
    let (uid, gid) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("1000 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("1000 {gid} 1"))?;
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
