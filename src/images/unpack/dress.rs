//! What a member has beside its content: owner, mode, attributes, times, in this order.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::limits::{Left, Meter};
use super::member::{Kind, Member};
use super::pax::Record;
use crate::error::{Result, unless};
use crate::images::Ids;
use crate::sys::{entries, file};

/// Records of star, which GNU tar and bsdtar write too.
pub const ATTRIBUTE: &str = "SCHILY.xattr.";

/// Gives `made`, whose place is a directory and a name in it, what the archive says.
pub fn put_on(
    made: BorrowedFd,
    (at, name): (BorrowedFd, &CStr),
    member: &Member,
    ids: Ids,
    meter: &mut Meter,
) -> Result<()> {
    if ids == Ids::Keep {
        let (uid, gid) = member.owner;
        // EINVAL: an id that our user namespace does not have.
        if unless(&[Errno::EINVAL], file::fchown(made, uid, gid))?.is_none() {
            meter.left(Left::Owner, &member.name);
        }
    }
    // After the owner, a change of which takes set-id bits away.
    match member.kind {
        Kind::File(_) => file::fchmod(made, member.mode)?,
        Kind::Symlink(_) | Kind::Link(_) => {}
        _ => entries::fchmodat(at, name, member.mode)?,
    }
    for record in &member.records {
        attribute(made, record, member, meter)?;
    }
    entries::utimens(made, member.times.0, member.times.1)
}

/// Sets one, if it is the archive's to set: `trusted.*` and `*.overlay.*` are how overlayfs is
/// spoken to, and labels belong to the security module of the machine.
fn attribute(made: BorrowedFd, record: &Record, member: &Member, meter: &mut Meter) -> Result<()> {
    let (key, value) = record;
    if key.starts_with(b"SCHILY.acl.") {
        meter.left(Left::Acl, &member.name);
    }
    let Some(name) = key.strip_prefix(ATTRIBUTE.as_bytes()) else {
        return Ok(());
    };
    if !is_the_files(name) && !name.starts_with(b"system.posix_acl_") {
        meter.left(Left::OfThisMachine, &member.name);
        return Ok(());
    }
    // What this file system does not keep, this kind of file does not have, or this user may not set.
    let refused = [Errno::EOPNOTSUPP, Errno::EPERM, Errno::EINVAL, Errno::ENOSPC, Errno::ERANGE];
    let set = entries::setxattr(made, &CString::new(name)?, value);
    if unless(&refused, set)?.is_none() {
        meter.left(Left::Attribute, &member.name);
    }
    Ok(())
}

/// Whether an attribute says something of the file wherever it is, and not to one kernel.
pub fn is_the_files(name: &[u8]) -> bool {
    let is_own = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
    is_own || name == b"security.capability"
}
