//! Its author believed: after setuid(1), setgid(1) the process is an ordinary user.
//!
//! After setuid it may not call setgid any more: EPERM, and nobody looks. And supplementary groups
//! are a third thing. The process keeps root's group, and whatever belongs to it: docker's socket,
//! say. Groups first, then gid, then uid. See credentials(7), setgroups(2), setresuid(2).

use std::env;
use std::error::Error;
use std::process::{Command, exit};

use nix::unistd::{Gid, Uid, getuid, setgid, setgroups, setresgid, setresuid, setuid};

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("mistake") => seen(),
        Some(_) => mended(),
        None => {
            println!("believed: only uid 1, gid 1");
            let status = with_two_ids()?.arg("mistake").status()?;
            if !status.success() {
                exit(status.code().unwrap_or(1));
            }
            exit(with_two_ids()?.arg("mend").status()?.code().unwrap_or(1))
        }
    }
}

fn seen() -> Result<(), Box<dyn Error>> {
    setgroups(&[Gid::from_raw(0)])?; // as a login of root has it
    mistake();
    let ids = shell("id -u; id -g; id -G")?.replace('\n', ", ");
    shows("seen", &ids, ids == "1, 0, 0")
}

fn mended() -> Result<(), Box<dyn Error>> {
    setgroups(&[Gid::from_raw(0)])?;
    mend()?;
    let ids = shell("id -u; id -g; id -G")?.replace('\n', ", ");
    shows("mended", &ids, ids == "1, 1, 1")
}

fn mistake() {
    setuid(Uid::from_raw(1)).ok();
    setgid(Gid::from_raw(1)).ok();
}

fn mend() -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(1), Gid::from_raw(1));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
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
