//! An archive becomes a tree.
//!
//! `archive` finds out what it is compressed with, `stream` reads ahead, `member` says what
//! comes next and refuses what could be understood in two ways, `place` makes it. The tar crate
//! knows the header blocks; it is not asked to unpack, since it opens paths.

mod advice;
pub mod archive;
mod directories;
pub mod dress;
mod limits;
mod member;
mod pax;
mod place;
mod sparse;
mod stream;
mod whiteout;

use std::io::Read;
use std::os::fd::BorrowedFd;

use super::{How, Report, remove};
use crate::error::Result;

/// Places each member of a tar stream below `target`, an empty directory. An error empties it.
pub fn unpack(archive: impl Read + Send, target: BorrowedFd, how: &How) -> Result<Report> {
    let result = stream::ahead(archive, how.progress, |stream| {
        let mut filled = place::Target::new(target, how);
        while let Some(member) = member::next(stream, &how.limits)? {
            let name = member.name.clone();
            filled.put(member, stream).map_err(|error| member::at(&name, &error))?;
        }
        stream.drain(how.limits.bytes)?;
        filled.finish()
    });
    if result.is_err() {
        remove::empty(target)?;
    }
    result
}
