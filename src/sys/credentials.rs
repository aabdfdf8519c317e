//! Who a process is: ids, groups, capabilities, no_new_privs.

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{Gid, Uid};

use super::arguments::Lazy;
use super::file;
use super::record::{record, record_as};
use crate::error::Result;

/// setgroups(2).
#[track_caller]
pub fn setgroups(groups: &[u32]) -> Result<()> {
    let list: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    record("setgroups", format_args!("{groups:?}"), nix::unistd::setgroups(&list))
}

/// setresgid(2): real, effective and saved at once.
#[track_caller]
pub fn setresgid(gid: u32) -> Result<()> {
    let id = Gid::from_raw(gid);
    record("setresgid", format_args!("{gid}, {gid}, {gid}"), nix::unistd::setresgid(id, id, id))
}

/// setresuid(2): real, effective and saved at once.
#[track_caller]
pub fn setresuid(uid: u32) -> Result<()> {
    let id = Uid::from_raw(uid);
    record("setresuid", format_args!("{uid}, {uid}, {uid}"), nix::unistd::setresuid(id, id, id))
}

/// The effective user id.
pub fn geteuid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Only there all ids are mapped, each to itself (user_namespaces(7)).
pub fn in_the_initial_user_namespace() -> Result<bool> {
    let map = file::read_file(file::HERE, c"/proc/self/uid_map", 65536)?;
    Ok(map.split_whitespace().eq(["0", "0", "4294967295"]))
}

/// The effective group id.
pub fn getegid() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// prctl(2) PR_SET_KEEPCAPS: permitted survives the change from uid 0 to another.
#[track_caller]
pub fn keep_capabilities() -> Result<()> {
    record("prctl", format_args!("PR_SET_KEEPCAPS, 1"), prctl::set_keepcaps(true))
}

/// prctl(2) PR_CAPBSET_DROP, for the capability of this number. EINVAL: the kernel has none such.
#[track_caller]
pub fn drop_bounding(number: u8, name: impl Fn() -> String) -> Result<()> {
    // SAFETY: only numbers are passed.
    let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number)) };
    record("prctl", format_args!("PR_CAPBSET_DROP, {}", Lazy(name)), Errno::result(result))
}

/// capset(2): permitted, effective and inheritable in one call, as masks over
/// capability numbers. One call, since three would pass through states that nobody asked for.
#[track_caller]
pub fn capset(permitted: u64, effective: u64, inheritable: u64) -> Result<()> {
    // <linux/capability.h>: _LINUX_CAPABILITY_VERSION_3, and 0 for the calling process.
    let header = [0x2008_0522_u32, 0];
    // Two structs of three words: first the lower 32 capabilities of each set, then the upper.
    let sets = [effective, permitted, inheritable];
    let words = [sets.map(|set| (set & 0xffff_ffff) as u32), sets.map(|set| (set >> 32) as u32)];
    // SAFETY: header and both structs are whole and laid out as version 3 says.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), words.as_ptr()) };
    let rest = format_args!("effective={effective:#x}, inheritable={inheritable:#x}");
    record("capset", format_args!("permitted={permitted:#x}, {rest}"), Errno::result(result))
}

/// prctl(2) PR_CAP_AMBIENT_CLEAR_ALL.
#[track_caller]
pub fn clear_ambient() -> Result<()> {
    let result = caps::clear(None, CapSet::Ambient).map_err(|_| Errno::last());
    record("prctl", format_args!("PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL"), result)
}

/// prctl(2) PR_CAP_AMBIENT_RAISE.
#[track_caller]
pub fn raise_ambient(capability: Capability) -> Result<()> {
    let result = caps::raise(None, CapSet::Ambient, capability).map_err(|_| Errno::last());
    record("prctl", format_args!("PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, {capability}"), result)
}

/// prctl(2) PR_SET_NO_NEW_PRIVS.
#[track_caller]
pub fn set_no_new_privs() -> Result<()> {
    record("prctl", format_args!("PR_SET_NO_NEW_PRIVS, 1"), prctl::set_no_new_privs())
}

/// prctl(2) PR_GET_NO_NEW_PRIVS.
#[track_caller]
pub fn get_no_new_privs() -> Result<bool> {
    let result = prctl::get_no_new_privs();
    record_as("prctl", format_args!("PR_GET_NO_NEW_PRIVS"), result, |set| i32::from(*set))
}
