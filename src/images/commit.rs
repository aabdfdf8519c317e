//! A layer, made of what a container has changed: a tar archive of the changes, in their order.
//!
//! Reproducible: names are sorted, owners are numbers, times are whole seconds, and nothing of
//! this machine or of this moment comes in. So the same changes are the same bytes, and have the
//! same digest. What is gone is an empty file `.wh.NAME`, as the image specification has it.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, major, minor};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::changes::{self, Change};
use crate::error::{Error, Result};
use crate::sys::file;

/// Writes the layer, and returns its digest, as `sha256:…`.
pub fn layer(old: &[OwnedFd], new: &[OwnedFd], out: &File) -> Result<String> {
    let mut tar = Builder::new(Hashed { out: io::BufWriter::new(out), hash: Sha256::new() });
    changes::walk(old, new, &mut |change| {
        let wrong = |error: io::Error| {
            Error::config(change.path.to_string_lossy(), format!("into the layer: {error}"))
        };
        match change.now {
            None => gone(&mut tar, change).map_err(wrong),
            Some(now) => add(&mut tar, change, now),
        }
    })?;
    let wrong = |error: io::Error| Error::config("the layer", error.to_string());
    let mut done = tar.into_inner().map_err(wrong)?;
    done.flush().map_err(wrong)?;
    let hex =
        done.hash.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    Ok(format!("sha256:{hex}"))
}

/// What is written is hashed on its way.
struct Hashed<'f> {
    out: io::BufWriter<&'f File>,
    hash: Sha256,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A whiteout.
fn gone(tar: &mut Builder<Hashed>, change: &Change) -> io::Result<()> {
    let path = change.path.to_string_lossy();
    let (way, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(0);
    tar.append_data(&mut header, Path::new(way).join(format!(".wh.{name}")), io::empty())
}

/// A file as it is now.
fn add(tar: &mut Builder<Hashed>, change: &Change, now: &OwnedFd) -> Result<()> {
    let shown = change.path.to_string_lossy();
    let wrong = |error: io::Error| Error::config(&*shown, format!("into the layer: {error}"));
    let stat = file::fstat(now.as_fd())?;
    let mut header = Header::new_gnu();
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    let path = Path::new(OsStr::from_bytes(change.path.to_bytes()));
    let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
    header.set_entry_type(match kind {
        SFlag::S_IFDIR => EntryType::Directory,
        SFlag::S_IFLNK => EntryType::Symlink,
        SFlag::S_IFCHR => EntryType::Char,
        SFlag::S_IFBLK => EntryType::Block,
        SFlag::S_IFIFO => EntryType::Fifo,
        // Nobody listens at a socket of an archive.
        SFlag::S_IFSOCK => return Ok(()),
        _ => EntryType::Regular,
    });
    if kind == SFlag::S_IFLNK {
        let target = file::readlinkat(now.as_fd(), c"")?;
        let target = OsStr::from_bytes(target.to_bytes());
        return tar.append_link(&mut header, path, target).map_err(wrong);
    }
    if kind != SFlag::S_IFREG {
        let number = |part: u64| u32::try_from(part).unwrap_or(0);
        let device = header.set_device_major(number(major(stat.st_rdev)));
        device
            .and_then(|()| header.set_device_minor(number(minor(stat.st_rdev))))
            .map_err(wrong)?;
        return tar.append_data(&mut header, path, io::empty()).map_err(wrong);
    }
    // What was looked at is what is read: by its descriptor, not by its name.
    let link = CString::new(format!("/proc/self/fd/{}", now.as_raw_fd()))?;
    let content = File::from(file::openat(file::HERE, &link, OFlag::O_RDONLY, 0)?);
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    header.set_size(size);
    let exact = io::Read::take(content, size);
    tar.append_data(&mut header, path, exact).map_err(wrong)
}
