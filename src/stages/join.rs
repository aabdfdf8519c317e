//! Join: namespaces that exist already.
//!
//! A namespace is a kernel object; /proc/PID/ns/* and files that such an entry
//! is bound to are its names. setns(2) moves the caller in, except for pid
//! (and time) namespaces, where only its next child lives: that is one reason
//! for the middle process. Somebody lives in there already, and might trace
//! who comes in while it still holds things of the host (CVE-2016-9962): so it
//! first becomes undumpable. Side: middle. Without it: no pods, where several
//! containers share a network. See setns(2), namespaces(7), ptrace(2);
//! config-linux.md, "Namespaces".

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;

use crate::error::{Error, Result, unless};
use crate::sides::Middle;
use crate::sys::{attributes, file, process};

const NSFS_MAGIC: i64 = 0x6e73_6673; // <linux/magic.h>

/// A namespace that is to be entered.
type Opened = (CloneFlags, OwnedFd);

/// Opens all of them first (entering a mount namespace changes what paths mean), then enters.
/// Those of a running container are entered in one call, which does all or nothing.
pub fn run(middle: &mut Middle) -> Result<()> {
    let joined = &middle.plan.namespaces.joined;
    if let Some(init) = &middle.plan.joins {
        attributes::set_undumpable()?;
        let kinds = joined.iter().map(|(kind, _)| *kind).collect();
        return process::setns(init.as_fd(), kinds);
    }
    let opened = joined.iter().map(|(kind, path)| Ok((*kind, open(*kind, path)?)));
    let (user, others): (Vec<Opened>, Vec<Opened>) = opened
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .partition(|(kind, _)| *kind == CloneFlags::CLONE_NEWUSER);
    // Init is a copy of this process, and like it undumpable from its first moment.
    attributes::set_undumpable()?;
    let left = if user.is_empty() { others } else { enter_what_we_may(others)? };
    for (kind, namespace) in user.iter().chain(&left) {
        process::setns(namespace.as_fd(), *kind)?;
    }
    Ok(())
}

/// A namespace that belongs to the host can be entered only before the user
/// namespace is, and one that belongs to the user namespace, unless root asks,
/// only after it: what was not allowed (EPERM) is given back, to be tried then.
fn enter_what_we_may(others: Vec<Opened>) -> Result<Vec<Opened>> {
    let mut left = Vec::new();
    for (kind, namespace) in others {
        if unless(&[Errno::EPERM], process::setns(namespace.as_fd(), kind))?.is_none() {
            left.push((kind, namespace));
        }
    }
    Ok(left)
}

/// Opens a namespace and checks its kind. Not to wait, should it be a fifo.
fn open(kind: CloneFlags, path: &std::ffi::CStr) -> Result<OwnedFd> {
    let how = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let namespace = file::openat(file::HERE, path, how, 0)?;
    let wrong = |problem: String| Err(Error::config("linux.namespaces", problem));
    if file::filesystem_magic(namespace.as_fd())? != NSFS_MAGIC {
        return wrong(format!("{path:?} is no namespace; one is, for example, /proc/PID/ns/net"));
    }
    let found = process::namespace_kind(namespace.as_fd())?;
    if found != kind {
        let (found, wanted) = (process::kinds(found), process::kinds(kind));
        return wrong(format!("{path:?} is a namespace of kind {found}, not {wanted}"));
    }
    Ok(namespace)
}
