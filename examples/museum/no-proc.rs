//! Its author believed: in a new pid namespace, ps shows only what is in the container.
//!
//! ps reads /proc, and a /proc shows the numbers of the namespace in which it was mounted. So the
//! container sees all processes of the host, with their command lines, by numbers that mean
//! nothing to its kill(2). See pid_namespaces(7), "/proc and PID namespaces".

use std::env;
use std::error::Error;
use std::fs;
use std::process::{Command, exit};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

const COUNT: &str = "ls -d /proc/[0-9]* | wc -l";

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(outer) = env::args().nth(1) {
        return inside(&outer);
    }
    become_root().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    unshare(CloneFlags::CLONE_NEWPID)?;
    let outer = std::process::id().to_string();
    exit(Command::new("/proc/self/exe").arg(outer).status()?.code().unwrap_or(1))
}

fn inside(outer: &str) -> Result<(), Box<dyn Error>> {
    println!("believed: there is one process, and the command that counts");
    let count: u32 = shell(COUNT)?.parse()?;
    let host = fs::exists(format!("/proc/{outer}"))?;
    shows("seen", &format!("{count} processes, and the host's {outer} is one"), count > 3 && host)?;
    mend()?;
    let count: u32 = shell(COUNT)?.parse()?;
    // sh, ls and wc, and this program.
    shows("mended", &format!("{count} processes"), (2..=4).contains(&count))
}

fn mend() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), nothing)
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
