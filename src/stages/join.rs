//! Join: namespaces that exist already.
//!
//! A namespace is a kernel object; /proc/PID/ns/* and files that such an entry
//! is bound to are its names. setns(2) moves the caller in, except for pid
//! namespaces, where only its next child lives: that is one reason
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
use crate::sys::{arguments, attributes, file, process};

const NSFS_MAGIC: i64 = 0x6e73_6673; // <linux/magic.h>

/// Opens all of them first (entering a mount namespace changes what paths mean), then enters.
/// Those of a running container are entered in one call, which does all or nothing.
pub fn run(middle: &mut Middle) -> Result<()> {
    let joined = &middle.plan.namespaces.joined;
    if let Some(init) = &middle.plan.joins {
        attributes::set_undumpable()?;
        return process::setns(init.as_fd(), joined.iter().map(|(kind, _)| *kind).collect());
    }
    let opened = joined.iter().map(|(kind, path)| Ok((*kind, open(*kind, path)?)));
    let opened = opened.collect::<Result<Vec<_>>>()?;
    // Init is a copy of this process, and like it undumpable from its first moment.
    attributes::set_undumpable()?;
    // A namespace that belongs to the host can be entered only before the user namespace is, and
    // one that belongs to the user namespace, unless root asks, only after it. So the user
    // namespace, which is the first of the list, is entered last; what was not allowed before
    // (EPERM) is tried again then.
    let mut left = Vec::new();
    for (kind, namespace) in opened.iter().rev() {
        if unless(&[Errno::EPERM], process::setns(namespace.as_fd(), *kind))?.is_none() {
            left.push((kind, namespace));
        }
    }
    left.iter().rev().try_for_each(|(kind, namespace)| process::setns(namespace.as_fd(), **kind))
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
        let (found, wanted) = (arguments::kinds(found), arguments::kinds(kind));
        return wrong(format!("{path:?} is a namespace of kind {found}, not {wanted}"));
    }
    Ok(namespace)
}
