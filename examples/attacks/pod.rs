//! The same as message-queue, in a pod: this container belongs to another one, and is to enter its
//! ipc namespace, instead of getting one.
//!
//! Stopped by `join`: there are no queues in that namespace either. ENOENT. A runtime that passes
//! over a path that it does not like leaves the container in the namespace of the host.
//! See setns(2), ipc_namespaces(7).

use super::{Attempt, Host, Seen, message_queue};

/// The other container is the victim, which was given a namespace of its own.
pub fn attack() -> Attempt {
    message_queue::attack()
}

/// It knows what nobody has told it.
pub fn harm(host: &mut Host, seen: &Seen) -> Option<String> {
    message_queue::harm(host, seen)
}
