//! seccomp(2): loading a filter, and asking what the kernel knows.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use seccompiler::sock_filter;

use super::record::{descriptor, record_as};
use crate::error::Result;

/// The calling thread, and whatever it executes, obeys `program` from now on.
/// `flags` are SECCOMP_FILTER_FLAG_*; with NEW_LISTENER the listener's
/// descriptor (close-on-exec) comes back. EACCES: neither no_new_privs nor
/// CAP_SYS_ADMIN; EINVAL: the kernel does not know a flag, or the program is broken.
#[track_caller]
pub fn load(program: &[sock_filter], flags: u64) -> Result<Option<OwnedFd>> {
    let header = libc::sock_fprog {
        // Above 4,096 the kernel answers EINVAL before it reads anything.
        len: u16::try_from(program.len()).unwrap_or(u16::MAX),
        filter: program.as_ptr().cast_mut().cast(),
    };
    let set = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: `header` points to `len` instructions (both structs are the C
    // one), which live until the call returns; the kernel only reads them.
    let value = unsafe { libc::syscall(libc::SYS_seccomp, set, flags, &raw const header) };
    let result = Errno::result(value).and_then(|value| listener(value, flags));
    let count = program.len();
    let args = format_args!("SECCOMP_SET_MODE_FILTER, {flags:#x}, {count} instructions");
    record_as("seccomp", args, result, |made| made.as_ref().map_or(0, AsRawFd::as_raw_fd))
}

/// What a successful load returns: a descriptor with NEW_LISTENER, else 0. With
/// TSYNC alone a positive number is the thread that could not follow.
fn listener(value: libc::c_long, flags: u64) -> nix::Result<Option<OwnedFd>> {
    match flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER {
        0 if value == 0 => Ok(None),
        0 => Err(Errno::ESRCH),
        // SAFETY: the kernel has just made this descriptor for us.
        _ => unsafe { descriptor(value) }.map(Some),
    }
}

/// Whether the kernel knows all of these flags. It looks at the flags before
/// the program, so that no program means EFAULT where the flags are good.
#[track_caller]
pub fn flags_supported(flags: u64) -> Result<bool> {
    let set = libc::SECCOMP_SET_MODE_FILTER;
    let none = std::ptr::null::<libc::sock_fprog>();
    // SAFETY: a null program is refused; nothing is read or changed.
    let value = unsafe { libc::syscall(libc::SYS_seccomp, set, flags, none) };
    let result = match Errno::result(value) {
        Err(Errno::EFAULT) => Ok(true),
        Err(Errno::EINVAL) => Ok(false),
        Err(errno) => Err(errno),
        Ok(_) => Err(Errno::EIO),
    };
    let args = format_args!("SECCOMP_SET_MODE_FILTER, {flags:#x}, NULL");
    record_as("seccomp", args, result, |known| if *known { "-1 EFAULT" } else { "-1 EINVAL" })
}

#[cfg(test)]
mod tests;
