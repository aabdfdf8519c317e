//! no_new_privs is one bit: from here on, execve(2) adds nothing. A set-user-ID bit is only paint.
//!
//! Uid 1 executes a set-user-ID program of root twice, before and after it has set the bit. The
//! bit cannot be cleared, and children inherit it. What is printed: what the program is and may,
//! each time. See prctl(2), PR_SET_NO_NEW_PRIVS.

use std::env;
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, exit};

use nix::mount::{MsFlags, mount};
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, geteuid, getuid, setgroups, setresgid, setresuid};

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        None => exit(with_two_ids()?.arg("inside").status()?.code().unwrap_or(1)),
        Some("inside") => inside(),
        Some(_) => Ok(tell()?),
    }
}

fn inside() -> Result<(), Box<dyn Error>> {
    let program = set_user_id_copy()?;
    become_ordinary()?;
    let before = said_by(program)?;
    holds(&format!("without the bit: {before}"), before.starts_with("euid 0, "))?;
    // No capability is needed for this: whoever sets it only gives something up.
    prctl::set_no_new_privs()?;
    let after = said_by(program)?;
    let nothing = after == "euid 1, CapEff: 0000000000000000";
    holds(&format!("with the bit:    {after}"), nothing)?;
    let status = Command::new("grep").args(["NoNewPrivs", "/proc/self/status"]).output()?;
    let line = String::from_utf8(status.stdout)?;
    holds("a child has it:  NoNewPrivs: 1", line.trim() == "NoNewPrivs:\t1")
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
