//! chroot(2) moves the root of a process, and leaves the tree as it was: one can walk out.
//!
//! `..` stops at the root, and that is all that holds anybody. A second chroot moves the root
//! below the working directory; from there `..` never meets it. This takes CAP_SYS_CHROOT, which
//! containers have. What is printed: in, and out again. See chroot(2), path_resolution(7).

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::exit;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, chroot, getgid, getuid};

fn main() -> Result<(), Box<dyn Error>> {
    own_room().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    fs::create_dir("/tmp/jail")?;
    fs::write("/tmp/jail/a-file", "")?;
    let outside = names_in_root()?;

    chroot("/tmp/jail")?;
    chdir("/")?;
    let inside = names_in_root()?;
    holds(&format!("in the jail, / has: {inside}"), inside == "a-file")?;
    chdir("..")?;
    holds("in the jail, .. of / is /", Path::new("a-file").exists())?;

    // The way out: the root goes to a directory below, and the working directory does not.
    fs::create_dir("/below")?;
    chroot("/below")?;
    while !is_top()? {
        chdir("..")?;
    }
    chroot(".")?;
    let now = names_in_root()?;
    let count = now.split(' ').count();
    holds(
        &format!("after mkdir, chroot, chdir .., chroot: / has its {count} names"),
        now == outside,
    )
}

fn names_in_root() -> std::io::Result<String> {
    let names = fs::read_dir("/")?.flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names.join(" "))
}

/// Whether the working directory is its own parent: the top of the tree.
fn is_top() -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (here, above) = (fs::metadata(".")?, fs::metadata("..")?);
    Ok((here.dev(), here.ino()) == (above.dev(), above.ino()))
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
