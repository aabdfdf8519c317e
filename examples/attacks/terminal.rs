//! Type a command into the caller's terminal: her shell executes it when the container has ended.
//!
//! Stopped by `session`: the container has no controlling terminal, so that /dev/tty is none.
//! ENXIO. See TIOCSTI(2const), CVE-2017-5226.

use std::fs::File;
use std::os::fd::AsFd;

use super::{Attempt, Host, Seen, when};

/// The terminal was made for this, and nobody reads it.
pub fn attack() -> Attempt {
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    for byte in b"echo owned\n" {
        crate::sys::attack::type_into(terminal.as_fd(), *byte)?;
    }
    Ok("echo owned".into())
}

/// What the caller finds on her line.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    let mut line = [0; 64];
    let length = crate::sys::file::read(host.terminal.as_fd(), &mut line).ok()?;
    when(line[..length].starts_with(b"echo owned"), "the caller's shell reads: echo owned")
}
