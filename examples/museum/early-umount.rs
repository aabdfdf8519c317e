//! Its author believed: I unmount put_old, so the host's tree is gone when the container begins.
//!
//! The umount stands before the pivot_root. At that time put_old is an empty directory, the call
//! fails with EINVAL, nobody looks; and then pivot_root puts the host's tree there. The order is
//! pivot_root, chdir, umount2, rmdir. See pivot_root(2).

use std::error::Error;
use std::fs::{self, File};
use std::process::exit;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{chdir, getgid, getuid, pivot_root};

fn main() -> Result<(), Box<dyn Error>> {
    own_room().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    let nothing = None::<&str>;
    fs::create_dir("/tmp/rootfs")?;
    mount(Some("rootfs"), "/tmp/rootfs", Some("tmpfs"), MsFlags::empty(), nothing)?;
    fs::create_dir("/tmp/rootfs/.old")?;
    let room = File::open("/proc/self/ns/mnt")?;
    println!("believed: of the host's tree nothing is left");

    unshare(CloneFlags::CLONE_NEWNS)?;
    mistake()?;
    let passwd = fs::exists("/.old/etc/passwd")?;
    shows("seen", "/.old/etc/passwd is there", passwd)?;

    setns(&room, CloneFlags::CLONE_NEWNS)?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mend()?;
    let names: Vec<_> = fs::read_dir("/")?.flatten().map(|entry| entry.file_name()).collect();
    shows("mended", &format!("/ has {} names", names.len()), names.is_empty())
}

fn mistake() -> nix::Result<()> {
    chdir("/tmp/rootfs")?;
    umount2("/tmp/rootfs/.old", MntFlags::MNT_DETACH).ok();
    pivot_root(".", ".old")?;
    chdir("/")
}

fn mend() -> Result<(), Box<dyn Error>> {
    chdir("/tmp/rootfs")?;
    pivot_root(".", ".old")?;
    chdir("/")?;
    umount2("/.old", MntFlags::MNT_DETACH)?;
    Ok(fs::remove_dir("/.old")?)
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
