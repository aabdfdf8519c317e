//! A layer, made of what a container has changed: a tar archive of the changes, in their order.
//!
//! Reproducible: names are sorted, owners are the container's numbers, times are whole seconds, and
//! nothing of this machine or of this moment comes in. So the same changes are the same bytes, and
//! have the same digest. What is gone is an empty file `.wh.NAME`, as the image specification has it.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::stat::{SFlag, major, minor};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::changes::{self, Change};
use super::digest::Digest;
use super::mapped;
use super::unpack::dress;
use crate::error::{Error, Result};
use crate::plan::{IdMaps, IdRange};
use crate::sys::{entries, file};

/// Whom the kernel shows for an id that a user namespace has not (/proc/sys/kernel/overflowuid).
const NOBODY: u32 = 65534;

/// Where every container has a mount, whether its image has the directory or not.
const MOUNT_POINTS: [&CStr; 3] = [c"dev", c"proc", c"sys"];

/// What a file of each kind is in an archive.
const ENTRIES: [(SFlag, EntryType); 6] = [
    (SFlag::S_IFREG, EntryType::Regular),
    (SFlag::S_IFDIR, EntryType::Directory),
    (SFlag::S_IFLNK, EntryType::Symlink),
    (SFlag::S_IFCHR, EntryType::Char),
    (SFlag::S_IFBLK, EntryType::Block),
    (SFlag::S_IFIFO, EntryType::Fifo),
];

/// Writes the layer behind what `out` has, and returns its digest and its length.
pub fn layer(
    old: &[OwnedFd],
    new: &[OwnedFd],
    owners: &Owners,
    out: &File,
) -> Result<(Digest, u64)> {
    let out = Hashed { out: io::BufWriter::new(out), hash: Sha256::new(), written: 0 };
    let mut tar = Builder::new(out);
    changes::walk(old, new, &mut |change| {
        let added = match change.now {
            None => gone(&mut tar, change),
            Some(now) if is_mount_point(change, now)? => Ok(()),
            Some(now) => add(&mut tar, change, now, owners),
        };
        added.map_err(|error| match error.downcast::<Error>() {
            Ok(own) => own,
            Err(error) => {
                let shown = change.path.to_string_lossy();
                Error::config(shown, format!("into the layer: {error}"))
            }
        })
    })?;
    let wrong = |error: io::Error| Error::config("the layer", error.to_string());
    let mut done = tar.into_inner().map_err(wrong)?;
    done.flush().map_err(wrong)?;
    Ok((Digest::done(done.hash), done.written))
}

/// Who a file belongs to inside the container, told from the numbers that we see.
pub struct Owners {
    /// The map of the namespace we look from, if that is not the machine's.
    ours: Option<IdMaps>,
    /// That of the container; empty for one without.
    container: IdMaps,
}

impl Owners {
    /// For files seen by [`super::as_mapped_root`].
    pub fn of(container: IdMaps) -> Result<Self> {
        Ok(Self { ours: mapped::maps()?, container })
    }

    fn inside(&self, uid: u32, gid: u32) -> (u32, u32) {
        let one = |id, lines: fn(&IdMaps) -> &[IdRange]| {
            let ours = self.ours.as_ref().map_or(&[][..], lines);
            let host = through(ours, id, |line| (line.container, line.host));
            through(lines(&self.container), host, |line| (line.host, line.container))
        };
        (one(uid, |maps| &maps.uids), one(gid, |maps| &maps.gids))
    }
}

/// An id on the other side of a map; no map changes none. What has no id there is nobody.
fn through(lines: &[IdRange], id: u32, sides: impl Fn(&IdRange) -> (u32, u32)) -> u32 {
    let other = |line: &IdRange| {
        let (from, to) = sides(line);
        let at = id.checked_sub(from).filter(|at| *at < line.size)?;
        Some(to + at)
    };
    if lines.is_empty() { id } else { lines.iter().find_map(other).unwrap_or(NOBODY) }
}

/// Whether a directory is only there because jec has mounted something on it: when, says its time.
fn is_mount_point(change: &Change, now: &OwnedFd) -> Result<bool> {
    let is_new = change.letter == 'A' && MOUNT_POINTS.contains(&change.path);
    Ok(is_new && entries::some_names(now.as_fd(), 1)?.is_empty())
}

/// What is written is hashed on its way.
struct Hashed<'f> {
    out: io::BufWriter<&'f File>,
    hash: Sha256,
    written: u64,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A whiteout.
fn gone(tar: &mut Builder<Hashed>, change: &Change) -> io::Result<()> {
    let path = Path::new(OsStr::from_bytes(change.path.to_bytes()));
    let mut name = OsString::from(".wh.");
    name.push(path.file_name().unwrap_or_default());
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    tar.append_data(&mut header, path.with_file_name(name), io::empty())
}

/// A file as it is now.
fn add(
    tar: &mut Builder<Hashed>,
    change: &Change,
    now: &OwnedFd,
    owners: &Owners,
) -> io::Result<()> {
    let stat = file::fstat(now.as_fd()).map_err(io::Error::other)?;
    let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
    // Nobody listens at a socket of an archive.
    let Some(entry) = ENTRIES.iter().find(|(known, _)| *known == kind) else { return Ok(()) };
    let mut header = Header::new_gnu();
    header.set_entry_type(entry.1);
    header.set_mode(stat.st_mode & 0o7777);
    let (uid, gid) = owners.inside(stat.st_uid, stat.st_gid);
    header.set_uid(uid.into());
    header.set_gid(gid.into());
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    attributes(tar, now)?;
    let path = Path::new(OsStr::from_bytes(change.path.to_bytes()));
    if kind == SFlag::S_IFLNK {
        let target = file::readlinkat(now.as_fd(), c"").map_err(io::Error::other)?;
        return tar.append_link(&mut header, path, OsStr::from_bytes(target.to_bytes()));
    }
    if kind != SFlag::S_IFREG {
        let number = |part: u64| u32::try_from(part).unwrap_or(0);
        header.set_device_major(number(major(stat.st_rdev)))?;
        header.set_device_minor(number(minor(stat.st_rdev)))?;
        return tar.append_data(&mut header, path, io::empty());
    }
    // What was looked at is what is read: by its descriptor, not by its name.
    let content = File::open(format!("/proc/self/fd/{}", now.as_raw_fd()))?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    header.set_size(size);
    tar.append_data(&mut header, path, content.take(size))
}

/// Extended attributes, as records before the member that has them.
fn attributes(tar: &mut Builder<Hashed>, now: &OwnedFd) -> io::Result<()> {
    let found = changes::attributes(now).map_err(io::Error::other)?;
    let key = |name: &CString| Some(format!("{}{}", dress::ATTRIBUTE, name.to_str().ok()?));
    let records: Vec<_> =
        found.iter().filter_map(|(name, value)| Some((key(name)?, value))).collect();
    tar.append_pax_extensions(records.iter().map(|(key, value)| (&**key, &***value)))
}
