//! The directories that members are put into: opened inside the root, kept open as long as the
//! next member goes there too, and left with the times that they had.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::member::{split, wrong};
use crate::error::{Error, Result, ensure, unless};
use crate::sys::entries::{self, AS_IT_IS, Moment};
use crate::sys::file::{self, PLACE};

/// How many links to directories that are missing are followed, as the kernel's MAXSYMLINKS.
const MAX_LINKS: usize = 40;

/// The directory that is open.
pub struct Directories<'a> {
    root: BorrowedFd<'a>,
    open: Option<Open>,
}

struct Open {
    name: Vec<u8>,
    directory: OwnedFd,
    changed: Moment,
}

impl<'a> Directories<'a> {
    /// None is open yet.
    pub fn new(root: BorrowedFd<'a>) -> Self {
        Self { root, open: None }
    }

    /// The directory `name`, made where it is missing, as are those above it. The kernel resolves
    /// the name inside the root: a link out of the archive leads back into it.
    pub fn enter(&mut self, name: &[u8]) -> Result<BorrowedFd<'_>> {
        if self.open.as_ref().is_none_or(|open| open.name != name) {
            self.leave()?;
            let directory = match find(self.root, name)? {
                Some(directory) => directory,
                None => make(self.root, name)?,
            };
            let changed = changed(directory.as_fd())?;
            self.open = Some(Open { name: name.to_vec(), directory, changed });
        }
        let lost = || Error::differs("the directory", "open", "closed");
        self.open.as_ref().map(|open| open.directory.as_fd()).ok_or_else(lost)
    }

    /// What is put into a directory changes its time, which the archive has said already.
    pub fn leave(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        entries::utimens(open.directory.as_fd(), AS_IT_IS, open.changed)
    }
}

/// The directory of this name inside the root.
pub fn find(root: BorrowedFd, name: &[u8]) -> Result<Option<OwnedFd>> {
    let path = if name.is_empty() { c".".to_owned() } else { CString::new(name)? };
    unless(&[Errno::ENOENT], file::open_in_root(root, &path, PLACE))
}

fn changed(directory: BorrowedFd) -> Result<Moment> {
    file::fstat(directory).map(|stat| (stat.st_mtime, stat.st_mtime_nsec))
}

/// Makes the directories that `name` lacks. A link that leads nowhere yet says where: legal
/// archives have var/run as a link to /run, something in it, and /run at the end.
fn make(root: BorrowedFd, name: &[u8]) -> Result<OwnedFd> {
    let mut name = name.to_vec();
    let mut links = 0;
    loop {
        if let Some(found) = find(root, &name)? {
            return Ok(found);
        }
        let (above, missing) = first_missing(root, &name)?;
        let (place, last) = split(missing).ok_or_else(|| wrong("its directory cannot be made"))?;
        let last = CString::new(last)?;
        let target = file::readlinkat(above.as_fd(), &last);
        if let Some(target) = unless(&[Errno::EINVAL, Errno::ENOENT], target)? {
            links += 1;
            ensure(links <= MAX_LINKS, || wrong("leads through more than 40 links"))?;
            let begin = if target.as_bytes().starts_with(b"/") { b"" } else { place };
            name = [begin, b"/", target.as_bytes(), &name[missing.len()..]].concat();
            continue;
        }
        let time = changed(above.as_fd())?;
        file::mkdirat(above.as_fd(), &last, 0o755)?;
        // Whatever the umask is.
        entries::fchmodat(above.as_fd(), &last, 0o755)?;
        entries::utimens(above.as_fd(), AS_IT_IS, time)?;
    }
}

/// The deepest directory of `name` that is there, and the beginning of `name` that is not.
fn first_missing<'a>(root: BorrowedFd, name: &'a [u8]) -> Result<(OwnedFd, &'a [u8])> {
    let mut missing = name;
    while let Some((above, _)) = split(missing) {
        if let Some(found) = find(root, above)? {
            return Ok((found, missing));
        }
        missing = above;
    }
    Err(wrong("the target is gone"))
}
