//! Its author believed: after pivot_root nobody has a way to the host's files.
//!
//! A descriptor of a directory is such a way, if execve(2) hands it on. This runtime opened the
//! host's root, without close-on-exec, to find its way back, and the program in the container reads
//! through it. runc left /sys/fs/cgroup open: CVE-2024-21626. See openat(2), O_CLOEXEC.

use std::env;
use std::error::Error;
use std::fs;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio, exit};

use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, getgid, getuid, pivot_root};

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).is_some() {
        return inside();
    }
    own_room().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    println!("believed: /etc/passwd of the host is out of reach");
    let host = mistake()?;
    enter_root()?;
    shows("seen", "/etc/passwd is not there", !fs::exists("/etc/passwd")?)?;
    let found = program()?;
    shows("seen", &found, found.ends_with("/etc/passwd"))?;

    let _host = mend(host)?;
    let found = program()?;
    shows("mended", &found, found == "no descriptor leads there")
}

fn mistake() -> nix::Result<OwnedFd> {
    open("/", OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty())
}

/// Opened anew, with the one word that was missing.
fn mend(host: OwnedFd) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    nix::fcntl::openat(host, ".", flags, Mode::empty())
}

/// The program of the container: tries its descriptors.
fn inside() -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir("/proc/self/fd")?.flatten() {
        let passwd = entry.path().join("etc/passwd");
        if fs::read_to_string(&passwd).is_ok_and(|text| text.contains("root:")) {
            println!("it reads {}", passwd.display());
            return Ok(());
        }
    }
    println!("no descriptor leads there");
    Ok(())
}

fn program() -> Result<String, Box<dyn Error>> {
    println!("          the program tries /proc/self/fd/*/etc/passwd");
    let output = Command::new("/proc/self/exe").arg("inside").stdin(Stdio::inherit()).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().into())
}

/// An empty root with /proc, the old one unmounted.
fn enter_root() -> Result<(), Box<dyn Error>> {
    let nothing = None::<&str>;
    let with_all_below = MsFlags::MS_BIND | MsFlags::MS_REC;
    fs::create_dir("/tmp/proc")?;
    mount(Some("/proc"), "/tmp/proc", nothing, with_all_below, nothing)?;
    chdir("/tmp")?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(chdir("/")?)
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
