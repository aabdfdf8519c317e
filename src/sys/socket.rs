//! Socket pairs, and descriptors that travel through them.

use std::ffi::CStr;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
pub use nix::sys::socket::SockType;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, UnixAddr,
    recvmsg, sendmsg, setsockopt, sockopt::SendTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::record::{again, record, record_as, record_fd};
use crate::error::{Result, unless};

/// The longest message: an error with its arguments, of which 1,000 letters are told.
pub const ROOM: usize = 8 * 1024;

/// How many descriptors one message carries at most (SCM_MAX_FD is 253; we need fewer).
pub const MAX_DESCRIPTORS: usize = 64;

/// How long another program may take to accept us, in seconds.
const PATIENCE: i64 = 10;

/// socketpair(2), SOCK_SEQPACKET: messages arrive whole, and the end of one side is seen by the other.
#[track_caller]
pub fn socketpair() -> Result<(OwnedFd, OwnedFd)> {
    let (family, kind) = (AddressFamily::Unix, SockType::SeqPacket);
    let result = nix::sys::socket::socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC);
    record_as("socketpair", format_args!("AF_UNIX, SOCK_SEQPACKET"), result, |_| 0)
}

/// sendmsg(2): one message with its descriptors. MSG_NOSIGNAL: EPIPE instead of SIGPIPE.
#[track_caller]
pub fn send(socket: BorrowedFd, bytes: &[u8], descriptors: &[BorrowedFd]) -> Result<()> {
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
    let data = [IoSlice::new(bytes)];
    let fd = socket.as_raw_fd();
    let result = again(|| sendmsg::<()>(fd, &data, control, MsgFlags::MSG_NOSIGNAL, None));
    let args = format_args!("{fd}, {} bytes, descriptors {raw:?}", bytes.len());
    record_as("sendmsg", args, result, |count| *count).map(drop)
}

/// recvmsg(2): one message with its descriptors; no bytes means that the other side has ended.
#[track_caller]
pub fn receive(socket: BorrowedFd) -> Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = [0; ROOM];
    let mut space = cmsg_space!([RawFd; MAX_DESCRIPTORS]);
    let mut descriptors = Vec::new();
    let fd = socket.as_raw_fd();
    let result = again(|| {
        let mut data = [IoSliceMut::new(&mut bytes)];
        let how = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(fd, &mut data, Some(&mut space), how)?;
        // A list that was cut off (MSG_CTRUNC) is as if nothing had come.
        for control in message.cmsgs().into_iter().flatten() {
            if let ControlMessageOwned::ScmRights(fds) = control {
                // SAFETY: the kernel installed these descriptors for us, and only us.
                descriptors.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        Ok(message.bytes)
    });
    let count = record_as("recvmsg", format_args!("{fd}, …, {ROOM}"), result, |count| *count);
    // ECONNRESET: the peer ended with words of ours unread; for us it is gone all the same.
    let count = unless(&[Errno::ECONNRESET], count)?.unwrap_or(0);
    Ok((bytes[..count].to_vec(), descriptors))
}

#[track_caller]
fn new(kind: SockType) -> Result<OwnedFd> {
    let result = nix::sys::socket::socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None);
    record_fd("socket", format_args!("AF_UNIX, {kind:?}, 0"), result)
}

/// connect(2) to a listening socket of the host. EAGAIN: whoever listens there
/// accepts nobody; the wait has an end since no signal could end it.
#[track_caller]
pub fn connect(path: &CStr, kind: SockType) -> Result<OwnedFd> {
    let socket = new(kind)?;
    // unix(7) has SO_SNDTIMEO for send(2) only, but connect(2) obeys it as well.
    let result = setsockopt(&socket, SendTimeout, &TimeVal::seconds(PATIENCE));
    let fd = socket.as_raw_fd();
    record("setsockopt", format_args!("{fd}, SOL_SOCKET, SO_SNDTIMEO, {PATIENCE} s"), result)?;
    let result = UnixAddr::new(path).and_then(|name| nix::sys::socket::connect(fd, &name));
    record("connect", format_args!("AF_UNIX, {path:?}"), result)?;
    Ok(socket)
}

/// bind(2) and listen(2): a new socket with a name, for one who connects at a time.
#[track_caller]
pub fn listen(path: &CStr) -> Result<OwnedFd> {
    let socket = new(SockType::SeqPacket)?;
    let fd = socket.as_raw_fd();
    let result = UnixAddr::new(path).and_then(|name| nix::sys::socket::bind(fd, &name));
    record("bind", format_args!("{fd}, {path:?}"), result)?;
    let result = Backlog::new(1).and_then(|one| nix::sys::socket::listen(&socket, one));
    record("listen", format_args!("{fd}, 1"), result)?;
    Ok(socket)
}

/// accept4(2): waits until somebody connects.
#[track_caller]
pub fn accept(listener: BorrowedFd) -> Result<OwnedFd> {
    let fd = listener.as_raw_fd();
    let result = again(|| nix::sys::socket::accept4(fd, SockFlag::SOCK_CLOEXEC));
    // SAFETY: the kernel made this descriptor for us, and only us.
    let result = result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    record_fd("accept4", format_args!("{fd}, SOCK_CLOEXEC"), result)
}
