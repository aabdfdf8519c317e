//! Mounts: the file systems of the container, put inside its root.
//!
//! A mount has two halves, what and where. *What* is made detached: a new file
//! system by fsopen, fsconfig, fsmount; a piece of the host by open_tree. Its
//! attributes are set while nobody can see it. *Where* is looked up in the
//! root by openat2 with RESOLVE_IN_ROOT, so that no link of the image leads
//! out, and is held as a descriptor, so that nobody can exchange it
//! (CVE-2021-30465); /proc and /sys must be real directories
//! (CVE-2019-19921). Then move_mount joins the two. Side: init. Without it:
//! no /proc. See fsopen(2), open_tree(2), move_mount(2); config.md, "Mounts".

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Component;

use nix::fcntl::{OFlag, ResolveFlag};
use nix::sched::CloneFlags;

use crate::copy_up;
use crate::error::{Error, Result, ensure};
use crate::plan::{Mount, MountKind, Plan};
use crate::sides::{Init, needed};
use crate::sys::constants::{MS_REC, PROC_SUPER_MAGIC};
use crate::sys::file::{self, HERE};
use crate::sys::mount::{self, AT_RECURSIVE, Change, OPEN_TREE_CLONE};
use crate::tree::{self, Kind};

/// The attributes that fstatfs can tell: RDONLY, NOSUID, NODEV, NOEXEC.
const VISIBLE: u64 = 0xf;

/// First every *what*, while no mount of the container covers a source on the
/// host; then, in the order of the list, every *where*. A mount on "/" becomes
/// the root.
pub fn run(init: &mut Init) -> Result<()> {
    let mut id_mapped = std::mem::take(&mut init.baton.descriptors).into_iter();
    let entries = &init.plan.mounts;
    let made = entries.iter().map(|entry| prepare(init.plan, entry, &mut id_mapped));
    for (entry, made) in entries.iter().zip(made.collect::<Result<Vec<_>>>()?) {
        match made {
            None => {
                let place = file::open_in_root(init.root()?, &entry.destination, OFlag::O_PATH)?;
                set_attributes(place.as_fd(), entry)?;
            }
            Some(made) if entry.destination.to_bytes() == b"/" => {
                mount::move_mount(made.as_fd(), init.root()?)?;
                init.root = Some(made);
            }
            Some(made) => attach(init.root()?, made.as_fd(), entry)?,
        }
    }
    Ok(())
}

/// What: a mount with its attributes that is not attached anywhere yet; none for a
/// remount, which makes none. The id-mapped ones Runtime has made, in this order.
fn prepare(
    plan: &Plan,
    entry: &Mount,
    id_mapped: &mut impl Iterator<Item = OwnedFd>,
) -> Result<Option<OwnedFd>> {
    let attributes = entry.attributes.set;
    let made = match &entry.kind {
        MountKind::Remount => return Ok(None),
        _ if entry.idmap.is_some() => needed(id_mapped.next(), "an id-mapped mount"),
        MountKind::Bind { source, recursive } => bind(entry, source, *recursive),
        MountKind::New { fstype, source, parameters } => {
            new_filesystem(fstype, source, parameters, attributes)
        }
        // In a cgroup namespace the tree begins at the container's own cgroup.
        MountKind::Cgroup if plan.namespaces.makes(CloneFlags::CLONE_NEWCGROUP) => {
            new_filesystem(c"cgroup2", c"cgroup", &[], attributes)
        }
        // Without one, the host's mount is shown as it is.
        MountKind::Cgroup => {
            mount::open_tree(HERE, c"/sys/fs/cgroup", OPEN_TREE_CLONE | AT_RECURSIVE, true)
        }
    }?;
    set_attributes(made.as_fd(), entry)?;
    Ok(Some(made))
}

/// A piece of the host's tree.
pub fn bind(entry: &Mount, source: &CStr, recursive: bool) -> Result<OwnedFd> {
    let whole = if recursive { AT_RECURSIVE } else { 0 };
    mount::open_tree(HERE, source, OPEN_TREE_CLONE | whole, !entry.nofollow_source)
}

/// A new instance of a file system. When the kernel refuses it, its log says why.
pub fn new_filesystem(
    fstype: &CStr,
    source: &CStr,
    parameters: &[(CString, Option<CString>)],
    attributes: u64,
) -> Result<OwnedFd> {
    let filesystem = mount::fsopen(fstype)?;
    let fs = filesystem.as_fd();
    if !source.is_empty() {
        mount::fsconfig_set(fs, c"source", Some(source))?;
    }
    for (key, value) in parameters {
        mount::fsconfig_set(fs, key, value.as_deref()).map_err(|error| explained(fs, error))?;
    }
    mount::fsconfig_create(fs).map_err(|error| explained(fs, error))?;
    mount::fsmount(fs, attributes)
}

