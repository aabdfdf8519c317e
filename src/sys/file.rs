//! Files and directories, always relative to a descriptor.

use std::ffi::{CStr, CString};
use std::fmt::Arguments;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{FileStat, Mode, SFlag};
use nix::unistd::{AccessFlags, Gid, Uid, UnlinkatFlags};

use super::arguments::{dir, flags};
use super::record::{again, record, record_as, record_fd};
use crate::error::{Result, unless};

/// The working directory, where a call takes a directory: for paths of the host.
pub const HERE: BorrowedFd<'static> = AT_FDCWD;

/// How to hold a directory that paths are looked up from.
pub const PLACE: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY);

/// openat(2) for paths of the host. `O_CLOEXEC` is always added.
#[track_caller]
pub fn openat(at: BorrowedFd, path: &CStr, how: OFlag, mode: u32) -> Result<OwnedFd> {
    let result = nix::fcntl::openat(at, path, how | OFlag::O_CLOEXEC, Mode::from_bits_retain(mode));
    record_fd("openat", format_args!("{}, {path:?}, {}", dir(at), flags(&how)), result)
}

/// openat2(2) inside a tree that somebody else may own: `..` and absolute
/// links stay inside `root`, magic links are refused (SECURITY: no path
/// strings inside the container). The kernel answers EAGAIN when a rename
/// races with `..`; then the look-up is simply made again.
#[track_caller]
pub fn open_in_root(root: BorrowedFd, path: &CStr, how: OFlag) -> Result<OwnedFd> {
    openat2(root, path, how, ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS)
}

/// openat2(2) with the given restrictions. `O_CLOEXEC` is always added.
#[track_caller]
pub fn openat2(at: BorrowedFd, path: &CStr, how: OFlag, resolve: ResolveFlag) -> Result<OwnedFd> {
    let open_how = OpenHow::new().flags(how | OFlag::O_CLOEXEC).resolve(resolve);
    let mut tries = 0;
    let result = loop {
        match nix::fcntl::openat2(at, path, open_how) {
            Err(Errno::EAGAIN) if tries < 128 => tries += 1,
            other => break other,
        }
    };
    let args = format_args!("{}, {path:?}, {}, {}", dir(at), flags(&how), flags(&resolve));
    record_fd("openat2", args, result)
}

/// mkdirat(2).
#[track_caller]
pub fn mkdirat(at: BorrowedFd, name: &CStr, mode: u32) -> Result<()> {
    let result = nix::sys::stat::mkdirat(at, name, Mode::from_bits_retain(mode));
    record("mkdirat", format_args!("{}, {name:?}, {mode:#o}", dir(at)), result)
}

/// mknodat(2): a device, fifo or regular file.
#[track_caller]
pub fn mknodat(at: BorrowedFd, name: &CStr, kind: SFlag, mode: u32, device: u64) -> Result<()> {
    let result = nix::sys::stat::mknodat(at, name, kind, Mode::from_bits_retain(mode), device);
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let args = format_args!("{}, {name:?}, {}|{mode:#o}, {major}:{minor}", dir(at), flags(&kind));
    record("mknodat", args, result)
}

/// symlinkat(2).
#[track_caller]
pub fn symlinkat(target: &CStr, at: BorrowedFd, name: &CStr) -> Result<()> {
    let result = nix::unistd::symlinkat(target, at, name);
    record("symlinkat", format_args!("{target:?}, {}, {name:?}", dir(at)), result)
}

/// unlinkat(2) of a file, or with `AT_REMOVEDIR` of a directory.
#[track_caller]
pub fn unlinkat(at: BorrowedFd, name: &CStr, directory: bool) -> Result<()> {
    let flag = if directory { UnlinkatFlags::RemoveDir } else { UnlinkatFlags::NoRemoveDir };
    let word = if directory { "AT_REMOVEDIR" } else { "0" };
    let result = nix::unistd::unlinkat(at, name, flag);
    record("unlinkat", format_args!("{}, {name:?}, {word}", dir(at)), result)
}

/// The same, where what is not there is removed already: somebody was faster. True when it was.
#[track_caller]
pub fn remove(at: BorrowedFd, name: &CStr, directory: bool) -> Result<bool> {
    Ok(unless(&[Errno::ENOENT], unlinkat(at, name, directory))?.is_some())
}

