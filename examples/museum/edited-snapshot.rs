//! Its author believed: I take CAP_SYS_ADMIN out of the bounding set, so the container has lost it.
//!
//! What is taken out is an entry of a snapshot. The library read the set into memory; nobody has
//! written anything back, and the line of the log says that the capabilities were cleared. Look at
//! what the kernel says: /proc/self/status. See capabilities(7), prctl(2) PR_CAPBSET_DROP.

use std::error::Error;
use std::fs;
use std::process::{Command, exit};

use caps::{CapSet, Capability};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

const DROPPED: [Capability; 2] = [Capability::CAP_SYS_ADMIN, Capability::CAP_SYS_MODULE];
/// Their bits, 21 and 16.
const BITS: u64 = 1 << 21 | 1 << 16;

fn main() -> Result<(), Box<dyn Error>> {
    become_root().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    mistake()?;
    println!("believed: CAP_SYS_ADMIN and CAP_SYS_MODULE have left the bounding set");
    let (line, set) = bounding()?;
    shows("seen", &line, set & BITS == BITS)?;
    mend()?;
    let (line, set) = bounding()?;
    shows("mended", &line, set & BITS == 0)
}

fn mistake() -> Result<(), Box<dyn Error>> {
    let mut bounding = caps::read(None, CapSet::Bounding)?;
    for capability in DROPPED {
        bounding.remove(&capability);
    }
    Ok(())
}

fn mend() -> Result<(), Box<dyn Error>> {
    for capability in DROPPED {
        caps::drop(None, CapSet::Bounding, capability)?;
    }
    Ok(())
}

fn bounding() -> Result<(String, u64), Box<dyn Error>> {
    let line = shell("grep CapBnd /proc/self/status")?;
    let set = line.split(' ').nth(1).ok_or("no bounding set")?;
    let set = u64::from_str_radix(set, 16)?;
    Ok((line, set))
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

/// Prints a command, runs it, and returns what it printed.
fn shell(command: &str) -> Result<String, Box<dyn Error>> {
    println!("          $ {command}");
    let output = Command::new("sh").args(["-c", command]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().replace('\t', " "))
}

fn skip(reason: &str) -> ! {
    println!("skipped: {reason}");
    exit(77)
}

/// Prints a line that is so; one that is not ends the visit with status 1.
fn shows(label: &str, text: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this is not so: {label}: {text}").into());
    }
    println!("{:10}{text}", format!("{label}:"));
    Ok(())
}
