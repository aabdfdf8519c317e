//! The walked run's end of the line to the tour: where the process rests, and what it is to do.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signalfd::SignalFd;

use crate::error::{Result, unless};
use crate::sides::heed;
use crate::sys::process::End;
use crate::sys::signal::{self, READ};
use crate::sys::{board, file};

/// Go on.
pub const GO: &[u8] = b"g";
/// Open a shell, and tell again where it rests.
pub const SHELL: &[u8] = b"s";

/// Two pipes of the tour. Opened by path, so none of their descriptors is inherited by anybody.
pub struct Guide {
    to: OwnedFd,
    from: OwnedFd,
}

impl Guide {
    /// Opens them, if these are their two paths.
    pub fn open(paths: &[String]) -> Result<Option<Self>> {
        let [to, from] = paths else {
            return Ok(None);
        };
        let open = |path: &str, how| {
            let end = file::openat(file::HERE, &CString::new(path)?, how, 0)?;
            board::copy_far(end.as_fd())
        };
        Ok(Some(Self { to: open(to, OFlag::O_WRONLY)?, from: open(from, OFlag::O_RDONLY)? }))
    }

    /// Rests at this stage, until it is said how to go on. The end of the line abandons.
    pub fn rest(&self, stage: &str, shell: impl Fn() -> Result<()>) -> Result<End> {
        let signals = signal::as_messages()?;
        loop {
            // EPIPE: nobody walks here any more, which the end of the other line says as well.
            unless(&[Errno::EPIPE], file::write(self.to.as_fd(), stage.as_bytes()))?;
            let mut word = [0];
            let count = self.hear(&signals, &mut word)?;
            match &word[..count] {
                GO => return Ok(End::Exited(0)),
                SHELL => shell()?,
                _ => return Ok(End::Exited(1)),
            }
        }
    }

    fn hear(&self, signals: &SignalFd, word: &mut [u8]) -> Result<usize> {
        loop {
            let watched = [(signals.as_fd(), READ), (self.from.as_fd(), READ)];
            let ready = signal::watch(&watched, None)?;
            if ready[0].contains(READ) {
                heed(signals, "set-up")?;
            }
            if ready[1].contains(READ) {
                return file::read(self.from.as_fd(), word);
            }
        }
    }
}
