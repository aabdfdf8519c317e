//! Take over a process of the host as a debugger does: read its memory, write its registers.
//!
//! Stopped by the pid namespace: the number means nothing inside. ESRCH. The second wall is
//! CAP_SYS_PTRACE, without which only a process with no more rights can be traced. See ptrace(2).

use nix::sys::ptrace::{Options, seize};

use super::{Attempt, Host, Seen, read, victim, when};

/// The victim goes on when the tracer ends.
pub fn attack() -> Attempt {
    seize(victim()?, Options::empty())?;
    Ok("a process of the host is traced".into())
}

/// TracerPid of proc_pid_status(5).
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    let status = read(format!("/proc/{}/status", host.victim.id()));
    when(!status.contains("TracerPid:\t0"), "it traces a process of the host")
}
