//! pivot_root(2) changes the tree itself: the old root can be taken away, and nothing is left.
//!
//! A tmpfs becomes the root, the old one is unmounted, and the way that leads out of a chroot is
//! walked once more. What is printed: how many mounts there were and are, and where the way ends.
//! See pivot_root(2), "pivot_root(".", ".")".

use std::error::Error;
use std::fs;
use std::process::exit;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, chroot, getgid, getuid, pivot_root};

fn main() -> Result<(), Box<dyn Error>> {
    own_room().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    let before = fs::read_to_string("/proc/self/mountinfo")?.lines().count();
    println!("before: {before} mounts");

    // The new root has to be a mount: a directory is not enough.
    let nothing = None::<&str>;
    fs::create_dir("/tmp/root")?;
    mount(Some("root"), "/tmp/root", Some("tmpfs"), MsFlags::empty(), nothing)?;
    fs::create_dir("/tmp/root/proc")?;
    let with_all_below = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some("/proc"), "/tmp/root/proc", nothing, with_all_below, nothing)?;

    chdir("/tmp/root")?;
    // The old root lands on top of the new one, at the same place: so `.` is it, for a moment.
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;

    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let places: Vec<_> = table.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    let ours = places.iter().all(|place| *place == "/" || place.starts_with("/proc"));
    holds(&format!("after:  {} mounts, / and what is in /proc", places.len()), ours)?;

    fs::create_dir("/below")?;
    chroot("/below")?;
    for _ in 0..100 {
        chdir("..")?;
    }
    chroot(".")?;
    let names = fs::read_dir("/")?.flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    let claim = format!("after the way out of a chroot, / has: {}", names.join(" "));
    holds(&claim, names == ["below", "proc"])
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
