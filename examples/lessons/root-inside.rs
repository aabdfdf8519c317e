//! A user namespace maps ids: uid 0 inside is an ordinary user outside, at the same time.
//!
//! A process enters one, and is nobody until the map is written from outside. Then it is root, as
//! far as the namespace owns things, and for the machine it is who it was. What is printed: one
//! process by both counts. See user_namespaces(7), "User and group ID mappings".

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{Command, Stdio, exit};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, getgid, getuid, setgroups, sethostname, setresgid, setresuid, setuid};

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).is_some() {
        return inside();
    }
    if getuid().is_root() {
        become_ordinary(1000)?;
    }
    let (uid, gid) = (getuid(), getgid());
    let mut command = Command::new("/proc/self/exe");
    let mut child = command.arg("inside").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut answers = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let mut hear = || answers.next().unwrap_or_else(|| Ok("nothing".into()));

    let word = hear()?;
    if let Some(reason) = word.strip_prefix("skipped: ") {
        skip(reason);
    }
    holds(&format!("inside:  {word}"), word == "uid 65534, no map yet")?;
    // Whoever made the namespace may map one id: her own.
    let proc = format!("/proc/{}", child.id());
    fs::write(format!("{proc}/setgroups"), "deny")?;
    fs::write(format!("{proc}/uid_map"), format!("0 {uid} 1"))?;
    fs::write(format!("{proc}/gid_map"), format!("0 {gid} 1"))?;
    let mut to_child = child.stdin.take().ok_or("no input")?;
    writeln!(to_child, "mapped")?;

    let word = hear()?;
    let powers = "uid 0; uid 1: EINVAL; the machine's host name: EPERM";
    holds(&format!("inside:  {word}"), word == powers)?;
    let status = fs::read_to_string(format!("{proc}/status"))?;
    let seen = status.lines().find_map(|line| line.strip_prefix("Uid:\t")).unwrap_or_default();
    let real = seen.split('\t').next();
    holds(&format!("outside: uid {uid}, says {proc}/status"), real == Some(&uid.to_string()))?;
    drop(to_child);
    holds("outside: it ended well", child.wait()?.success())
}

fn inside() -> Result<(), Box<dyn Error>> {
    if let Err(errno) = unshare(CloneFlags::CLONE_NEWUSER) {
        skip(&format!("no user namespace for you: {errno}"));
    }
    println!("uid {}, no map yet", getuid());
    let mut lines = stdin().lines();
    lines.next().ok_or("no word from outside")??;
    // The id has no map, so it does not exist; the host name belongs to the machine's namespace.
    let other = setuid(Uid::from_raw(1)).err().unwrap_or(Errno::UnknownErrno);
    let name = sethostname("mine").err().unwrap_or(Errno::UnknownErrno);
    println!("uid {}; uid 1: {other:?}; the machine's host name: {name:?}", getuid());
    lines.next().map_or(Ok(()), |_| Err("a second word".into()))
}

/// Were root outside as well, there would be nothing to see.
fn become_ordinary(id: u32) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
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
