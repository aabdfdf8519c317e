//! Notify: somebody else decides about a system call.
//!
//! A filter may answer "ask" (SECCOMP_RET_USER_NOTIF): the call then waits
//! until a process that holds the listener descriptor has answered. Init got
//! that descriptor when it loaded the filter and sent it with the baton; jec
//! sends it on, with the container's state as JSON, to the socket that the
//! configuration names, as the specification says, and keeps no copy. Side:
//! runtime. Without it: calls with that action fail with ENOSYS. See
//! seccomp_unotify(2); config-linux.md, "The Container Process State".

use std::os::fd::AsFd;

use crate::error::{Error, Result};
use crate::sides::{Runtime, needed};
use crate::state::{State, Status};
use crate::sys::socket::{self, SockType};

/// Hands the listener on.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let listeners = std::mem::take(&mut runtime.baton.descriptors);
    let profile = needed(runtime.plan.seccomp.as_ref(), "linux.seccomp")?;
    let pid = runtime.init()?.pid;
    let is_further = runtime.plan.joins.is_some();
    let known = runtime.container()?.state.clone();
    let status = if is_further { known.status } else { Status::Creating };
    let state = serde_json::json!({
        "ociVersion": crate::state::OCI_VERSION,
        "fds": ["seccompFd"],
        "pid": pid,
        "metadata": profile.listener_metadata,
        "state": State { status, ..known },
    });
    // Fewer arrive where jec may not open another descriptor (RLIMIT_NOFILE).
    let [listener] = &listeners[..] else {
        let found = listeners.len().to_string();
        return Err(Error::differs("the filter's listener", "1 descriptor", found));
    };
    let socket =
        socket::connect(needed(profile.listener_path.as_ref(), "listenerPath")?, SockType::Stream)?;
    socket::send(socket.as_fd(), state.to_string().as_bytes(), &[listener.as_fd()])
}