/// Adds the file system's own words to an error: each read of its descriptor is a message.
fn explained(fs: BorrowedFd, error: Error) -> Error {
    let mut message = [0; 256];
    let length = file::read(fs, &mut message).unwrap_or(0);
    error.with_words(String::from_utf8_lossy(&message[..length]).trim_start_matches("e "))
}

/// Sets what the configuration asks for, and reads it back.
fn set_attributes(made: BorrowedFd, entry: &Mount) -> Result<()> {
    let wanted = entry.attributes;
    // A new file system was born with its own.
    let is_new = matches!(entry.kind, MountKind::New { .. });
    if (wanted.set, wanted.clear) != (0, 0) && !is_new {
        let change = Change { set: wanted.set, clear: wanted.clear, ..Change::default() };
        mount::mount_setattr(made, change)?;
    }
    if (wanted.set_recursive, wanted.clear_recursive) != (0, 0) {
        let (set, clear) = (wanted.set_recursive, wanted.clear_recursive);
        mount::mount_setattr(made, Change { set, clear, recursive: true, ..Change::default() })?;
    }
    for propagation in &entry.propagation {
        set_propagation(made, *propagation)?;
    }
    let (want, have) = ((wanted.set | wanted.set_recursive) & VISIBLE, mount::attributes(made)?);
    ensure(have & want == want, || {
        let what = format!("the mount of {:?}", entry.destination);
        Error::differs(what, format!("attributes {want:#x}"), format!("{have:#x}"))
    })
}

/// MS_SHARED and the like, with MS_REC or without.
pub fn set_propagation(mount: BorrowedFd, word: u64) -> Result<()> {
    let (propagation, recursive) = (word & !MS_REC, word & MS_REC != 0);
    mount::mount_setattr(mount, Change { propagation, recursive, ..Change::default() })
}

/// Where: finds or makes the place, and joins the two.
fn attach(root: BorrowedFd, made: BorrowedFd, entry: &Mount) -> Result<()> {
    let kind = Kind::of(&file::fstat(made)?);
    let place = tree::place(root, &entry.destination, kind)?;
    let is_alike = tree::below(root, place.as_fd(), &entry.destination)? == kind;
    // move_mount(2) would only say EINVAL.
    let problem = match kind {
        Kind::Directory => "a directory cannot be mounted onto a file",
        Kind::File => "a file cannot be mounted onto a directory",
    };
    ensure(is_alike, || Error::config(format!("mounts: {:?}", entry.destination), problem))?;
    let place = checked(root, place, entry)?;
    if entry.copy_up {
        let has_own_mode = matches!(&entry.kind, MountKind::New { parameters, .. }
            if parameters.iter().any(|(key, _)| [c"mode", c"uid", c"gid"].contains(&&**key)));
        copy_up::copy(place.as_fd(), made, has_own_mode)?;
    }
    mount::move_mount(made, place.as_fd())
}

/// The place to mount onto. For /proc and /sys, whose files jec and others
/// trust, no link of the image may be on the way: looked up once more, and that
/// descriptor is the one used (CVE-2019-19921, CVE-2023-27561). Nothing but a
/// path that says so may land inside a proc file system (CVE-2019-16884).
fn checked(root: BorrowedFd, place: OwnedFd, entry: &Mount) -> Result<OwnedFd> {
    let destination = &entry.destination;
    let is_trusted = matches!(&entry.kind, MountKind::New { fstype, .. }
        if [c"proc", c"sysfs"].contains(&&**fstype));
    if is_trusted {
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_SYMLINKS;
        return file::openat2(root, destination, file::PLACE, resolve);
    }
    let path = tree::as_path(destination);
    let has_dots = path.components().any(|part| part == Component::ParentDir);
    if has_dots || !path.starts_with("/proc") {
        outside_proc(place.as_fd(), destination)?;
    }
    Ok(place)
}

/// Refuses a place in a proc file system, where only a link can have led.
pub fn outside_proc(place: BorrowedFd, path: &CStr) -> Result<()> {
    let problem = "a link of the image leads into /proc; nothing may be mounted there";
    let is_outside = file::filesystem_magic(place)? != PROC_SUPER_MAGIC;
    ensure(is_outside, || Error::config(format!("mounts: {path:?}"), problem))
}
