//! Join: namespaces that exist already.
//!
//! A namespace is a kernel object; /proc/PID/ns/* and files that such an entry
//! is bound to are its names. setns(2) moves the caller in, except for pid
//! (and time) namespaces, where only its next child lives: that is one reason
//! for the middle process. What the path leads to is checked to be a namespace
//! of that kind before it is entered. Side: middle. Without it: no pods, where
//! several containers share a network. See setns(2), namespaces(7);
//! config-linux.md, "Namespaces".

use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sched::CloneFlags;

use super::Doc;
use crate::error::{Error, Result};
use crate::sides::Middle;
use crate::sys::{file, process};

/// Where to read on.
pub const DOC: Doc = Doc {
    why_here: "with the host's privileges, before they are given up in a user namespace",
    man: "setns(2), namespaces(7), ioctl_ns(2)",
    spec: "config-linux.md#namespaces",
};

/// Opens all of them first (entering a mount namespace changes what paths mean), then enters.
pub fn run(middle: &mut Middle) -> Result<()> {
    let joined = &middle.plan.namespaces.joined;
    let opened: Vec<(CloneFlags, OwnedFd)> =
        joined.iter().map(|(kind, path)| Ok((*kind, open(*kind, path)?))).collect::<Result<_>>()?;
    for (kind, namespace) in &opened {
        process::setns(namespace.as_fd(), *kind)?;
    }
    Ok(())
}

/// Opens a namespace and checks its kind.
fn open(kind: CloneFlags, path: &std::ffi::CStr) -> Result<OwnedFd> {
    let namespace = file::openat(file::HERE, path, OFlag::O_RDONLY, 0)?;
    let found = process::namespace_kind(namespace.as_fd())?;
    if found == kind {
        return Ok(namespace);
    }
    let (wanted, found) = (format!("{kind:?}"), format!("{found:?}"));
    Err(Error::differs(format!("the namespace {path:?}"), wanted, found))
}
