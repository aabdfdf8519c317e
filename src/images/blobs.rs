//! Where the blobs of an image lie: in a directory, or in a tar archive.
//!
//! Of an archive only the headers are read, once; a blob is then read where it is.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;
use oci_spec::image::Descriptor;
use tar::EntryType;

#[cfg(feature = "pull")]
use super::choose::is_image;
use super::digest::{Checked, Digest, told};
use super::image::Layer;
#[cfg(feature = "pull")]
use super::pull::{MANIFEST, Registry};
use super::read::path;
use super::store::Store;
use crate::error::{Error, Result, ensure};
use crate::sys::file::{self, PLACE};

/// The largest document (index, manifest, configuration) that is read, in bytes: registries
/// refuse larger manifests.
pub const LARGEST: u64 = 4 << 20;

/// The most members that an archive of an image may have.
const MEMBERS: usize = 100_000;

/// The most links on the way to a member.
const LINKS: usize = 8;

/// An image's files, by name.
pub enum Blobs {
    /// An image layout.
    Directory(OwnedFd),
    /// The same, or what `docker save` writes, in one file.
    Archive(Arc<File>, BTreeMap<String, Member>),
    /// A repository of a registry.
    #[cfg(feature = "pull")]
    Registry(Box<Registry>),
}

/// What an archive has under a name.
pub enum Member {
    /// Where its bytes begin, and how many they are.
    File(u64, u64),
    /// The name of another one.
    Link(String),
}

/// A file that can be read now, and its length.
pub type Opened = (Box<dyn Read + Send>, u64);

impl Blobs {
    /// Those of an image layout.
    pub fn directory(path: &Path) -> Result<Self> {
        open(path, PLACE).map(Self::Directory)
    }

    /// Those of an archive.
    pub fn archive(path: &Path) -> Result<Self> {
        // A fifo would hold us for ever.
        let file = open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        let shown = path.display().to_string();
        is_regular(&file, &shown)?;
        let file = File::from(file);
        let mut begin = [0; 4];
        // Shorter than four bytes: the tar crate will say what is wrong.
        file.read_at(&mut begin, 0).unwrap_or_default();
        if matches!(begin, [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] | [0xfd, b'7', b'z', b'X']) {
            let lacks = format!("{shown} is compressed, so that no blob in it can be found");
            return Err(Error::machine(lacks, "gunzip (or unxz, unzstd) it first"));
        }
        let damaged = |error: io::Error| {
            let problem = error.to_string().replace(char::is_control, " ");
            Error::config(&*shown, format!("no whole tar: {problem}"))
        };
        let members = members(&file).map_err(damaged)?;
        Ok(Self::Archive(Arc::new(file), members))
    }

    /// Opens a file by its name.
    pub fn open(&self, name: &str) -> Result<Opened> {
        match self {
            Self::Directory(directory) => {
                let how = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
                let found = file::open_in_root(directory.as_fd(), &CString::new(name)?, how)?;
                let size = is_regular(&found, name)?;
                Ok((Box::new(File::from(found)), size))
            }
            Self::Archive(file, members) => {
                let (at, left) = find(members, name)?;
                Ok((Box::new(Section { file: file.clone(), at, left }), left))
            }
            #[cfg(feature = "pull")]
            Self::Registry(registry) => registry.open(name),
        }
    }

    /// A document whose digest nobody knows.
    pub fn document(&self, name: &str) -> Result<Vec<u8>> {
        let (stream, size) = self.open(name)?;
        read(stream, name, size)
    }

    /// A document that somebody refers to.
    pub fn described(&self, one: &Descriptor) -> Result<(Digest, Vec<u8>)> {
        let digest = Digest::parse(one.digest().as_ref())?;
        let name = match self {
            #[cfg(feature = "pull")]
            Self::Registry(_) if is_image(one) => format!("{MANIFEST}{}", digest.hex()),
            _ => path(&digest),
        };
        let bytes = self.verified(&name, &digest, one.size())?;
        Ok((digest, bytes))
    }

    /// Brings layers to where they can be read, if they are not there.
    #[cfg_attr(not(feature = "pull"), expect(unused_variables))]
    pub fn fetch(&self, store: &Store, layers: &[&Layer]) -> Result<()> {
        match self {
            #[cfg(feature = "pull")]
            Self::Registry(registry) => registry.fetch(store, layers),
            _ => Ok(()),
        }
    }

