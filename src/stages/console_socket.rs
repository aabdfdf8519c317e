//! Console socket: the way on which the terminal will come out.
//!
//! A container with a terminal makes it inside, on its own devpts, so that its
//! /dev/pts knows the name. The other end, the master, has to reach whoever
//! shows it: it travels as a descriptor (SCM_RIGHTS) through a socket that is
//! made here, while the host is still visible. Side: runtime. Without it: a
//! program that thinks it has no user. See unix(7), pty(7); config.md,
//! "process.terminal".

use crate::error::Result;
use crate::sides::Runtime;
use crate::sys::socket::{self, SockType};

/// Connects to the engine's socket, or makes a pair: one end for jec, one for init.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let (ours, theirs) = match &runtime.console_socket {
        Some(path) => (None, socket::connect(path, SockType::Stream)?),
        None => socket::socketpair().map(|(ours, theirs)| (Some(ours), theirs))?,
    };
    (runtime.console, runtime.handed.console) = (ours, Some(theirs));
    Ok(())
}
