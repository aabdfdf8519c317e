//! Its author believed: I have a mount namespace of my own, so nobody hears of my mounts.
//!
//! systemd makes every mount shared, and a new mount namespace joins in. Who learned at the shell
//! never met it: unshare(1) makes them private first, unshare(2) does not. Here a room plays the
//! host, with a shared root. See mount_namespaces(7), "Shared subtrees".

use std::error::Error;
use std::fs::{self, File};
use std::process::{Command, exit};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{getgid, getuid};

const NOTHING: Option<&str> = None;

fn main() -> Result<(), Box<dyn Error>> {
    own_room().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    fs::create_dir("/tmp/secrets")?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_SHARED, NOTHING)?;
    let host = File::open("/proc/self/ns/mnt")?;

    mistake()?;
    setns(&host, CloneFlags::CLONE_NEWNS)?;
    println!("believed: the host has no mount on /tmp/secrets");
    let count = shell("grep -c /tmp/secrets /proc/self/mountinfo")?;
    shows("seen", &format!("{count} in the host's table"), count == "1")?;
    nix::mount::umount("/tmp/secrets")?;

    mended()?;
    setns(&host, CloneFlags::CLONE_NEWNS)?;
    let count = shell("grep -c /tmp/secrets /proc/self/mountinfo")?;
    shows("mended", &format!("{count} in the host's table"), count == "0")
}

fn mistake() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(Some("mine"), "/tmp/secrets", Some("tmpfs"), MsFlags::empty(), NOTHING)
}

fn mended() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?;
    mount(Some("mine"), "/tmp/secrets", Some("tmpfs"), MsFlags::empty(), NOTHING)
}

/// A user namespace in which we are root, and a mount namespace with an empty /tmp: nobody else
/// sees what is mounted or written there, and it is gone when the last process in it has ended.
fn own_room() -> Result<(), Box<dyn Error>> {
    let (uid, gid) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    mount(Some("room"), "/tmp", Some("tmpfs"), MsFlags::empty(), nothing)?;
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
