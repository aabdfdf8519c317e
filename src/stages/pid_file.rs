//! Pid file: init's number, for whoever asked for it, or its pidfd.
//!
//! Engines pass `--pid-file FILE`, wait until it is there, and then watch that
//! process. So it is written last, when the state is on the disk and init
//! rests at its gate; and it is written beside and renamed, so that nobody
//! ever reads half a number. With `--pidfd-socket PATH` they get a descriptor,
//! which never means another process. Side: runtime. Without it: an engine
//! would have to ask for the state again and again. See rename(2),
//! pidfd_open(2); runc(8), "create".

use std::os::fd::AsFd;

use crate::error::Result;
use crate::sides::Runtime;
use crate::sys::socket::{self, SockType};

/// Tells of init.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    tell(runtime, b"standard")
}

/// Sends the descriptor, with the word that runc has for such a process, and writes the file, as
/// far as they were asked for.
pub fn tell(runtime: &mut Runtime, kind: &[u8]) -> Result<()> {
    let pid = runtime.init()?.pid;
    if let Some(path) = &runtime.pidfd_socket {
        let socket = socket::connect(path, SockType::Stream)?;
        socket::send(socket.as_fd(), kind, &[runtime.init()?.pidfd.as_fd()])?;
    }
    let path = runtime.pid_file.take();
    path.map_or(Ok(()), |path| runtime.container()?.write_pid_file(pid, &path))
}
