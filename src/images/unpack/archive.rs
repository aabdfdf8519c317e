//! What an archive is compressed with, known by its first bytes.

use std::io::{self, Chain, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;

use crate::error::{Error, Result};

/// The first bytes, together with the rest.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// How far a decompressor may look back, in bytes: that much memory it takes. `xz -8` and
/// `zstd -19` stay within it.
const WINDOW: u32 = 32 << 20;

/// From this many bytes on, an archive may not be more than [`RATIO`] times as long as it was.
const BOMB: u64 = 1 << 30;

/// zstd packs real trees to a tenth, at best; gzip packs zeros to a thousandth.
const RATIO: u64 = 200;

/// Longest of all beginnings.
const LONGEST: usize = 6;

/// Formats by their first bytes; those that jec leaves to the program of this name.
const OTHERS: [(&[u8], &str); 4] =
    [(b"BZh", "bzip2"), (b"\x04\x22\x4d\x18", "lz4"), (b"LZIP", "lzip"), (b"\x5d\x00\x00", "lzma")];

/// The tar stream in `compressed`: gzip, xz, zstd, or not compressed at all. `read` counts the
/// bytes of `compressed`. One that grows too much becomes an error, unless it `may_grow`.
pub fn open<R: Read + Send + 'static>(
    mut compressed: R,
    read: Arc<AtomicU64>,
    may_grow: bool,
) -> Result<Box<dyn Read + Send>> {
    let mut begin = Vec::new();
    let beginning = (&mut compressed).take(LONGEST as u64).read_to_end(&mut begin);
    beginning.map_err(|error| damaged(&error))?;
    let others = OTHERS.iter().find(|(magic, _)| begin.starts_with(magic));
    if let Some((_, program)) = others {
        let cure = format!("{program} -dc FILE | jec unpack - DIR");
        return Err(Error::machine(format!("jec does not read what {program} writes"), cure));
    }
    let counted = |read| Counted { inner: Cursor::new(begin.clone()).chain(compressed), read };
    let stream: Box<dyn Read + Send> = match &begin[..] {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(counted(read.clone()))),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            // The decoder's own tables come on top, in KiB.
            Box::new(XzReader::new_mem_limit(counted(read.clone()), true, WINDOW / 1024 + 256))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            let mut frames = zstd::Decoder::new(counted(read.clone())).map_err(|e| damaged(&e))?;
            frames.window_log_max(WINDOW.ilog2()).map_err(|error| damaged(&error))?;
            Box::new(frames)
        }
        _ => return Ok(Box::new(counted(read))),
    };
    Ok(if may_grow { stream } else { Box::new(Bounded { inner: stream, read, out: 0 }) })
}

/// What reading an archive has failed with.
pub fn damaged(error: &io::Error) -> Error {
    if let Some(own) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return own.clone();
    }
    // xz's word, and zstd's.
    if error.kind() == io::ErrorKind::OutOfMemory || error.to_string().contains("too much memory") {
        return too_wide();
    }
    Error::config("archive", format!("cannot be read, it is damaged or cut off: {error}"))
}

fn too_wide() -> Error {
    Error::machine(
        "the archive was compressed with a dictionary of more than 32 MiB, which jec refuses to hold",
        "xz -dc FILE | jec unpack - DIR, or: zstd --long=31 -dc FILE | jec unpack - DIR",
    )
}

/// Counts what is read.
struct Counted<R> {
    inner: Whole<R>,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Ends an archive that grows without end.
struct Bounded {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
    out: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.out += count as u64;
        if self.out > BOMB && self.out / RATIO > self.read.load(Ordering::Relaxed) {
            let problem = "becomes more than 200 times as long as it is: a decompression bomb? \
                           --max-size SIZE says how much is right";
            return Err(io::Error::other(Error::config("archive", problem)));
        }
        Ok(count)
    }
}
