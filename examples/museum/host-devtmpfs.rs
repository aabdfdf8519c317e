//! Its author believed: like proc, a devtmpfs is mounted anew for each container.
//!
//! There is one devtmpfs, and every mount shows that one: with the nodes of the host's disks, and
//! what the container makes or removes is made or removed on the host. A /dev is a tmpfs with the
//! few nodes that programs expect. See the specification, "Default Devices"; mknod(2).

use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, exit, id};

use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::getuid;

const NOTHING: Option<&str> = None;
const MEMORY: u64 = 1; // the major number of null and its like

fn main() -> Result<(), Box<dyn Error>> {
    if !getuid().is_root() {
        skip("only root may mount a devtmpfs");
    }
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?;
    mount(Some("room"), "/tmp", Some("tmpfs"), MsFlags::empty(), NOTHING)?;
    fs::create_dir("/tmp/dev")?;
    mistake()?;
    if fs::metadata("/dev")?.dev() != fs::metadata("/tmp/dev")?.dev() {
        skip("the host's /dev is no devtmpfs");
    }
    println!("believed: what happens in the container's /dev is the container's");
    let name = format!("museum-{}", id());
    let look = format!("touch /tmp/dev/{name}; ls /dev | grep {name}; rm /tmp/dev/{name}");
    let found = shell(&look)?;
    shows("seen", &format!("the host's /dev has {found}"), found == name)?;
    umount("/tmp/dev")?;

    mend()?;
    let found = shell(&look)?;
    shows("mended", "the host's /dev has nothing of it", found.is_empty())?;
    let zeros = shell("head -c 3 /tmp/dev/zero | od -An -tx1")?;
    shows("mended", &format!("and zero gives {zeros}"), zeros == "00 00 00")
}

fn mistake() -> nix::Result<()> {
    mount(Some("devtmpfs"), "/tmp/dev", Some("devtmpfs"), MsFlags::empty(), NOTHING)
}

fn mend() -> nix::Result<()> {
    mount(Some("dev"), "/tmp/dev", Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755"))?;
    for (name, minor) in [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)] {
        let path = format!("/tmp/dev/{name}");
        let (mode, device) = (Mode::from_bits_truncate(0o666), makedev(MEMORY, minor));
        mknod(path.as_str(), SFlag::S_IFCHR, mode, device)?;
    }
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
