//! Socket pairs, and descriptors that travel through them.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg,
};

use super::record;
use crate::error::Result;

/// How many descriptors one message carries at most (SCM_MAX_FD is 253; we need fewer).
pub const MAX_DESCRIPTORS: usize = 64;

/// socketpair(2), SOCK_SEQPACKET: messages arrive whole, and the end of one side is seen by the other.
pub fn socketpair() -> Result<(OwnedFd, OwnedFd)> {
    let result = nix::sys::socket::socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    );
    let mut pair = None;
    let result = result.map(|made| pair = Some(made));
    record("socketpair", format_args!("AF_UNIX, SOCK_SEQPACKET"), result)?;
    pair.ok_or_else(|| crate::error::Error::differs("socketpair", "two descriptors", "none"))
}

/// sendmsg(2): one message with its descriptors. MSG_NOSIGNAL: EPIPE instead of SIGPIPE.
pub fn send(socket: BorrowedFd, bytes: &[u8], descriptors: &[BorrowedFd]) -> Result<()> {
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
    let data = [IoSlice::new(bytes)];
    let fd = socket.as_raw_fd();
    let result = loop {
        match sendmsg::<()>(fd, &data, control, MsgFlags::MSG_NOSIGNAL, None) {
            Err(Errno::EINTR) => {}
            other => break other,
        }
    };
    record("sendmsg", format_args!("{fd}, {} bytes, descriptors {raw:?}", bytes.len()), result)
        .map(drop)
}

/// recvmsg(2): one message with its descriptors; no bytes means that the other side has ended.
pub fn receive(socket: BorrowedFd, room: usize) -> Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; room];
    let mut space = cmsg_space!([RawFd; MAX_DESCRIPTORS]);
    let mut descriptors = Vec::new();
    let fd = socket.as_raw_fd();
    let result = loop {
        let mut data = [IoSliceMut::new(&mut bytes)];
        match recvmsg::<()>(fd, &mut data, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC) {
            Err(Errno::EINTR) => {}
            // The peer ended with words of ours unread: for us it is gone all the same.
            Err(Errno::ECONNRESET) => break Ok(0),
            Err(errno) => break Err(errno),
            Ok(message) => {
                // A list that was cut off (MSG_CTRUNC) is as if nothing had come.
                let controls = message.cmsgs().into_iter().flatten();
                for control in controls {
                    if let ControlMessageOwned::ScmRights(fds) = control {
                        // SAFETY: the kernel installed these descriptors for us, and only us.
                        descriptors
                            .extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
                    }
                }
                break Ok(message.bytes);
            }
        }
    };
    let count = record("recvmsg", format_args!("{fd}, …, {room}"), result)?;
    bytes.truncate(count);
    Ok((bytes, descriptors))
}

/// Connects to a listening stream socket of the host.
pub fn connect(path: &std::ffi::CStr) -> Result<OwnedFd> {
    let result = std::os::unix::net::UnixStream::connect(&*path.to_string_lossy())
        .map(OwnedFd::from)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EINVAL)));
    record("connect", format_args!("AF_UNIX, {path:?}"), result)
}
