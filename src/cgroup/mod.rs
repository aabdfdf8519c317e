//! The container's cgroup: how much it may use, what belongs to it, and how to
//! end all of it at once.
//!
//! A *cgroup* is a directory of the file system cgroup2. Every process of the
//! machine is in exactly one, listed in its `cgroup.procs`; a child starts
//! where its parent is, and nothing that it does to itself (fork, setsid,
//! double fork) takes it out. That makes a cgroup two things for a container:
//! the list of its members that no member can leave, and the handle for limits.
//!
//! A *controller* is the part of the kernel that counts and limits one thing:
//! memory, cpu, pids, io... A cgroup has the files of a controller (`memory.max`)
//! only when its parent hands it down in `cgroup.subtree_control`, so
//! controllers are switched on from the mount downwards. And a cgroup (the root
//! excepted) that hands memory or io down may hold no processes of its own, for
//! they would compete with whole cgroups. So processes live in leaves only.
//!
//! Read in this order: [`mod@place`] (where, before anything is made), [`make`],
//! [`limits`], [`devices`], [`life`].
//!
//! More: cgroups(7), Documentation/admin-guide/cgroup-v2.rst, the chapter "cgroup".

pub mod controllers;
pub mod devices;
pub mod life;
pub mod limits;
pub mod make;
pub mod place;
pub mod systemd;
mod watch;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, ResolveFlag};

pub use life::Cgroup;
pub use place::{Hierarchy, Placement};

use crate::error::{Result, unless};
use crate::sys::file;

/// Where systemd, and everybody after it, mounts cgroup2.
const MOUNT: &CStr = c"/sys/fs/cgroup";

// <linux/magic.h>
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// No file of cgroupfs that we read is longer, but `cgroup.procs` may be.
const LONGEST: usize = 16 << 20;

/// The root of the tree, `O_PATH`, if cgroup v2 alone is mounted. The file system's
/// magic number decides: a directory can have any name.
fn root() -> Result<Option<OwnedFd>> {
    let found = unless(&[Errno::ENOENT], file::openat(file::HERE, MOUNT, file::PLACE, 0))?;
    let magic = found.as_ref().map(|root| file::filesystem_magic(root.as_fd())).transpose()?;
    Ok(found.filter(|_| magic == Some(CGROUP2_SUPER_MAGIC)))
}

/// What there is instead. A tmpfs is the sign of v1, or of both at once.
fn instead() -> &'static str {
    let magic = |path| {
        let found = file::openat(file::HERE, path, OFlag::O_PATH, 0);
        found.and_then(|found| file::filesystem_magic(found.as_fd())).ok()
    };
    match (magic(MOUNT), magic(c"/sys/fs/cgroup/unified")) {
        (None, _) => "does not exist",
        (Some(TMPFS_MAGIC), Some(CGROUP2_SUPER_MAGIC)) => {
            "is a hybrid of cgroup v1, which has the controllers, and v2, which has none"
        }
        (Some(TMPFS_MAGIC), _) => "is cgroup v1",
        _ => "is not a cgroup2 file system",
    }
}

/// Opens a cgroup below `at`. Nothing that a delegate could have put there (a
/// mount) leads out of the tree; symlinks and `..` do not exist in our paths.
fn open_directory(at: BorrowedFd, path: &str) -> Result<OwnedFd> {
    let below = CString::new(format!("./{}", path.trim_start_matches('/')))?;
    let how = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_XDEV;
    file::openat2(at, &below, how, resolve)
}

/// The same, but a cgroup that is not there is an answer.
fn open_if_there(at: BorrowedFd, path: &str) -> Result<Option<OwnedFd>> {
    unless(&[Errno::ENOENT], open_directory(at, path))
}

/// Reads a whole file of a cgroup.
fn read(at: BorrowedFd, name: &CStr) -> Result<String> {
    file::read_file(at, name, LONGEST)
}

#[cfg(test)]
mod kernel_tests;
