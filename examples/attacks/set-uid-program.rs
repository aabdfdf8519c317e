//! Become root by a set-user-ID program, as by sudo: an image may hold any number of them.
//!
//! Stopped by `no-new-privs`: execve(2) gives nothing to anybody any more, and the program runs as
//! its caller, who may not read what is root's. EACCES. See PR_SET_NO_NEW_PRIVS(2const).

use std::process::{Command, Stdio};

use nix::errno::Errno;

use super::{Attempt, Host, Refused, Seen, when};

/// The program is this one, and carries out root-file. Its exit status is an errno.
pub fn attack() -> Attempt {
    let mut program = Command::new("/vol/program");
    let ran = program.args(["attack", "--inside", "root-file"]).stdin(Stdio::null()).output()?;
    match ran.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&ran.stdout).trim().into()),
        other => Err(Refused(Errno::from_raw(other.unwrap_or(0)))),
    }
}

/// It knows what nobody has told it.
pub fn harm(host: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.text.contains(&host.secret), "it knows the host's secret")
}
