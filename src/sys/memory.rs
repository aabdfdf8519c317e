//! Files in memory that cannot change any more.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{self, MFdFlags};

use super::record::{errno, record, record_as, record_fd};
use crate::error::Result;

/// Whether a file is sealed against writing (F_GET_SEALS). A file that is no memfd is not.
pub fn is_sealed(fd: BorrowedFd) -> bool {
    let seals = fcntl(fd, FcntlArg::F_GET_SEALS).unwrap_or(0);
    SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_WRITE)
}

/// memfd_create(2), filled with `bytes`, to be read from the beginning: unlike a pipe it takes
/// everything at once, whether anybody reads it or not.
#[track_caller]
pub fn file_of(name: &CStr, bytes: &[u8]) -> Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, libc::MFD_NOEXEC_SEAL)?);
    let result = file.write_all(bytes).and_then(|()| file.rewind()).map_err(errno);
    record("write", format_args!("{}, …, {}", file.as_raw_fd(), bytes.len()), result)?;
    Ok(file.into())
}

/// memfd_create(2), filled from `source`, executable, and sealed for ever.
#[track_caller]
pub fn sealed_file(name: &CStr, source: BorrowedFd) -> Result<OwnedFd> {
    let mut to = File::from(memfd_create(name, libc::MFD_EXEC)?);
    let copied =
        source.try_clone_to_owned().and_then(|from| std::io::copy(&mut File::from(from), &mut to));
    let args = format_args!("{}, {}", to.as_raw_fd(), source.as_raw_fd());
    record_as("sendfile", args, copied.map_err(errno), |count| *count)?;
    let seals = FcntlArg::F_ADD_SEALS(SealFlag::all());
    record("fcntl", format_args!("{}, F_ADD_SEALS, all", to.as_raw_fd()), fcntl(&to, seals))?;
    Ok(to.into())
}

/// MFD_EXEC and its opposite are Linux 6.3; older kernels answer EINVAL and make every memfd executable.
#[track_caller]
fn memfd_create(name: &CStr, mode: libc::c_uint) -> Result<OwnedFd> {
    let how = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let result = match memfd::memfd_create(name, how | MFdFlags::from_bits_retain(mode)) {
        Err(Errno::EINVAL) => memfd::memfd_create(name, how),
        other => other,
    };
    record_fd("memfd_create", format_args!("{name:?}, MFD_CLOEXEC|MFD_ALLOW_SEALING"), result)
}
