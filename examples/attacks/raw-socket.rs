//! Open a raw socket: to forge packets, or to read those of others in the same network.
//!
//! Stopped by `bounding` (and by `no-new-privs`): it takes CAP_NET_RAW. EPERM.
//! See raw(7), capabilities(7); CVE-2020-14386.

use std::mem::forget;

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use super::{Attempt, Host, Seen, when};

/// Sends nothing.
pub fn attack() -> Attempt {
    let (raw, icmp) = (SockType::Raw, SockProtocol::Icmp);
    forget(socket(AddressFamily::Inet, raw, SockFlag::empty(), icmp)?);
    Ok("a raw socket".into())
}

/// The raw sockets of its network, below a line of headings.
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.read("net/raw").lines().count() > 1, "its network has a raw socket")
}
