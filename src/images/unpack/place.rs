//! Members become files, links, devices and directories.
//!
//! Each is made anew under the last part of its name, in a directory that is held by descriptor:
//! nothing is ever written through what an archive has put there before.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, makedev};

use super::directories::{self, Directories};
use super::limits::{Left, Meter};
use super::member::{Kind, Member, split, wrong};
use super::stream::Stream;
use super::{dress, whiteout};
use crate::error::{Result, ensure, unless};
use crate::images::{How, Ids, Report, remove};
use crate::sys::{entries, file};

/// How long the names of directories that are closed to their own owner may be together.
const MOST_CLOSED: usize = 16 << 20;

/// A target that is being filled.
pub struct Target<'a> {
    root: BorrowedFd<'a>,
    how: &'a How<'a>,
    directories: Directories<'a>,
    meter: Meter,
    /// What the archive says of the target itself.
    itself: Option<Member>,
    /// Directories that an ordinary user could put nothing into: their modes come last.
    closed: Vec<(Vec<u8>, u32)>,
    /// How much memory these take.
    held: usize,
}

impl<'a> Target<'a> {
    /// An empty directory.
    pub fn new(root: BorrowedFd<'a>, how: &'a How<'a>) -> Self {
        let (directories, meter) = (Directories::new(root), Meter::new(how.limits));
        Self { root, how, directories, meter, itself: None, closed: Vec::new(), held: 0 }
    }

    /// Places one member, whose content comes next in the stream.
    pub fn put(&mut self, mut member: Member, stream: &mut Stream) -> Result<()> {
        self.meter.count(&member)?;
        let Some((directory, name)) = member.place() else {
            ensure(member.kind == Kind::Directory, || wrong("the target itself is no directory"))?;
            self.itself = Some(member);
            return Ok(());
        };
        let (directory, name) = (directory.to_vec(), CString::new(name)?);
        if whiteout::is_one(self.how.whiteouts, &name) {
            let at = self.directories.enter(&directory)?;
            stream.pass(member.size, |_| Ok(()))?;
            stream.padding(member.size)?;
            return whiteout::put(self.how.whiteouts, at, &name);
        }
        if member.kind == Kind::Directory && self.how.ids == Ids::OwnOnly {
            self.stays_open(&mut member)?;
        }
        if let Kind::Link(target) = &member.kind {
            return self.link(&member, target, &directory, &name);
        }
        let at = self.directories.enter(&directory)?;
        let is_device = matches!(member.kind, Kind::Device(..));
        let made = match self.how.ids {
            Ids::OwnOnly if is_device => None,
            _ => make(at, &name, &member, self.how)?,
        };
        let Some(made) = made else {
            self.meter.left(Left::Device, &member.name);
            return Ok(());
        };
        if let Kind::File(holes) = &member.kind {
            let parts = holes.as_ref().map(|holes| &*holes.parts);
            for (mut offset, length) in parts.unwrap_or(&[(0, member.size)]).iter().copied() {
                stream.pass(length, |bytes| {
                    entries::write_at(made.as_fd(), bytes, offset)?;
                    offset += bytes.len() as u64;
                    Ok(())
                })?;
            }
            if let Some(holes) = holes {
                entries::ftruncate(made.as_fd(), holes.length)?;
            }
            stream.padding(member.size)?;
        }
        dress::put_on(made.as_fd(), (at, &name), &member, self.how.ids, &mut self.meter)
    }

    /// An ordinary user has to put the rest of the archive into the directory.
    fn stays_open(&mut self, member: &mut Member) -> Result<()> {
        if member.mode & 0o700 != 0o700 {
            self.held += member.name.len() + size_of::<(Vec<u8>, u32)>();
            let many = || wrong("too many directories are closed to their own owner");
            ensure(self.held <= MOST_CLOSED, many)?;
            self.closed.push((member.name.clone(), member.mode));
            member.mode |= 0o700;
        }
        Ok(())
    }

