//! Mount sources: id-mapped mounts, made while we still may.
//!
//! An id-mapped mount shows the same files with shifted owners, so that a
//! volume of host user 1000 can belong to root of the container without a
//! chown. The shift is described by a user namespace, and setting it takes
//! CAP_SYS_ADMIN over the file system, which init in a user namespace does not
//! have: so jec makes the detached mount and its descriptor travels with the
//! baton. Side: runtime. Without it: volumes belong to nobody. See
//! mount_setattr(2), open_tree(2); config.md, "uidMappings" of mounts.

use std::ffi::CString;
use std::fmt::Display;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sched::CloneFlags;

use super::{id_map, mounts, propagation};
use crate::error::Result;
use crate::plan::{IdMap, IdMaps, MapWriter, MountKind};
use crate::sides::Runtime;
use crate::sys::mount::{self, Change, MOUNT_ATTR_IDMAP};
use crate::sys::signal::{self, READ};
use crate::sys::{file, process};

/// Makes every id-mapped mount of the list, in its order.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    for mount in &runtime.plan.mounts {
        if let (Some(map), MountKind::Bind { source, recursive }) = (&mount.idmap, &mount.kind) {
            let user_namespace = namespace_for(runtime, map)?;
            let tree = mounts::bind(mount, source, *recursive)?;
            // A copy made on the host is a peer of what is there: `propagation` does not see it.
            propagation::cut_off(tree.as_fd(), runtime.plan)?;
            let change = Change {
                set: MOUNT_ATTR_IDMAP,
                user_namespace: Some(user_namespace.as_fd()),
                recursive: map.recursive,
                ..Change::default()
            };
            mount::mount_setattr(tree.as_fd(), change)?;
            runtime.baton.descriptors.push(tree);
        }
    }
    Ok(())
}

/// The user namespace that describes the shift: the container's own, or one made for it.
fn namespace_for(runtime: &Runtime, map: &IdMap) -> Result<OwnedFd> {
    let proc = runtime.proc.as_fd();
    match &runtime.init {
        Some(init) if map.maps == IdMaps::default() => namespace_of(proc, init.pid, "user"),
        _ => namespace_with(proc, &map.maps),
    }
}

/// A namespace of a process; its name is that in /proc/PID/ns.
pub(super) fn namespace_of(proc: BorrowedFd, pid: impl Display, name: &str) -> Result<OwnedFd> {
    file::openat(proc, &CString::new(format!("{pid}/ns/{name}"))?, OFlag::O_RDONLY, 0)
}

/// A user namespace lives as long as a process or a descriptor holds it: a
/// child that only waits lends us its own, until we hold the descriptor.
fn namespace_with(proc: BorrowedFd, maps: &IdMaps) -> Result<OwnedFd> {
    let jec = process::pidfd_open(std::process::id().cast_signed())?;
    let holder = process::clone3(CloneFlags::CLONE_NEWUSER, None, || {
        // Ends when jec kills it, or dies.
        process::exit_now(signal::watch(&[(jec.as_fd(), READ)], None).is_err().into())
    })?;
    let namespace = id_map::write_maps(proc, holder.pid, maps, MapWriter::Privileged)
        .and_then(|()| namespace_of(proc, holder.pid, "user"));
    process::send(&holder, signal::KILL).and_then(|()| process::wait(&holder))?;
    namespace
}
