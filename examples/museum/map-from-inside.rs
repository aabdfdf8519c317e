//! Its author believed: the container writes its own uid_map, as the first thing in its namespace.
//!
//! For one id, one's own, that works, and so it passed its test. For a range the writer needs
//! CAP_SETUID in the namespace outside, which whoever has gone in has left behind: EPERM, and all
//! are 65534. The parent has to write, an ordinary user with newuidmap(1). See user_namespaces(7).

use std::env;
use std::error::Error;
use std::fs;
use std::process::{Command, exit};

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, Uid, getuid, setuid};

fn main() -> Result<(), Box<dyn Error>> {
    if let [_, who, map] = &env::args().collect::<Vec<_>>()[..] {
        return inside(who, map);
    }
    let range = range().unwrap_or_else(|| skip("no range of ids for you in /etc/subuid"));
    println!("believed: the container has the ids of its map, and is 0");
    for who in ["seen", "mended"] {
        let child = Command::new("/proc/self/exe").arg(who).arg(range.join(" ")).spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        // It stops when it is in its namespace, and goes on when it is told.
        if let WaitStatus::Exited(_, status) = waitpid(pid, Some(WaitPidFlag::WUNTRACED))? {
            exit(status);
        }
        if who == "mended" {
            mend(pid, &range)?;
        }
        kill(pid, Signal::SIGCONT)?;
        if !matches!(waitpid(pid, None)?, WaitStatus::Exited(_, 0)) {
            exit(1);
        }
    }
    Ok(())
}

fn mend(pid: Pid, range: &[String; 3]) -> Result<(), Box<dyn Error>> {
    if getuid().is_root() {
        return Ok(fs::write(format!("/proc/{pid}/uid_map"), range.join(" "))?);
    }
    let done = Command::new("newuidmap").arg(pid.to_string()).args(range).status()?;
    if done.success() { Ok(()) } else { Err("newuidmap failed".into()) }
}

fn inside(who: &str, map: &str) -> Result<(), Box<dyn Error>> {
    if let Err(errno) = unshare(CloneFlags::CLONE_NEWUSER) {
        skip(&format!("no user namespace for you: {errno}"));
    }
    let answer = if who == "seen" { mistake(map) } else { "written outside".into() };
    // Should the parent fail, nobody would wake it any more.
    set_pdeathsig(Signal::SIGKILL)?;
    raise(Signal::SIGSTOP)?;
    setuid(Uid::from_raw(0)).ok();
    let seen = shell("echo $(cat /proc/self/uid_map) $(id -u)")?;
    let expected = if who == "seen" { "65534".into() } else { format!("{map} 0") };
    shows(who, &format!("{seen} (the map: {answer})"), seen == expected)
}

fn mistake(map: &str) -> String {
    fs::write("/proc/self/uid_map", map)
        .map_or_else(|error| error.to_string(), |()| "written".into())
}

/// What may be mapped: inside from 0, outside from, how many.
fn range() -> Option<[String; 3]> {
    if getuid().is_root() {
        return Some(["0", "100000", "65536"].map(Into::into));
    }
    let name = String::from_utf8(Command::new("id").arg("-un").output().ok()?.stdout).ok()?;
    let text = fs::read_to_string("/etc/subuid").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{}:", name.trim())))?;
    let (first, count) = line.split_once(':')?;
    Some(["0", first, count].map(Into::into))
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
