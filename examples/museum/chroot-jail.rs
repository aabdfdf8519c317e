//! Its author believed: chroot and chdir, that is what pivot_root does, only easier.
//!
//! The tree is as it was, above the new root. Two calls walk out of it, and root in a container may
//! make them: CAP_SYS_CHROOT is among what engines leave it. pivot_root exchanges the trees and
//! lets the old one be unmounted: then there is nothing to walk to. See chroot(2), pivot_root(2).

use std::error::Error;
use std::fs::{self, File};
use std::process::exit;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{chdir, chroot, getgid, getuid, pivot_root};

fn main() -> Result<(), Box<dyn Error>> {
    own_room().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    fs::create_dir("/tmp/rootfs")?;
    let room = File::open("/proc/self/ns/mnt")?;
    println!("believed: the container cannot reach /etc of the host");
    mistake()?;
    let text = walk_out()?;
    shows("seen", &text, text == "/etc is reached")?;

    setns(&room, CloneFlags::CLONE_NEWNS)?; // enters by the root of the namespace: ours again
    mend()?;
    let text = walk_out()?;
    shows("mended", &text, text == "/etc is not there")
}

fn mistake() -> nix::Result<()> {
    chroot("/tmp/rootfs")?;
    chdir("/")
}

fn mend() -> nix::Result<()> {
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC; // the new root has to be a mount
    mount(Some("/tmp/rootfs"), "/tmp/rootfs", None::<&str>, bind, None::<&str>)?;
    chdir("/tmp/rootfs")?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")
}

/// The root goes to a directory below, the working directory does not: `..` never meets it.
fn walk_out() -> Result<String, Box<dyn Error>> {
    println!("          mkdir /below, chroot /below, chdir .. a hundred times, chroot .");
    fs::create_dir_all("/below")?;
    chroot("/below")?;
    for _ in 0..100 {
        chdir("..")?;
    }
    chroot(".")?;
    Ok(if fs::exists("/etc")? { "/etc is reached" } else { "/etc is not there" }.into())
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