/// renameat(2) inside one directory.
#[track_caller]
pub fn renameat(at: BorrowedFd, from: &CStr, to: &CStr) -> Result<()> {
    let result = nix::fcntl::renameat(at, from, at, to);
    let place = dir(at);
    record("renameat", format_args!("{place}, {from:?}, {place}, {to:?}"), result)
}

/// readlinkat(2); an empty name reads the link that `at` itself is (`O_PATH|O_NOFOLLOW`).
#[track_caller]
pub fn readlinkat(at: BorrowedFd, name: &CStr) -> Result<CString> {
    use std::os::unix::ffi::OsStringExt;
    let result = nix::fcntl::readlinkat(at, name)
        .and_then(|text| CString::new(text.into_vec()).map_err(|_| Errno::EINVAL));
    let args = format_args!("{}, {name:?}", dir(at));
    record_as("readlinkat", args, result, |text| format!("{text:?}"))
}

/// What fstat(2) says of a descriptor.
#[track_caller]
pub fn fstat(fd: BorrowedFd) -> Result<FileStat> {
    record_as("fstat", format_args!("{}", fd.as_raw_fd()), nix::sys::stat::fstat(fd), |_| 0)
}

/// What tells a file, a directory or a namespace from every other: device and inode.
pub fn identity(fd: BorrowedFd) -> Result<(u64, u64)> {
    fstat(fd).map(|found| (found.st_dev, found.st_ino))
}

/// The magic number of the file system that `fd` is on (statfs(2)).
#[track_caller]
pub fn filesystem_magic(fd: BorrowedFd) -> Result<i64> {
    let result = nix::sys::statfs::fstatfs(fd).map(|found| found.filesystem_type().0);
    record_as("fstatfs", format_args!("{}", fd.as_raw_fd()), result, |magic| *magic)
}

/// fchownat(2) of what `fd` itself is.
#[track_caller]
pub fn fchown(fd: BorrowedFd, uid: u32, gid: u32) -> Result<()> {
    let (owner, group) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    let result = nix::unistd::fchownat(fd, c"", owner, group, AtFlags::AT_EMPTY_PATH);
    record("fchownat", format_args!("{}, \"\", {uid}, {gid}", fd.as_raw_fd()), result)
}

/// fchmod(2). Not for `O_PATH` descriptors.
#[track_caller]
pub fn fchmod(fd: BorrowedFd, mode: u32) -> Result<()> {
    let result = nix::sys::stat::fchmod(fd, Mode::from_bits_retain(mode));
    record("fchmod", format_args!("{}, {mode:#o}", fd.as_raw_fd()), result)
}

/// umask(2): sets the mask, returns the one before.
#[track_caller]
pub fn umask(mask: u32) -> Result<u32> {
    let before = nix::sys::stat::umask(Mode::from_bits_truncate(mask)).bits();
    record_as("umask", format_args!("{mask:#o}"), Ok(before), |before| format!("{before:#o}"))
}

/// write(2) of the whole of `bytes` in one call: what files of /proc, /sys and cgroupfs want.
#[track_caller]
pub fn write(fd: BorrowedFd, bytes: &[u8]) -> Result<()> {
    write_to(fd, format_args!("{}", fd.as_raw_fd()), bytes)
}

/// The same; `shown` says where to.
#[track_caller]
fn write_to(fd: BorrowedFd, shown: Arguments, bytes: &[u8]) -> Result<()> {
    let whole = |count| if count == bytes.len() { Ok(count) } else { Err(Errno::EIO) };
    let result = nix::unistd::write(fd, bytes).and_then(whole);
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
    let args = format_args!("{shown}, {text:?}, {}", bytes.len());
    record_as("write", args, result, |count| *count).map(drop)
}

/// read(2) once, into `buffer`.
#[track_caller]
pub fn read(fd: BorrowedFd, buffer: &mut [u8]) -> Result<usize> {
    let room = buffer.len();
    let result = nix::unistd::read(fd, buffer);
    record_as("read", format_args!("{}, …, {room}", fd.as_raw_fd()), result, |count| *count)
}

/// fsync(2).
#[track_caller]
pub fn fsync(fd: BorrowedFd) -> Result<()> {
    record("fsync", format_args!("{}", fd.as_raw_fd()), nix::unistd::fsync(fd))
}

