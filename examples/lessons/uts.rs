//! A UTS namespace holds a host name and a domain name, and nothing else: the smallest namespace.
//!
//! A process takes one for itself and gives it a name. Then the machine is asked for its own name
//! once more. What is printed: the name outside, inside, and outside again. See
//! uts_namespaces(7), unshare(2), sethostname(2).

use std::env;
use std::error::Error;
use std::fs;
use std::process::{Command, exit};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, gethostname, getuid, sethostname};

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).is_some() {
        return inside();
    }
    let before = gethostname()?;
    println!("outside: {}", before.display());
    let status = Command::new("/proc/self/exe").arg("inside").status()?;
    if !status.success() {
        exit(status.code().unwrap_or(1));
    }
    let after = gethostname()?;
    holds(&format!("outside: {}, as before", after.display()), after == before)
}

fn inside() -> Result<(), Box<dyn Error>> {
    become_root().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    let ours = fs::read_link("/proc/self/ns/uts")?;
    unshare(CloneFlags::CLONE_NEWUTS)?;
    // Only root of the user namespace that owns the UTS namespace may do this.
    sethostname("lesson")?;
    let name = gethostname()?;
    holds(&format!("inside:  {}", name.display()), name == "lesson")?;
    let own = fs::read_link("/proc/self/ns/uts")?;
    holds(&format!("inside:  {} instead of {}", own.display(), ours.display()), own != ours)
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
