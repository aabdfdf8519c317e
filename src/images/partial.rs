//! A directory that is being filled, under a name that says so until it is whole.
//!
//! Killed at any point, a run leaves `NAME.jec-partial` and no `NAME`; the next one empties it
//! and begins again. A lock, which the kernel lets go when its holder ends, tells the two apart.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::remove;
use crate::error::{Error, Result, ensure, unless};
use crate::sys::file::PLACE;
use crate::sys::{credentials, directory, entries, file};

/// A directory to be.
pub struct Partial {
    above: OwnedFd,
    name: CString,
    working: CString,
    directory: OwnedFd,
}

impl Partial {
    /// Begins the directory `path`, which is not there yet, or empty.
    pub fn begin(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let problem = "names no directory that could be made: write its own name, as in ../root";
        let name = path.file_name().ok_or_else(|| Error::config(&*shown, problem))?;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        let above = CString::new(above.unwrap_or(Path::new(".")).as_os_str().as_bytes())?;
        let above = file::openat(file::HERE, &above, PLACE, 0)?;
        let partial = CString::new([name.as_bytes(), b".jec-partial"].concat())?;
        let name = CString::new(name.as_bytes())?;
        free(above.as_fd(), &name, &shown)?;
        let directory = loop {
            if let Some(directory) = lock(above.as_fd(), &partial)? {
                break directory;
            }
        };
        remove::empty(directory.as_fd())?;
        entries::fchmodat(above.as_fd(), &partial, 0o700)?;
        let new = Self { above, name, working: partial, directory };
        // Again under the lock: whoever had it before may have made the directory whole.
        match free(new.above.as_fd(), &new.name, &shown) {
            Ok(()) => Ok(new),
            Err(error) => new.abandon().and(Err(error)),
        }
    }

    /// What is to be filled.
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// It is whole: it gets its name. The kernel replaces an empty directory, and no other.
    pub fn end(self) -> Result<()> {
        file::renameat(self.above.as_fd(), &self.working, &self.name)
    }

    /// It will never be: nothing of it remains.
    pub fn abandon(self) -> Result<()> {
        remove::tree(self.above.as_fd(), &self.working)
    }
}

/// The directory, made if need be, and ours alone; none when it went away meanwhile.
fn lock(above: BorrowedFd, partial: &CStr) -> Result<Option<OwnedFd>> {
    unless(&[Errno::EEXIST], file::mkdirat(above, partial, 0o700))?;
    let Some(found) = unless(&[Errno::ENOENT], directory::open(above, partial))? else {
        return Ok(None);
    };
    let shown = partial.to_string_lossy();
    let foreign =
        || Error::config(&*shown, "belongs to somebody else: remove it, or choose another name");
    ensure(file::fstat(found.as_fd())?.st_uid == credentials::geteuid(), foreign)?;
    let busy = || Error::config(&*shown, "another jec is filling it at this moment");
    let locked = file::flock(found.as_fd(), false);
    unless(&[Errno::EWOULDBLOCK], locked)?.ok_or_else(busy)?;
    let again = unless(&[Errno::ENOENT], directory::open(above, partial))?;
    let same = again.map(|again| file::identity(again.as_fd())).transpose()?;
    Ok((same == Some(file::identity(found.as_fd())?)).then_some(found))
}

/// Refuses a name that something has.
fn free(above: BorrowedFd, name: &CStr, shown: &str) -> Result<()> {
    let how = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    if unless(&[Errno::ENOENT], file::openat(above, name, how, 0))?.is_none() {
        return Ok(());
    }
    let wrong = "is there already, and no directory: nothing is written through a link";
    let opened = unless(&[Errno::ENOTDIR, Errno::ELOOP], directory::open(above, name))?;
    let opened = opened.ok_or_else(|| Error::config(shown, wrong))?;
    let full = "is there already, and not empty: choose another name, or remove it";
    ensure(entries::some_names(opened.as_fd(), 1)?.is_empty(), || Error::config(shown, full))
}
