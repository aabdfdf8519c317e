//! A set-user-ID program of root makes anybody root: up to what the bounding set leaves.
//!
//! Uid 1 executes this program, and then a copy of it that belongs to root and has the set-user-ID
//! bit; before, CAP_SYS_ADMIN has been taken from the bounding set. What is printed: what each of
//! them is and may. See execve(2), capabilities(7), "Capabilities and execution of programs by root".

use std::env;
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, exit};

use caps::{CapSet, Capability};
use nix::mount::{MsFlags, mount};
use nix::unistd::{Gid, Uid, geteuid, getuid, setgroups, setresgid, setresuid};

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        None => exit(with_two_ids()?.arg("inside").status()?.code().unwrap_or(1)),
        Some("inside") => inside(),
        Some(_) => Ok(tell()?),
    }
}

fn inside() -> Result<(), Box<dyn Error>> {
    caps::drop(None, CapSet::Bounding, Capability::CAP_SYS_ADMIN)?;
    let left = caps::read(None, CapSet::Bounding)?;
    let ceiling = left.iter().fold(0, |sum, capability| sum | capability.bitmask());
    // Only the ceiling is lower: what root holds, it still holds.
    let program = set_user_id_copy()?;
    become_ordinary()?;

    let plain = said_by("/proc/self/exe")?;
    let nothing = plain == "euid 1, CapEff: 0000000000000000";
    holds(&format!("a program:               {plain}"), nothing)?;
    let raised = said_by(program)?;
    let expected = format!("euid 0, CapEff: {ceiling:016x}");
    holds(&format!("a set-user-ID program:   {raised}"), raised == expected)?;
    let without = ceiling & Capability::CAP_SYS_ADMIN.bitmask() == 0;
    holds(&format!("the bounding set:                        {ceiling:016x}"), without)
}

fn said_by(program: &str) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program).arg("tell").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().into())
}

/// This program once more, set-user-ID root, in a file system that nobody else sees.
fn set_user_id_copy() -> Result<&'static str, Box<dyn Error>> {
    mount(Some("lesson"), "/tmp", Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    fs::copy("/proc/self/exe", "/tmp/program")?;
    fs::set_permissions("/tmp/program", fs::Permissions::from_mode(0o4755))?;
    Ok("/tmp/program")
}

/// Uid 1, without a capability.
fn become_ordinary() -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(1), Gid::from_raw(1));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

/// What a program says of itself: its effective uid, and what it may.
fn tell() -> std::io::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("CapEff")).unwrap_or_default();
    println!("euid {}, {}", geteuid(), line.replace('\t', " "));
    Ok(())
}

/// This program again, as root with two ids and a mount namespace: root has them already, anybody
/// else gets them with the help of newuidmap(1), which unshare(1) calls.
fn with_two_ids() -> Result<Command, Box<dyn Error>> {
    let mut words = vec!["--mount"];
    if !getuid().is_root() {
        words.extend(["--user", "--map-root-user", "--map-auto"]);
    }
    let tried = Command::new("unshare").args(&words).arg("true").output()?;
    if !tried.status.success() {
        skip(&format!("no second id for you: {}", String::from_utf8_lossy(&tried.stderr).trim()));
    }
    let mut command = Command::new("unshare");
    command.args(words).arg(env::current_exe()?);
    Ok(command)
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
