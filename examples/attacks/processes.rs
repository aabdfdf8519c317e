//! Read what a process of the host was started with: command lines hold passwords.
//!
//! Stopped by the pid namespace, whose own /proc shows its own processes only. ENOENT.
//! See proc_pid_cmdline(5), pid_namespaces(7).

use std::fs::read_to_string;

use super::{Attempt, Host, Seen, victim, when};

/// The victim has the secret of this machine on its command line.
pub fn attack() -> Attempt {
    Ok(read_to_string(format!("/proc/{}/cmdline", victim()?))?)
}

/// It knows what nobody has told it.
pub fn harm(host: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.text.contains(&host.secret), "it knows the host's secret")
}
