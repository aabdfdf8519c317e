//! The baton: whoever holds it works, everybody else waits.
//!
//! One socket pair between Runtime and the two processes it makes, and two
//! words: Go and Fail. A third thing is heard without being said: when the
//! other side ends, the socket does. Init's end is close-on-exec, so for Init
//! that end means the program has started.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use crate::error::{Failure, Result};
use crate::sys::socket;

/// A word may be as long as an error with its arguments.
const ROOM: usize = 64 * 1024;

/// What is heard.
#[derive(Debug)]
pub enum Word {
    /// It is your turn. The number is the pid of a process that was made, or 0.
    Go(i32),
    /// It failed over there.
    Fail(Failure),
    /// The other side has ended, or become another program.
    Ended,
}

/// One end of the pair.
#[derive(Debug)]
pub struct Baton {
    socket: Rc<OwnedFd>,
}

impl AsFd for Baton {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Baton {
    /// The two ends: Runtime's, and the one that Middle hands on to Init.
    pub fn pair() -> Result<(Self, Self)> {
        let (ours, theirs) = socket::socketpair()?;
        Ok((Self { socket: Rc::new(ours) }, Self { socket: Rc::new(theirs) }))
    }

    /// The same end, for a child that has a copy of our descriptors.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { socket: Rc::clone(&self.socket) }
    }

    /// Says Go.
    pub fn pass(&self, pid: i32, descriptors: &[OwnedFd]) -> Result<()> {
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        socket::send(self.as_fd(), &pid.to_ne_bytes(), &borrowed)
    }

    /// Says Fail.
    pub fn fail(&self, failure: &Failure) -> Result<()> {
        let mut bytes = serde_json::to_vec(failure).unwrap_or_default();
        bytes.truncate(ROOM);
        socket::send(self.as_fd(), &bytes, &[])
    }

    /// Waits for a word. What arrives is four bytes (Go) or JSON (Fail).
    pub fn take(&self) -> Result<(Word, Vec<OwnedFd>)> {
        let (bytes, descriptors) = socket::receive(self.as_fd(), ROOM)?;
        let word = match <[u8; 4]>::try_from(&*bytes) {
            Ok(pid) => Word::Go(i32::from_ne_bytes(pid)),
            Err(_) => serde_json::from_slice(&bytes).map_or(Word::Ended, Word::Fail),
        };
        Ok((word, descriptors))
    }
}