    /// A second name: both are looked up inside the root, and the last part of either is no link
    /// that is followed.
    fn link(
        &mut self,
        member: &Member,
        target: &[u8],
        directory: &[u8],
        name: &CStr,
    ) -> Result<()> {
        let (above, last) =
            split(target).ok_or_else(|| wrong("a hard link to the target itself"))?;
        let last = CString::new(last)?;
        let from = directories::find(self.root, above)?;
        let entry = |name: &CStr, at: BorrowedFd| {
            unless(&[Errno::ENOENT], file::openat(at, name, OFlag::O_PATH | OFlag::O_NOFOLLOW, 0))
        };
        let source = from.as_ref().map(|from| entry(&last, from.as_fd())).transpose()?.flatten();
        let (Some(from), Some(source)) = (from, source) else {
            if self.meter.has_left(Left::Device) {
                self.meter.left(Left::Link, &member.name);
                return Ok(());
            }
            let target = super::member::shown(target);
            return Err(wrong(format!("is a hard link to {target}, which is not there before it")));
        };
        let at = self.directories.enter(directory)?;
        let linked = entries::linkat(from.as_fd(), &last, at, name);
        if unless(&[Errno::EEXIST], linked)?.is_some() {
            return Ok(());
        }
        if let Some(there) = entry(name, at)?
            && file::identity(there.as_fd())? == file::identity(source.as_fd())?
        {
            return Ok(());
        }
        remove::tree(at, name)?;
        entries::linkat(from.as_fd(), &last, at, name)
    }

    /// Times and modes that had to wait, and the target itself: with mode 0755 where the archive
    /// does not speak of it.
    pub fn finish(mut self) -> Result<Report> {
        self.directories.leave()?;
        for (name, mode) in self.closed.iter().rev() {
            // Another member may have taken the name since.
            let (above, last) = split(name).unwrap_or((b"", b"."));
            let at = directories::find(self.root, above)?;
            let how = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY;
            if let Some(at) = at
                && file::openat(at.as_fd(), &CString::new(last)?, how, 0).is_ok()
            {
                entries::fchmodat(at.as_fd(), &CString::new(last)?, *mode)?;
            }
        }
        match self.itself.take() {
            None => entries::fchmodat(self.root, c".", 0o755)?,
            Some(member) => {
                let place = (self.root, c".");
                dress::put_on(self.root, place, &member, self.how.ids, &mut self.meter)?;
            }
        }
        Ok(self.meter.report())
    }
}

/// Makes the entry, in place of what has its name; only a directory may take the place of a
/// directory without emptying it. None where this user cannot make it.
fn make(at: BorrowedFd, name: &CStr, member: &Member, how: &How) -> Result<Option<OwnedFd>> {
    let made = new(at, name, &member.kind);
    if let Some(made) = unless(&[Errno::EEXIST], made)? {
        return Ok(made);
    }
    if member.kind == Kind::Directory {
        let there = unless(&[Errno::ENOTDIR, Errno::ELOOP], open(at, name, OFlag::O_DIRECTORY))?;
        if there.is_some() {
            return Ok(there);
        }
        let hides = whiteout::hides(how.whiteouts, at, name)?;
        remove::tree(at, name)?;
        let made = new(at, name, &member.kind)?;
        if let (true, Some(made)) = (hides, &made) {
            whiteout::opaque(how.whiteouts, made.as_fd())?;
        }
        return Ok(made);
    }
    remove::tree(at, name)?;
    new(at, name, &member.kind)
}

/// What was made is for its owner only, until it is whole.
fn new(at: BorrowedFd, name: &CStr, kind: &Kind) -> Result<Option<OwnedFd>> {
    match kind {
        Kind::File(_) => {
            let how = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
            return file::openat(at, name, how, 0o600).map(Some);
        }
        Kind::Directory => file::mkdirat(at, name, 0o700)?,
        Kind::Symlink(target) => file::symlinkat(target, at, name)?,
        Kind::Fifo => file::mknodat(at, name, SFlag::S_IFIFO, 0o600, 0)?,
        Kind::Device(block, major, minor) => {
            let kind = if *block { SFlag::S_IFBLK } else { SFlag::S_IFCHR };
            let made = file::mknodat(at, name, kind, 0o600, makedev(*major, *minor));
            if unless(&[Errno::EPERM], made)?.is_none() {
                return Ok(None);
            }
        }
        Kind::Link(_) => return Ok(None),
    }
    open(at, name, OFlag::empty()).map(Some)
}

/// The entry itself, be it a link.
fn open(at: BorrowedFd, name: &CStr, more: OFlag) -> Result<OwnedFd> {
    file::openat(at, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | more, 0)
}