/// fcntl(2) F_GETFD: EBADF where nobody has opened a descriptor of this number.
#[track_caller]
pub fn is_open(fd: u32) -> Result<()> {
    let fd = fd.cast_signed();
    // SAFETY: only numbers are passed.
    let result = Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFD) });
    record("fcntl", format_args!("{fd}, F_GETFD"), result)
}

/// flock(2) LOCK_EX: until the last copy of the descriptor is closed. One that somebody else has
/// is waited for, or EWOULDBLOCK.
#[track_caller]
pub fn flock(fd: BorrowedFd, waits: bool) -> Result<()> {
    let (fd, how) = (fd.as_raw_fd(), if waits { "LOCK_EX" } else { "LOCK_EX|LOCK_NB" });
    // SAFETY: only numbers are passed.
    let result = unsafe { libc::flock(fd, libc::LOCK_EX | if waits { 0 } else { libc::LOCK_NB }) };
    record("flock", format_args!("{fd}, {how}"), Errno::result(result))
}

/// Writes `text` into the existing file `name` below `at`: one open, one write. An error names
/// the file, not a number.
#[track_caller]
pub fn write_file(at: BorrowedFd, name: &CStr, text: &str) -> Result<()> {
    let file = openat(at, name, OFlag::O_WRONLY, 0)?;
    write_to(file.as_fd(), format_args!("{name:?}"), text.as_bytes())
}

/// Reads the file `name` below `at` whole, up to `limit` bytes; more is EFBIG.
#[track_caller]
pub fn read_file(at: BorrowedFd, name: &CStr, limit: usize) -> Result<String> {
    read_all(&openat(at, name, OFlag::O_RDONLY, 0)?, name, limit)
}

/// Reads an open file to its end, up to `limit` bytes; more is EFBIG, no UTF-8 is EILSEQ.
#[track_caller]
pub fn read_all(file: &OwnedFd, name: &CStr, limit: usize) -> Result<String> {
    // On the stack: in a process just cloned, a page of the heap is copied when it is first
    // written to, and to find room for a page there writes to a dozen.
    let (mut page, mut bytes) = ([0; 4096], Vec::new());
    let result = loop {
        match again(|| nix::unistd::read(file, &mut page)) {
            Ok(0) => break String::from_utf8(bytes).map_err(|_| Errno::EILSEQ),
            Ok(count) => bytes.extend_from_slice(&page[..count]),
            Err(errno) => break Err(errno),
        }
        if bytes.len() > limit {
            break Err(Errno::EFBIG);
        }
    };
    record_as("read", format_args!("{name:?}, …, {limit}"), result, String::len)
}

/// faccessat2(2) with the effective ids: may we write here?
#[track_caller]
pub fn writable(at: BorrowedFd, name: &CStr) -> Result<()> {
    let result = nix::unistd::faccessat(at, name, AccessFlags::W_OK, AtFlags::AT_EACCESS);
    record("faccessat2", format_args!("{}, {name:?}, W_OK, AT_EACCESS", dir(at)), result)
}

/// faccessat2(2) X_OK of a regular file: what execve will ask, with the capabilities
/// that it will have, which access(2) leaves aside. A directory is EACCES, as there.
#[track_caller]
pub fn executable(path: &CStr) -> Result<()> {
    let (mode, how) = (AccessFlags::X_OK, AtFlags::AT_EACCESS);
    let result = nix::unistd::faccessat(HERE, path, mode, how).and_then(|()| {
        let mode = nix::sys::stat::stat(path)?.st_mode & SFlag::S_IFMT.bits();
        if mode == SFlag::S_IFREG.bits() { Ok(()) } else { Err(Errno::EACCES) }
    });
    record("faccessat2", format_args!("AT_FDCWD, {path:?}, X_OK, AT_EACCESS"), result)
}

/// pipe2(2): the end to read, and the end to write.
#[track_caller]
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    record_as("pipe2", format_args!("O_CLOEXEC"), nix::unistd::pipe2(OFlag::O_CLOEXEC), |_| 0)
}

/// write(2) once: how much was taken. For pipes and terminals.
#[track_caller]
pub fn write_once(fd: BorrowedFd, bytes: &[u8]) -> Result<usize> {
    let result = nix::unistd::write(fd, bytes);
    let args = format_args!("{}, …, {}", fd.as_raw_fd(), bytes.len());
    record_as("write", args, result, |count| *count)
}
