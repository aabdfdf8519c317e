//! Find the message queues and the shared memory by which programs of the host talk.
//!
//! Stopped by the ipc namespace, in which there are none but the container's own. ENOENT.
//! See mq_overview(7), ipc_namespaces(7).

use super::{Attempt, Host, Refused, Seen, when};

/// The queue of the host has the secret of this machine as its name.
pub fn attack() -> Attempt {
    let names = std::fs::read_dir("/dev/mqueue")?.flatten().map(|entry| entry.file_name());
    let name = names.last().ok_or(Refused(nix::errno::Errno::ENOENT))?;
    Ok(name.to_string_lossy().into_owned())
}

/// It knows what nobody has told it.
pub fn harm(host: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.text.contains(&host.secret), "it knows the host's secret")
}
