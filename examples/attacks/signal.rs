//! Send a signal to a process of the host, by its number.
//!
//! Root inside is root outside, and may signal any process that it can name. Stopped by the pid
//! namespace: the number means nothing inside. ESRCH. See kill(2), pid_namespaces(7).

use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::{Signal, kill};

use super::{Attempt, Host, Seen, victim, when};

/// The victim was started for this.
pub fn attack() -> Attempt {
    kill(victim()?, Signal::SIGKILL)?;
    Ok("a process of the host got SIGKILL".into())
}

/// A signal ends who does not expect it.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    let signal = host.victim.try_wait().ok().flatten()?.signal()?;
    when(signal == Signal::SIGKILL as i32, "a process of the host was ended by SIGKILL")
}
