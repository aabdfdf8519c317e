//! Who a process is: ids, groups, capabilities, no_new_privs.

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid};

use super::record;
use crate::error::Result;

/// setgroups(2).
pub fn setgroups(groups: &[u32]) -> Result<()> {
    let list: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    record("setgroups", format_args!("{groups:?}"), nix::unistd::setgroups(&list))
}

/// setresgid(2): real, effective and saved at once.
pub fn setresgid(gid: u32) -> Result<()> {
    let id = Gid::from_raw(gid);
    record("setresgid", format_args!("{gid}, {gid}, {gid}"), nix::unistd::setresgid(id, id, id))
}

/// setresuid(2): real, effective and saved at once.
pub fn setresuid(uid: u32) -> Result<()> {
    let id = Uid::from_raw(uid);
    record("setresuid", format_args!("{uid}, {uid}, {uid}"), nix::unistd::setresuid(id, id, id))
}

/// The effective user id.
pub fn geteuid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The effective group id.
pub fn getegid() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// prctl(2) PR_SET_KEEPCAPS: permitted survives the change from uid 0 to another.
pub fn keep_capabilities() -> Result<()> {
    let result = caps::securebits::set_keepcaps(true).map_err(|_| Errno::last());
    record("prctl", format_args!("PR_SET_KEEPCAPS, 1"), result)
}

/// prctl(2) PR_CAPBSET_DROP, for the capability of this number. EINVAL: the kernel has none such.
pub fn drop_bounding(number: u8, name: &str) -> Result<()> {
    // SAFETY: only numbers are passed.
    let result =
        Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number)) });
    record("prctl", format_args!("PR_CAPBSET_DROP, {name}"), result.map(drop))
}

/// capset(2): permitted, effective and inheritable in one call, as masks over
/// capability numbers. One call, since three would pass through states that nobody asked for.
pub fn capset(permitted: u64, effective: u64, inheritable: u64) -> Result<()> {
    // _LINUX_CAPABILITY_VERSION_3 of <linux/capability.h>: two words of 32 capabilities.
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    struct Word {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let half =
        |set: u64, index: u32| u32::try_from((set >> (32 * index)) & 0xffff_ffff).unwrap_or(0);
    let word = |index| Word {
        effective: half(effective, index),
        permitted: half(permitted, index),
        inheritable: half(inheritable, index),
    };
    let header = Header { version: 0x2008_0522, pid: 0 };
    let words = [word(0), word(1)];
    // SAFETY: header and both words are whole and laid out as version 3 says.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, words.as_ptr()) };
    let args = format_args!(
        "permitted={permitted:#x}, effective={effective:#x}, inheritable={inheritable:#x}"
    );
    record("capset", args, Errno::result(result).map(drop))
}

/// prctl(2) PR_CAP_AMBIENT_CLEAR_ALL.
pub fn clear_ambient() -> Result<()> {
    let result = caps::clear(None, CapSet::Ambient).map_err(|_| Errno::last());
    record("prctl", format_args!("PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL"), result)
}

/// prctl(2) PR_CAP_AMBIENT_RAISE.
pub fn raise_ambient(capability: Capability) -> Result<()> {
    let result = caps::raise(None, CapSet::Ambient, capability).map_err(|_| Errno::last());
    record("prctl", format_args!("PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, {capability}"), result)
}

/// prctl(2) PR_SET_NO_NEW_PRIVS.
pub fn set_no_new_privs() -> Result<()> {
    let result = nix::sys::prctl::set_no_new_privs();
    record("prctl", format_args!("PR_SET_NO_NEW_PRIVS, 1"), result)
}

/// prctl(2) PR_GET_NO_NEW_PRIVS.
pub fn get_no_new_privs() -> Result<bool> {
    let result = nix::sys::prctl::get_no_new_privs().map(i32::from);
    Ok(record("prctl", format_args!("PR_GET_NO_NEW_PRIVS"), result)? == 1)
}
