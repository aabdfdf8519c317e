//! Mounts can be heard next door: what a mount namespace tells others depends on each mount.
//!
//! A process walks between two rooms, A and B, which is a copy of A. In each it mounts something
//! on a shared, a slave and a private mount. What is printed: who sees whose. See
//! mount_namespaces(7), "Shared subtrees".

use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::process::exit;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{getgid, getuid};

const NOTHING: Option<&str> = None;

fn main() -> Result<(), Box<dyn Error>> {
    own_room().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    for kind in ["shared", "slave", "private"] {
        let here = format!("/tmp/{kind}");
        fs::create_dir(&here)?;
        tmpfs(&here)?;
        fs::create_dir(format!("{here}/from-a"))?;
        fs::create_dir(format!("{here}/from-b"))?;
        mount(NOTHING, here.as_str(), NOTHING, MsFlags::MS_SHARED, NOTHING)?;
    }
    let a = File::open("/proc/self/ns/mnt")?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    let b = File::open("/proc/self/ns/mnt")?;
    // In B, which is a copy: what was shared is shared with A until B says otherwise.
    mount(NOTHING, "/tmp/slave", NOTHING, MsFlags::MS_SLAVE, NOTHING)?;
    mount(NOTHING, "/tmp/private", NOTHING, MsFlags::MS_PRIVATE, NOTHING)?;

    let expected = [("shared", true, true), ("slave", true, false), ("private", false, false)];
    for (kind, b_hears, a_hears) in expected {
        let (from_a, from_b) = (format!("/tmp/{kind}/from-a"), format!("/tmp/{kind}/from-b"));
        tmpfs(&from_b)?;
        setns(&a, CloneFlags::CLONE_NEWNS)?;
        let in_a = is_mounted(&from_b)?;
        tmpfs(&from_a)?;
        setns(&b, CloneFlags::CLONE_NEWNS)?;
        let in_b = is_mounted(&from_a)?;
        let claim =
            format!("{kind:8} B sees what A mounts: {in_b:5}  A sees what B mounts: {in_a}");
        holds(&claim, (in_b, in_a) == (b_hears, a_hears))?;
    }
    Ok(())
}

fn tmpfs(target: &str) -> nix::Result<()> {
    mount(Some("lesson"), target, Some("tmpfs"), MsFlags::empty(), NOTHING)
}

/// Whether another file system begins at this directory.
fn is_mounted(path: &str) -> std::io::Result<bool> {
    Ok(fs::metadata(path)?.dev() != fs::metadata(format!("{path}/.."))?.dev())
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

/// Prints a claim that holds; one that does not ends the lesson with status 1.
fn holds(claim: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this does not hold: {claim}").into());
    }
    println!("{claim}");
    Ok(())
}
