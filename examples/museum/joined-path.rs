//! Its author believed: rootfs.join(destination) is a path in the root file system.
//!
//! A destination begins with a slash, and then Path::join forgets rootfs altogether. Without the
//! slash the image decides: a symbolic link of its own leads out. The kernel can resolve a path as
//! if a directory were the root: openat2(2), RESOLVE_IN_ROOT. See CVE-2017-1002101, CVE-2021-30465.

use std::error::Error;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::exit;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

fn main() -> Result<(), Box<dyn Error>> {
    own_room().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    fs::create_dir_all("/tmp/rootfs/tmp/host")?;
    fs::create_dir("/tmp/host")?;
    std::os::unix::fs::symlink("/tmp/host", "/tmp/rootfs/data")?; // from the image
    let rootfs = Path::new("/tmp/rootfs");

    println!("believed: /tmp/host and /data of the container are below /tmp/rootfs");
    let joined = mistake(rootfs, "/tmp/host")?;
    shows("seen", &format!("/tmp/host is {}", joined.display()), joined == Path::new("/tmp/host"))?;
    let joined = mistake(rootfs, "data")?;
    shows("seen", &format!("data is {}", joined.display()), joined == Path::new("/tmp/host"))?;
    for destination in ["/tmp/host", "/data"] {
        let place = mend(rootfs, destination)?;
        let text = format!("{destination} is {}", place.display());
        shows("mended", &text, place == Path::new("/tmp/rootfs/tmp/host"))?;
    }
    Ok(())
}

/// Where a mount on that destination would be.
fn mistake(rootfs: &Path, destination: &str) -> std::io::Result<PathBuf> {
    fs::canonicalize(rootfs.join(destination))
}

fn mend(rootfs: &Path, destination: &str) -> Result<PathBuf, Box<dyn Error>> {
    let root = File::open(rootfs)?;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC);
    let fd = openat2(root.as_fd(), destination, how.resolve(ResolveFlag::RESOLVE_IN_ROOT))?;
    // A mount goes by this name, too: it is the descriptor, whatever happens to the path.
    Ok(fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?)
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
