//! Descriptors and signals: what the program must not inherit.
//!
//! An open descriptor is a way around every wall built so far: one directory
//! of the host, left open, was an escape (CVE-2024-21626). close_range(2)
//! marks all from 3 on to be closed by execve. Signals are inherited too:
//! which ones are blocked, and which are ignored (Rust ignores SIGPIPE, and a
//! `yes | head` would never end). Both go back to what a program expects.
//! Side: init. Without it: the attack in the chapter. See close_range(2),
//! signal(7), execve(2); runc's --preserve-fds.

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::error::{Error, Result, ensure, unless};
use crate::sides::Init;
use crate::sys::file::{self, HERE};
use crate::sys::{attributes, directory, signal};
use crate::tree::Kind;

/// Standard input, output and error.
const KEPT: u32 = 3;

/// Closes at execve all that the program was not given; signals as at birth.
pub fn run(init: &mut Init) -> Result<()> {
    let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    for (name, stream) in [
        ("standard input", input.as_fd()),
        ("standard output", output.as_fd()),
        ("standard error", error.as_fd()),
    ] {
        // `jec run … </`: what is kept open must not be the way out either. It was
        // opened on the host, so everything above it is the host's.
        let problem = "is a directory, through which the host could be reached";
        let is_file = Kind::of(&file::fstat(stream)?) == Kind::File;
        ensure(is_file, || Error::config(name, problem))?;
    }
    let first = KEPT + init.plan.process.preserved_fds;
    attributes::close_on_exec_from(first)?;
    exchange_directories(init, first)?;
    signal::reset(init.ignored)
}

/// They close when execve has worked; until then it looks up paths, and a script of the image that
/// begins with `#!/proc/self/fd/4/../` would go through them. So all become the container's root.
fn exchange_directories(init: &Init, first: u32) -> Result<()> {
    let root = file::openat(HERE, c"/", file::PLACE, 0)?;
    let own = file::openat(init.proc.as_fd(), c"self/fd", OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)?;
    for name in directory::names(own.as_fd())? {
        let at: i32 = name.to_str().ok().and_then(|name| name.parse().ok()).unwrap_or_default();
        let is_ours = [own.as_raw_fd(), root.as_raw_fd()].contains(&at);
        // EBADF: what the names were read through.
        let found = || unless(&[Errno::EBADF], attributes::is_directory(at));
        if at.cast_unsigned() >= first && !is_ours && found()? == Some(true) {
            attributes::exchange(at, root.as_fd())?;
        }
    }
    Ok(())
}
