//! rtnetlink(7): the four requests that moving a network device takes.
//!
//! A message is a header, a fixed part and attributes; each of them, and each attribute, begins
//! with its length, and the next one at a multiple of four. A socket speaks to the network
//! namespace in which it was made, wherever its owner is later.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use super::process::setns;
use super::record::{again, record, record_as, record_fd};
use crate::error::Result;

// <linux/netlink.h>
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_NEW: u16 = 0x600; // NLM_F_CREATE | NLM_F_EXCL
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// struct nlmsghdr
const HEAD: usize = 16;
/// struct ifinfomsg: family and type, index, flags, which flags are meant
const LINK: usize = 16;
/// struct ifaddrmsg: family, prefix length, flags, scope, and then the device's number
const ADDRESS: usize = 8;
/// What the kernel puts into one datagram of a long answer at most.
const ROOM: usize = 32 * 1024;

/// A network device: its number in its namespace, and its name.
#[derive(Debug, PartialEq, Eq)]
pub struct Link {
    /// ifindex
    pub index: u32,
    /// Its name.
    pub name: CString,
}

/// A socket to the network namespace that this process is in.
#[track_caller]
pub fn open() -> Result<OwnedFd> {
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let made = socket(family, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute);
    record_fd("socket", format_args!("AF_NETLINK, SOCK_RAW, NETLINK_ROUTE"), made)
}

/// The same to another namespace: jec enters it, makes the socket, and returns to its own.
#[track_caller]
pub fn open_in(theirs: &OwnedFd, ours: &OwnedFd) -> Result<OwnedFd> {
    setns(theirs.as_fd(), CloneFlags::CLONE_NEWNET)?;
    let socket = open();
    setns(ours.as_fd(), CloneFlags::CLONE_NEWNET).and(socket)
}

/// RTM_GETLINK: every device of the namespace.
#[track_caller]
pub fn links(socket: BorrowedFd) -> Result<Vec<Link>> {
    let answer = request(socket, libc::RTM_GETLINK, NLM_F_DUMP, &[0; LINK]);
    let links = answer.map(|answer| answer.iter().filter_map(|link| read_link(link)).collect());
    let args = format_args!("{}, RTM_GETLINK", socket.as_raw_fd());
    record_as("rtnetlink", args, links, |links: &Vec<_>| format!("{} devices", links.len()))
}

fn read_link(body: &[u8]) -> Option<Link> {
    let (fixed, rest) = body.split_at_checked(LINK)?;
    let name = attributes(rest).find(|(kind, _)| *kind == libc::IFLA_IFNAME)?.1;
    Some(Link { index: u32_at(fixed, 4)?, name: CStr::from_bytes_until_nul(name).ok()?.into() })
}

/// RTM_NEWLINK: the device goes into `namespace`, is called `name` there, and is up.
#[track_caller]
pub fn move_link(socket: BorrowedFd, index: u32, namespace: BorrowedFd, name: &CStr) -> Result<()> {
    const IFF_UP: u32 = 1;
    let target = namespace.as_raw_fd();
    let mut body: Vec<_> =
        [0, index, IFF_UP, IFF_UP].into_iter().flat_map(u32::to_ne_bytes).collect();
    put_attribute(&mut body, libc::IFLA_NET_NS_FD, &target.to_ne_bytes());
    put_attribute(&mut body, libc::IFLA_IFNAME, name.to_bytes_with_nul());
    let moved = request(socket, libc::RTM_NEWLINK, 0, &body);
    let fd = socket.as_raw_fd();
    let args = format_args!("{fd}, RTM_NEWLINK, {index}, namespace {target}, {name:?}, IFF_UP");
    record("rtnetlink", args, moved)
}

/// RTM_GETADDR: the addresses of a device that stay and that all the world may know
/// (IFA_F_PERMANENT, RT_SCOPE_UNIVERSE), each in the kernel's own words.
#[track_caller]
pub fn addresses(socket: BorrowedFd, index: u32) -> Result<Vec<Vec<u8>>> {
    const IFA_F_PERMANENT: u8 = 0x80;
    let is_meant = |body: &Vec<u8>| {
        let [_, _, flags, scope, ..] = body[..] else { return false };
        let stays = flags & IFA_F_PERMANENT != 0 && scope == libc::RT_SCOPE_UNIVERSE;
        stays && u32_at(body, 4) == Some(index)
    };
    let answer = request(socket, libc::RTM_GETADDR, NLM_F_DUMP, &[0; ADDRESS]);
    let found = answer.map(|answer| answer.into_iter().filter(is_meant).collect());
    let args = format_args!("{}, RTM_GETADDR, {index}", socket.as_raw_fd());
    record_as("rtnetlink", args, found, |found: &Vec<_>| format!("{} addresses", found.len()))
}

/// RTM_NEWADDR: gives the device `index`, called `name`, an address that [`addresses`] has found.
/// The label of an address begins with the name of its device: one of an old name goes.
#[track_caller]
pub fn add_address(socket: BorrowedFd, index: u32, name: &CStr, address: &[u8]) -> Result<()> {
    let (fixed, rest) = address.split_at(ADDRESS.min(address.len()));
    let mut body = [&fixed[..4.min(fixed.len())], &index.to_ne_bytes()].concat();
    for (kind, value) in attributes(rest) {
        if kind != libc::IFA_LABEL || value.starts_with(name.to_bytes()) {
            put_attribute(&mut body, kind, value);
        }
    }
    let args = format_args!("{}, RTM_NEWADDR, {index}", socket.as_raw_fd());
    record("rtnetlink", args, request(socket, libc::RTM_NEWADDR, NLM_F_NEW, &body))
}

/// One request, and the bodies of its answer, which ends with a number: 0, or what went wrong.
fn request(socket: BorrowedFd, kind: u16, how: u16, body: &[u8]) -> nix::Result<Vec<Vec<u8>>> {
    let length = u32::try_from(HEAD + body.len()).unwrap_or(u32::MAX);
    let (flags, fd) = (NLM_F_REQUEST | NLM_F_ACK | how, socket.as_raw_fd());
    let kinds = [kind, flags].map(u16::to_ne_bytes).concat();
    // No number and no sender: one question at a time, and only the kernel answers.
    let message = [&length.to_ne_bytes()[..], &kinds, &[0; 8], body].concat();
    send(fd, &message, MsgFlags::empty())?;
    let (mut room, mut answer) = (vec![0; ROOM], Vec::new());
    loop {
        let count = again(|| recv(fd, &mut room, MsgFlags::empty()))?;
        for (kind, body) in messages(&room[..count]) {
            match (kind, u32_at(body, 0).map(u32::cast_signed)) {
                (NLMSG_ERROR | NLMSG_DONE, None | Some(0)) => return Ok(answer),
                (NLMSG_ERROR | NLMSG_DONE, Some(errno)) => return Err(Errno::from_raw(-errno)),
                _ => answer.push(body.to_vec()),
            }
        }
    }
}

/// The messages of a datagram: what they are, and what follows the header.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)?.try_into().ok()?;
        let message = cut(&mut bytes, length)?;
        Some((u16_at(message, 4)?, message.get(HEAD..)?))
    })
}

/// The attributes: what they are, and their values.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u16_at(bytes, 0)?.into();
        let attribute = cut(&mut bytes, length)?;
        Some((u16_at(attribute, 2)?, attribute.get(4..)?))
    })
}

fn put_attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    body.extend([length, kind].map(u16::to_ne_bytes).concat());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Cuts so many bytes off, and what is missing to a multiple of four.
fn cut<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let piece = rest.get(..length)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(piece)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
