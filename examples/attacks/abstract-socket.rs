//! Talk to a server of the host through a unix socket that has no file: its name belongs to the
//! network, and so no permission guards it.
//!
//! Stopped by the network namespace, which has names of its own. ECONNREFUSED.
//! See unix(7), "Abstract sockets"; CVE-2020-15257.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::{Attempt, Host, Seen, told, when};

/// The server was started for this.
pub fn attack() -> Attempt {
    let server = SocketAddr::from_abstract_name(told("SOCKET")?)?;
    UnixDatagram::unbound()?.send_to_addr(b"from inside", &server)?;
    Ok("a message to a server of the host".into())
}

/// What the server has got.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    let length = host.server.recv(&mut [0; 64]).ok()?;
    when(length > 0, "a server of the host got a message")
}
