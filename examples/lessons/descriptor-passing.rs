//! A descriptor is a right that can be handed over: who may open counts once, when it is opened.
//!
//! A process that sees an empty root has no path to any file. One that does opens /etc/passwd and
//! sends the descriptor through a socket. What is printed: a line that was read from nowhere. This
//! is how a console or a seccomp listener leaves a container. See unix(7), SCM_RIGHTS; cmsg(3).
#![allow(unsafe_code)]

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::{IoSlice, IoSliceMut, Read, Seek, stdin};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, exit};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::unistd::{chroot, getgid, getuid};

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).is_some() {
        return inside();
    }
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new("/proc/self/exe");
    let mut child = command.arg("inside").stdin(OwnedFd::from(theirs)).spawn()?;
    drop(command); // it holds their end open

    let mut file = File::open("/etc/passwd")?;
    let rights = [file.as_raw_fd()];
    let message = [ControlMessage::ScmRights(&rights)];
    // At least one byte has to go along.
    sendmsg::<()>(ours.as_raw_fd(), &[IoSlice::new(b"!")], &message, MsgFlags::empty(), None)?;
    let status = child.wait()?;
    if !status.success() {
        exit(status.code().unwrap_or(1));
    }
    // Not a copy: both descriptors are of one open file, with one position in it.
    let position = file.stream_position()?;
    holds(&format!("outside: in the file we are now at byte {position}"), position == 5)
}

fn inside() -> Result<(), Box<dyn Error>> {
    own_room().unwrap_or_else(|error| skip(&format!("no user namespace for you: {error}")));
    chroot("/tmp")?;
    std::env::set_current_dir("/")?;
    let missing = File::open("/etc/passwd").err().map(|error| error.kind());
    holds("inside:  /etc/passwd: ENOENT", missing == Some(std::io::ErrorKind::NotFound))?;
    let mut text = [0; 5];
    received()?.read_exact(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    holds(&format!("inside:  the descriptor has: {text}"), text == "root:")
}

fn received() -> Result<File, Box<dyn Error>> {
    let (mut byte, mut space) = ([0], nix::cmsg_space!(RawFd));
    let mut into = [IoSliceMut::new(&mut byte)];
    let close_on_exec = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(stdin().as_raw_fd(), &mut into, Some(&mut space), close_on_exec)?;
    let Some(ControlMessageOwned::ScmRights(fds)) = message.cmsgs()?.next() else {
        return Err("a message without a descriptor".into());
    };
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows its number.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fds[0]) }))
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