    /// They are in the store: removes what [`fetch`](Self::fetch) has left.
    #[cfg_attr(not(feature = "pull"), expect(unused_variables))]
    pub fn forget(&self, store: &Store, layers: &[Layer]) -> Result<()> {
        match self {
            #[cfg(feature = "pull")]
            Self::Registry(_) => Registry::forget(store, layers),
            _ => Ok(()),
        }
    }

    /// A document that has to have this digest and size.
    fn verified(&self, name: &str, digest: &Digest, size: u64) -> Result<Vec<u8>> {
        small(name, size)?;
        let (stream, _) = self.open(name)?;
        read(Checked::new(stream, name, digest, Some(size)), name, size)
    }
}

fn open(path: &Path, how: OFlag) -> Result<OwnedFd> {
    let found = file::openat(file::HERE, &CString::new(path.as_os_str().as_bytes())?, how, 0);
    let shown = path.display();
    found.map_err(|error| {
        Error::config(shown.to_string(), format!("no such image: {error}\n  check:  ls -l {shown}"))
    })
}

/// The length of a file that is a file.
fn is_regular(found: &OwnedFd, name: &str) -> Result<u64> {
    let stat = file::fstat(found.as_fd())?;
    let regular = stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits();
    ensure(regular, || Error::config(name, "not a regular file"))?;
    Ok(stat.st_size.unsigned_abs())
}

fn small(name: &str, size: u64) -> Result<()> {
    let problem = format!("of {size} bytes: no document of an image needs more than {LARGEST}");
    ensure(size <= LARGEST, || Error::config(name, problem))
}

fn read(stream: impl Read, name: &str, size: u64) -> Result<Vec<u8>> {
    small(name, size)?;
    let mut bytes = Vec::new();
    let count = stream.take(LARGEST + 1).read_to_end(&mut bytes);
    let count = count.map_err(|error| told(&error, name))?;
    small(name, count as u64).map(|()| bytes)
}

/// The names in an archive. Where one stands twice, the later one counts, as in tar(1).
fn members(file: &File) -> io::Result<BTreeMap<String, Member>> {
    let mut archive = tar::Archive::new(file);
    let mut members = BTreeMap::new();
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let link =
            entry.link_name_bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let member = match (entry.header().entry_type(), link) {
            (EntryType::Regular | EntryType::Continuous, _) => {
                Member::File(entry.raw_file_position(), entry.size())
            }
            (EntryType::Link, Some(link)) => Member::Link(plain(&link)),
            (EntryType::Symlink, Some(link)) => Member::Link(plain(&beside(&name, &link))),
            _ => continue,
        };
        if members.len() == MEMBERS {
            return Err(io::Error::other(format!("more than {MEMBERS} members")));
        }
        members.insert(plain(&name), member);
    }
    Ok(members)
}

/// A name without `.`, `..` and doubled slashes.
fn plain(name: &str) -> String {
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Where a link of this name leads.
fn beside(name: &str, link: &str) -> String {
    let above = name.trim_end_matches('/').rsplit_once('/').map_or("", |(above, _)| above);
    if link.starts_with('/') { link.into() } else { format!("{above}/{link}") }
}

fn find(members: &BTreeMap<String, Member>, name: &str) -> Result<(u64, u64)> {
    let mut at = plain(name);
    for _ in 0..LINKS {
        match members.get(&at) {
            Some(Member::File(offset, size)) => return Ok((*offset, *size)),
            Some(Member::Link(other)) => at.clone_from(other),
            None => return Err(Error::config(name, "the archive has no such member")),
        }
    }
    Err(Error::config(name, format!("more than {LINKS} links lead to it")))
}

/// A part of a file. Others may read the file at the same time: its position is nobody's.
struct Section {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_plain_and_links_are_followed_a_few_times() {
        assert_eq!(plain("./a//b/../c"), "a/c");
        assert_eq!(plain("../../x"), "x");
        let link = |to: &str| Member::Link(to.into());
        let members = BTreeMap::from([
            ("a/layer.tar".into(), link(&plain(&beside("a/layer.tar", "../b/layer.tar")))),
            ("b/layer.tar".into(), Member::File(512, 3)),
            ("loop".into(), link("loop")),
        ]);
        assert_eq!(find(&members, "./a/layer.tar"), Ok((512, 3)));
        assert!(find(&members, "loop").unwrap_err().to_string().contains("links"));
        assert!(find(&members, "c").unwrap_err().to_string().contains("no such member"));
    }
}
