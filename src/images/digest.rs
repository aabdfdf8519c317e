//! Digests: a blob is named by the SHA-256 of its bytes, so that nobody can exchange them.
//!
//! What is read is hashed on the way, and the end of the file is only told to who reads when the
//! sum is right: before that nothing that came out of it may become visible.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result, ensure};

/// `sha256:` and 64 hexadecimal digits: the one algorithm that every image uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// A digest as it is written; it becomes the name of a file, so nothing else will do.
    pub fn parse(text: &str) -> Result<Self> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let digits = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
        let digits = digits.filter(|hex| hex.bytes().all(digit));
        let problem = "a digest is sha256: and 64 digits of 0-9a-f; jec knows no other algorithm";
        digits
            .map(|hex| Self(hex.into()))
            .ok_or_else(|| Error::config(format!("{text:?}"), problem))
    }

    /// That of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self::done(Sha256::new_with_prefix(bytes))
    }

    /// That of all that was hashed.
    pub fn done(hash: Sha256) -> Self {
        Self(hex(&hash.finalize()))
    }

    /// The digits alone.
    pub fn hex(&self) -> &str {
        &self.0
    }

    /// As many digits as a person needs to tell one from another.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // To a string this cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Whether the end of a [`Checked`] stream was reached, which it only is when all was right.
#[derive(Debug, Clone, Default)]
pub struct Proof(Arc<AtomicBool>);

impl Proof {
    /// Fails when the stream was left before its end: nobody knows its digest then.
    pub fn ensure(&self, what: &str) -> Result<()> {
        let problem = "has more bytes behind the end of the archive in it";
        ensure(self.0.load(Ordering::Acquire), || Error::config(what, problem))
    }
}

/// A stream that has to have this digest, and this length where one is known.
pub struct Checked<R> {
    inner: R,
    hash: Sha256,
    what: String,
    wanted: Digest,
    size: Option<u64>,
    read: u64,
    proof: Proof,
}

impl<R: Read> Checked<R> {
    /// `what` names it in errors.
    pub fn new(inner: R, what: &str, wanted: &Digest, size: Option<u64>) -> Self {
        let (what, wanted) = (what.into(), wanted.clone());
        Self { inner, hash: Sha256::new(), what, wanted, size, read: 0, proof: Proof::default() }
    }

    /// What tells, later, that it was read to its end.
    pub fn proof(&self) -> Proof {
        self.proof.clone()
    }

    fn end(&self) -> Result<()> {
        let (read, size) = (self.read, self.size.unwrap_or(self.read));
        let short = || format!("has {read} bytes, and {size} are announced: it was cut off");
        ensure(read == size, || Error::config(&*self.what, short()))?;
        let found = Digest::done(self.hash.clone());
        let differs = || format!("its digest is {found}: damaged, or exchanged for something else");
        ensure(found == self.wanted, || Error::config(&*self.what, differs()))?;
        self.proof.0.store(true, Ordering::Release);
        Ok(())
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.end().map_err(io::Error::other)?;
        }
        self.read += count as u64;
        if self.size.is_some_and(|size| self.read > size) {
            let problem = format!("is longer than the {} bytes announced", self.size.unwrap_or(0));
            return Err(io::Error::other(Error::config(&*self.what, problem)));
        }
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

/// What reading has failed with: an error of ours, or the system's.
pub fn told(error: &io::Error, what: &str) -> Error {
    let own = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).cloned();
    own.unwrap_or_else(|| Error::config(what, format!("cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn only_a_whole_sha256_is_a_digest() {
        assert_eq!(Digest::parse(EMPTY).unwrap(), Digest::of(b""));
        for text in ["", "sha256:", "sha256:../../etc", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
            assert!(Digest::parse(text).is_err(), "{text}");
        }
        assert!(Digest::parse(&EMPTY.to_uppercase()).is_err());
        assert!(Digest::parse(&EMPTY.replace('e', "/")).is_err());
    }

    #[test]
    fn the_end_comes_only_when_length_and_sum_are_right() {
        let read = |size, wanted: &[u8]| {
            let mut stream = Checked::new(&b"abc"[..], "it", &Digest::of(wanted), size);
            let proof = stream.proof();
            let result = io::copy(&mut stream, &mut io::sink()).map_err(|error| error.to_string());
            assert_eq!(result.is_ok(), proof.ensure("it").is_ok());
            result
        };
        assert_eq!(read(Some(3), b"abc"), Ok(3));
        assert_eq!(read(None, b"abc"), Ok(3));
        assert!(read(Some(3), b"abd").unwrap_err().contains("its digest is"));
        assert!(read(Some(4), b"abc").unwrap_err().contains("cut off"));
        assert!(read(Some(2), b"abc").unwrap_err().contains("is longer"));
    }
}
