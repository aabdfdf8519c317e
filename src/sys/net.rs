//! The loopback device, and the names of the machine.

use std::ffi::CStr;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::record::{record, record_fd};
use crate::error::Result;

/// IFF_UP of <linux/if.h>, in the width that ifreq has.
const IFF_UP: libc::c_short = 1;

/// Brings `lo` up in the current network namespace (netdevice(7), SIOCSIFFLAGS).
#[track_caller]
pub fn loopback_up() -> Result<()> {
    let result = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
    let socket = record_fd("socket", format_args!("AF_INET, SOCK_DGRAM, 0"), result)?;
    let (fd, request) = (socket.as_raw_fd(), libc::SIOCSIFFLAGS as libc::Ioctl);
    let letter = |at| b"lo".get(at).map_or(0, |byte| libc::c_char::from_ne_bytes([*byte]));
    let ifr_ifru = libc::__c_anonymous_ifr_ifru { ifru_flags: IFF_UP };
    let device = libc::ifreq { ifr_name: std::array::from_fn(letter), ifr_ifru };
    // SAFETY: `device` is a whole ifreq with a NUL-terminated name.
    let result = unsafe { libc::ioctl(fd, request, &raw const device) };
    record("ioctl", format_args!("{fd}, SIOCSIFFLAGS, lo, IFF_UP"), Errno::result(result))
}

/// sethostname(2).
#[track_caller]
pub fn sethostname(name: &CStr) -> Result<()> {
    let text = name.to_string_lossy();
    record("sethostname", format_args!("{text:?}"), nix::unistd::sethostname(&*text))
}

/// setdomainname(2).
#[track_caller]
pub fn setdomainname(name: &CStr) -> Result<()> {
    // SAFETY: the pointer is valid for the length given.
    let result = unsafe { libc::setdomainname(name.as_ptr(), name.count_bytes()) };
    record("setdomainname", format_args!("{name:?}"), Errno::result(result))
}
