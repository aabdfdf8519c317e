//! The baton: whoever holds it works, everybody else waits.
//!
//! One socket pair between Runtime and the two processes it makes, and two
//! words: Go, with what the other side needs next, and Fail. A third thing is
//! heard without being said: when the other side ends, the socket does. Init's
//! end is close-on-exec, so for Init that end means the program has started.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::error::{Error, Failure, Result};
use crate::sides::needed;
use crate::sys::socket;

/// What is heard.
#[derive(Debug)]
pub enum Word {
    /// It is your turn.
    Go,
    /// It failed over there.
    Fail(Failure),
    /// The other side has ended, or become another program.
    Ended,
}

/// One end of the pair, with what is handed over next, or was handed over last.
#[derive(Debug, Default)]
pub struct Baton {
    /// None before there is anybody to take turns with.
    socket: Option<OwnedFd>,
    /// The number of the process that the last stage has made, or 0.
    pub pid: i32,
    /// Mounts that Runtime made for Init, or the listener of a filter that Init has loaded.
    pub descriptors: Vec<OwnedFd>,
}

impl Baton {
    /// The two ends: Runtime's, and the one that Middle hands on to Init.
    pub fn pair() -> Result<(Self, Self)> {
        let (ours, theirs) = socket::socketpair()?;
        Ok((Self::over(ours), Self::over(theirs)))
    }

    /// One end over a socket that two processes have found each other by.
    pub fn over(socket: OwnedFd) -> Self {
        Self { socket: Some(socket), ..Self::default() }
    }

    /// What becomes readable when there is a word to take.
    pub fn socket(&self) -> Result<BorrowedFd<'_>> {
        needed(self.socket.as_ref(), "the baton").map(AsFd::as_fd)
    }

    /// Says Go, and hands over what is to be handed over.
    pub fn pass(&mut self) -> Result<()> {
        let pid = std::mem::take(&mut self.pid);
        let descriptors = std::mem::take(&mut self.descriptors);
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        socket::send(self.socket()?, &pid.to_ne_bytes(), &borrowed)
    }

    /// Says Fail.
    pub fn fail(&self, failure: &Failure) -> Result<()> {
        let mut bytes = serde_json::to_vec(failure).unwrap_or_default();
        bytes.truncate(socket::ROOM);
        socket::send(self.socket()?, &bytes, &[])
    }

    /// Waits for a word. What arrives is four bytes (Go) or JSON (Fail).
    pub fn take(&mut self) -> Result<Word> {
        let (bytes, descriptors) = socket::receive(self.socket()?)?;
        self.descriptors.extend(descriptors);
        if let Ok(pid) = <[u8; 4]>::try_from(&*bytes) {
            self.pid = i32::from_ne_bytes(pid);
            return Ok(Word::Go);
        }
        if bytes.is_empty() {
            return Ok(Word::Ended);
        }
        Ok(Word::Fail(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            Error::differs("the baton", "a word", error.to_string()).into()
        })))
    }
}
