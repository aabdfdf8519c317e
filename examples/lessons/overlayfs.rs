//! An overlay shows two directories as one: below what an image brought, above what was changed.
//!
//! A file is changed and another removed. Below, both are as they were; above lie a copy, and a
//! device 0:0, which says that something is not there. This is how a hundred containers share one
//! image. What is printed: all three views. See mount(8), overlay; the kernel's overlayfs.rst.

use std::error::Error;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::process::exit;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

fn main() -> Result<(), Box<dyn Error>> {
    own_room().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    for dir in ["image", "changes", "work", "container"] {
        fs::create_dir(format!("/tmp/{dir}"))?;
    }
    fs::write("/tmp/image/greeting", "hello")?;
    fs::write("/tmp/image/secret", "42")?;

    // `work` is for the kernel: what is half done waits there.
    let data = "lowerdir=/tmp/image,upperdir=/tmp/changes,workdir=/tmp/work";
    let flags = MsFlags::empty();
    mount(Some("overlay"), "/tmp/container", Some("overlay"), flags, Some(data))
        .unwrap_or_else(|errno| skip(&format!("no overlay for you (Linux 5.11): {errno}")));
    let merged = names("/tmp/container")?;
    holds(&format!("container: {merged}"), merged == "greeting secret")?;
    holds("changes:   empty", names("/tmp/changes")?.is_empty())?;

    fs::write("/tmp/container/greeting", "goodbye")?;
    fs::remove_file("/tmp/container/secret")?;
    let merged = names("/tmp/container")?;
    holds(
        &format!("container: {merged}, after one was changed and one removed"),
        merged == "greeting",
    )?;
    let (below, above) = ("/tmp/image/greeting", "/tmp/changes/greeting");
    let (below, above) = (fs::read_to_string(below)?, fs::read_to_string(above)?);
    let claim = format!("image:     greeting is {below:?}; in changes it is {above:?}");
    holds(&claim, (below.as_str(), above.as_str()) == ("hello", "goodbye"))?;
    let mark = fs::symlink_metadata("/tmp/changes/secret")?;
    let whiteout = mark.file_type().is_char_device() && mark.rdev() == 0;
    holds("changes:   secret is a character device 0:0", whiteout)?;
    let kept = fs::read_to_string("/tmp/image/secret")?;
    holds(&format!("image:     secret is still {kept:?}"), kept == "42")
}

fn names(dir: &str) -> std::io::Result<String> {
    let names = fs::read_dir(dir)?.flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names.join(" "))
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
