//! Layers, into files: several at once, and each from where it was cut.
//!
//! `HEX.partial` grows under a lock and keeps what it has, also when jec is killed. When its
//! digest is right it becomes `HEX`, and goes when the layer is unpacked.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use ureq::http::header::CONTENT_RANGE;

use super::advice::{Failed, explained, tries};
use super::bars::Bars;
use super::http::{Client, Question, header};
use crate::error::{Error, Result, unless};
use crate::images::digest::{Checked, Digest, told};
use crate::images::image::Layer;
use crate::images::several::several;
use crate::images::store::Store;
use crate::sys::{entries, file};

/// How many layers come at once: what Docker does, and registries expect.
const AT_ONCE: usize = 3;

/// What has to come before a cut does not count as a try.
const ENOUGH: u64 = 64 << 10;

/// Where layers come from, and where they go.
pub struct Fetch<'a> {
    /// The registry.
    pub client: &'a Client,
    /// Behind its name, the blobs of this repository.
    pub path: &'a str,
    /// The files.
    pub place: BorrowedFd<'a>,
    /// What is there already.
    pub store: &'a Store,
}

/// Fetches what is missing. One that fails stops the others, which keep what they have.
pub fn all(fetch: &Fetch, layers: &[(&Layer, &Digest)]) -> Result<()> {
    let line = |(_, digest): &(&Layer, &Digest)| format!("pull {}", digest.short());
    let lines: Vec<_> = layers.iter().map(|layer| (line(layer), layer.0.size)).collect();
    let bars = Bars::new(&lines);
    let fetched = several(layers.len(), AT_ONCE, |at, go_on| {
        let progress = |bytes| {
            bars.at(at, bytes);
            go_on()
        };
        fetch.one(layers[at].0, layers[at].1, &progress)
    });
    fetched.map(drop)
}

/// Is told how long a file is now, and says whether to go on.
type Progress<'a> = &'a dyn Fn(u64) -> bool;

impl Fetch<'_> {
    /// One layer, unless another jec was faster.
    fn one(&self, layer: &Layer, digest: &Digest, progress: Progress) -> Result<()> {
        let name = CString::new(digest.hex())?;
        let partial = CString::new(format!("{}.partial", digest.hex()))?;
        let held = loop {
            let how = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW;
            let held = file::openat(self.place, &partial, how, 0o600)?;
            file::flock(held.as_fd(), true)?;
            if self.has(&name)? || self.store.has_layer(&layer.diff_id)? {
                return file::remove(self.place, &partial, false).map(drop);
            }
            // Whoever had the lock has removed the file, or given it its name.
            if file::fstat(held.as_fd())?.st_nlink > 0 {
                break File::from(held);
            }
        };
        tries(|| self.rest(&held, digest, layer.size, progress))?;
        let what = format!("{}: {}", self.client.name(), self.url(digest));
        if let Err(error) = prove(&held, &what, digest, layer.size) {
            // No further byte would make it right.
            file::remove(self.place, &partial, false)?;
            return Err(error);
        }
        file::renameat(self.place, &partial, &name)
    }

    fn has(&self, name: &CString) -> Result<bool> {
        let found = file::openat(self.place, name, OFlag::O_PATH, 0);
        Ok(unless(&[Errno::ENOENT], found)?.is_some())
    }

    fn url(&self, digest: &Digest) -> String {
        self.client.url(&format!("{}{digest}", self.path))
    }

    /// What a file lacks yet.
    fn rest(
        &self,
        mut held: &File,
        digest: &Digest,
        size: u64,
        progress: Progress,
    ) -> Result<(), Failed> {
        let mut have = held.seek(SeekFrom::End(0)).map_err(|error| self.written(&error))?;
        if have > size {
            have = again(held)?;
        }
        if have == size {
            return Ok(());
        }
        let path = format!("{}{digest}", self.path);
        let question = Question { path: &path, accept: "*/*", from: have };
        let answer = self.client.ask(&question).or_else(|failed| {
            if failed.status == 416 {
                again(held)?;
            }
            Err(failed)
        })?;
        let begins = format!("bytes {have}-");
        if have > 0
            && !(answer.status() == 206 && header(&answer, &CONTENT_RANGE).starts_with(&begins))
        {
            have = again(held)?;
        }
        let begin = have;
        let mut body = answer.into_body().into_with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; 64 << 10];
        while have < size {
            let count = match body.read(&mut buffer) {
                Ok(count @ 1..) => count,
                other => return Err(self.cut(digest, (begin, have, size), other.err())),
            };
            have += count as u64;
            if have > size {
                again(held)?;
                let problem =
                    format!("{}: is longer than the {size} bytes announced", self.url(digest));
                return Err(Failed::ever(Error::config(self.client.name(), problem)));
            }
            held.write_all(&buffer[..count]).map_err(|error| self.written(&error))?;
            if !progress(have) {
                return Err(Failed::ever(Error::config(
                    self.client.name(),
                    "another layer failed",
                )));
            }
        }
        Ok(())
    }

    fn cut(&self, digest: &Digest, at: (u64, u64, u64), error: Option<std::io::Error>) -> Failed {
        let (begin, have, size) = at;
        let url = self.url(digest);
        let why = error.map_or(String::new(), |error| format!(" ({error})"));
        let problem = format!("{url}: cut off after {have} of {size} bytes{why}");
        let cause =
            "the network, or the registry; what came is kept, and the same command goes on there";
        let error = explained(&self.client.name(), &problem, cause, &url);
        // A byte at a time would be no way forward.
        Failed { progress: have - begin >= ENOUGH, ..Failed::now(error) }
    }

    fn written(&self, error: &std::io::Error) -> Failed {
        let problem = format!("cannot be kept: {error}\n  check:  df -h the store");
        Failed::ever(Error::config(self.client.name(), problem))
    }
}

/// From the first byte on.
fn again(mut held: &File) -> Result<u64> {
    entries::ftruncate(held.as_fd(), 0)?;
    held.rewind().map_err(|error| Error::config("a partial layer", error.to_string()))?;
    Ok(0)
}

/// Reads a file to its end, which only comes when it is what it should be.
fn prove(mut held: &File, what: &str, digest: &Digest, size: u64) -> Result<()> {
    held.rewind().map_err(|error| Error::config(what, error.to_string()))?;
    let mut checked = Checked::new(held, what, digest, Some(size));
    std::io::copy(&mut checked, &mut std::io::sink()).map_err(|error| told(&error, what)).map(drop)
}
