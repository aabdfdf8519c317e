//! The archive, read ahead by a thread of its own: decompressing and placing overlap.

use std::io::{ErrorKind, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::archive::damaged;
use crate::error::{Error, Result, ensure};

/// A tar archive consists of blocks of this many bytes.
pub const BLOCK: usize = 512;

/// How much is handed over at a time, and how many of these are on their way.
const PIECE: usize = 1 << 18;
const AHEAD: usize = 8;

type Piece = std::io::Result<Vec<u8>>;

/// What has been read and not yet placed.
pub struct Stream {
    pieces: Receiver<Piece>,
    spare: Sender<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

/// Does `work` with what `archive` holds. `progress` is told how much has been read.
pub fn ahead<T>(
    mut archive: impl Read + Send,
    progress: Option<&(dyn Fn(u64) + Sync)>,
    work: impl FnOnce(&mut Stream) -> Result<T>,
) -> Result<T> {
    thread::scope(|scope| {
        let (send, pieces) = sync_channel(AHEAD);
        let (spare, used) = channel();
        let reader = move || read(&mut archive, progress, &send, &used);
        let named = thread::Builder::new().name("jec:reader".into());
        let spawned = named.spawn_scoped(scope, reader);
        let cure = "ulimit -u; cat /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/pids.max";
        spawned.map_err(|error| Error::machine(format!("no thread can be made: {error}"), cure))?;
        work(&mut Stream { pieces, spare, piece: Vec::new(), at: 0 })
    })
}

/// The thread: reads whole pieces until the end, an error, or until nobody listens any more.
fn read(
    archive: &mut impl Read,
    progress: Option<&(dyn Fn(u64) + Sync)>,
    send: &SyncSender<Piece>,
    used: &Receiver<Vec<u8>>,
) {
    let mut read = 0;
    loop {
        let mut piece = used.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let filled = fill(archive, &mut piece);
        piece.truncate(filled.as_ref().map_or(0, |count| *count));
        let ends = piece.is_empty();
        read += piece.len() as u64;
        if let Some(progress) = progress {
            progress(read);
        }
        if send.send(filled.map(|_| piece)).is_err() || ends {
            return;
        }
    }
}

/// As much as there is.
fn fill(archive: &mut impl Read, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut count = 0;
    while count < piece.len() {
        match archive.read(&mut piece[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

impl Stream {
    /// At least one byte and at most `most`, which is not 0; nothing at the end of the archive.
    fn some(&mut self, most: u64) -> Result<&[u8]> {
        if self.at == self.piece.len() {
            // The thread may have gone on to its end already: then nobody wants the buffer.
            drop(self.spare.send(std::mem::take(&mut self.piece)));
            self.piece = match self.pieces.recv() {
                Ok(piece) => piece.map_err(|error| damaged(&error))?,
                Err(_) => Vec::new(),
            };
            self.at = 0;
        }
        let rest = &self.piece[self.at..];
        let count = rest.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        self.at += count;
        Ok(&rest[..count])
    }

    /// Hands the next `count` bytes on, in pieces.
    pub fn pass(&mut self, mut count: u64, mut to: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while count > 0 {
            let piece = self.some(count)?;
            ensure(!piece.is_empty(), cut_off)?;
            to(piece)?;
            count -= piece.len() as u64;
        }
        Ok(())
    }

    /// The next `count` bytes, which were found to be few.
    pub fn bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.pass(count, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// The next block.
    pub fn block(&mut self) -> Result<[u8; BLOCK]> {
        let mut block = [0; BLOCK];
        let mut at = 0;
        self.pass(BLOCK as u64, |piece| {
            block[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
            Ok(())
        })?;
        Ok(block)
    }

    /// What fills the last block of `length` bytes.
    pub fn padding(&mut self, length: u64) -> Result<()> {
        let over = length % BLOCK as u64;
        self.pass(if over == 0 { 0 } else { BLOCK as u64 - over }, |_| Ok(()))
    }

    /// Reads to the end of the file, where gzip, xz and zstd have their checksums.
    pub fn drain(&mut self, mut most: u64) -> Result<()> {
        loop {
            let count = self.some(u64::MAX)?.len() as u64;
            if count == 0 {
                return Ok(());
            }
            let much = || Error::config("archive", "has more behind its end than it may be long");
            most = most.checked_sub(count).ok_or_else(much)?;
        }
    }
}

fn cut_off() -> Error {
    let problem = "ends in the middle: it was cut off, or is no tar archive";
    Error::config("archive", problem)
}
