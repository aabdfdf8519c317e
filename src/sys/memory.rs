//! Files in memory that cannot change any more.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};

use super::record;
use crate::error::Result;

/// Whether a file is sealed against writing (F_GET_SEALS). A file that is no memfd is not.
pub fn is_sealed(fd: BorrowedFd) -> bool {
    let seals = fcntl(fd, FcntlArg::F_GET_SEALS).unwrap_or(0);
    SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_WRITE)
}

/// memfd_create(2), filled from `source`, executable, and sealed for ever.
pub fn sealed_file(name: &CStr, source: BorrowedFd) -> Result<OwnedFd> {
    let memory = memfd_create(name)?;
    let mut to = File::from(memory);
    let copied =
        source.try_clone_to_owned().and_then(|from| std::io::copy(&mut File::from(from), &mut to));
    let copied = copied
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
        .and_then(|count| i64::try_from(count).map_err(|_| Errno::EFBIG));
    record("sendfile", format_args!("{}, {}", to.as_raw_fd(), source.as_raw_fd()), copied)?;
    let seals = SealFlag::F_SEAL_SEAL
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE;
    let result = fcntl(&to, FcntlArg::F_ADD_SEALS(seals));
    record("fcntl", format_args!("{}, F_ADD_SEALS, all", to.as_raw_fd()), result)?;
    Ok(to.into())
}

/// MFD_EXEC is Linux 6.3; older kernels answer EINVAL and make every memfd executable.
fn memfd_create(name: &CStr) -> Result<OwnedFd> {
    let base = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let create = |bits: u32| {
        // SAFETY: `name` is NUL-terminated; the result is a new descriptor, ours alone.
        Errno::result(unsafe { libc::memfd_create(name.as_ptr(), bits) })
            .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
    };
    let result = match create(base | libc::MFD_EXEC) {
        Err(Errno::EINVAL) => create(base),
        other => other,
    };
    record("memfd_create", format_args!("{name:?}, MFD_CLOEXEC|MFD_ALLOW_SEALING"), result)
}
