//! Network: a namespace with nothing but a loopback device, and that is up.
//!
//! A new network namespace has one device, `lo`, which is down: even
//! 127.0.0.1 does not answer. One ioctl brings it up. There is no way out:
//! devices, addresses and routes to anywhere are for an engine to add. Side:
//! init. Without the namespace: every port of the host, and every abstract
//! unix socket, is in reach. See network_namespaces(7), netdevice(7);
//! config-linux.md, "Namespaces".

use crate::error::Result;
use crate::sides::Init;
use crate::sys::net;

/// Brings `lo` up.
pub fn run(_: &mut Init) -> Result<()> {
    net::loopback_up()
}
