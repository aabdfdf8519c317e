//! The loopback device.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::record;
use crate::error::Result;

/// IFF_UP of <linux/if.h>, in the width that ifreq has.
const IFF_UP: libc::c_short = 1;

/// Brings `lo` up in the current network namespace (netdevice(7), SIOCSIFFLAGS).
pub fn loopback_up() -> Result<()> {
    let kind = (AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC);
    let socket = record(
        "socket",
        format_args!("AF_INET, SOCK_DGRAM, 0"),
        socket(kind.0, kind.1, kind.2, None),
    )?;
    // SAFETY: an all-zero ifreq is an empty name and no flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    request.ifr_ifru.ifru_flags = IFF_UP;
    // SAFETY: `request` is a whole ifreq with a NUL-terminated name.
    let result = Errno::result(unsafe {
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as libc::Ioctl, &raw const request)
    });
    record(
        "ioctl",
        format_args!("{}, SIOCSIFFLAGS, lo, IFF_UP", socket.as_raw_fd()),
        result.map(drop),
    )
}

/// sethostname(2).
pub fn sethostname(name: &std::ffi::CStr) -> Result<()> {
    let text = name.to_string_lossy();
    record("sethostname", format_args!("{text:?}"), nix::unistd::sethostname(&*text))
}

/// setdomainname(2).
pub fn setdomainname(name: &std::ffi::CStr) -> Result<()> {
    let bytes = name.to_bytes();
    // SAFETY: the pointer is valid for the length given.
    let result = unsafe { libc::setdomainname(bytes.as_ptr().cast(), bytes.len()) };
    record("setdomainname", format_args!("{name:?}"), Errno::result(result).map(drop))
}
