//! Terminals: pseudo terminals, their size and their modes.

use std::io::stdin;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::termios::{self, SetArg, Termios};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout};

use super::record::{descriptor, record, record_as, record_fd};
use crate::error::Result;

/// TIOCSPTLCK 0: the slave of this master may be opened (ioctl_tty(2)).
#[track_caller]
pub fn unlock(master: BorrowedFd) -> Result<()> {
    let (fd, unlocked): (_, libc::c_int) = (master.as_raw_fd(), 0);
    // SAFETY: the request takes a pointer to an int.
    let result = unsafe { libc::ioctl(fd, libc::TIOCSPTLCK, &raw const unlocked) };
    record("ioctl", format_args!("{fd}, TIOCSPTLCK, 0"), Errno::result(result))
}

/// TIOCGPTPEER: the slave of this master, without any path that could lead elsewhere.
#[track_caller]
pub fn peer(master: BorrowedFd) -> Result<OwnedFd> {
    let (fd, how) = (master.as_raw_fd(), libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
    // SAFETY: the request takes open(2) flags by value and makes a descriptor that is ours alone.
    let result = unsafe { descriptor(libc::ioctl(fd, libc::TIOCGPTPEER, how)) };
    record_fd("ioctl", format_args!("{fd}, TIOCGPTPEER"), result)
}

/// TIOCSCTTY: the terminal becomes the controlling terminal of this session.
#[track_caller]
pub fn make_controlling(terminal: BorrowedFd) -> Result<()> {
    let fd = terminal.as_raw_fd();
    // SAFETY: the request takes a number.
    let result = unsafe { libc::ioctl(fd, libc::TIOCSCTTY, 0) };
    record("ioctl", format_args!("{fd}, TIOCSCTTY, 0"), Errno::result(result))
}

/// dup2(2) onto standard input, and onto standard output and error.
#[track_caller]
pub fn redirect(input: BorrowedFd, output: BorrowedFd) -> Result<()> {
    let (from, to) = (input.as_raw_fd(), output.as_raw_fd());
    record("dup2", format_args!("{from}, 0"), dup2_stdin(input))?;
    record("dup2", format_args!("{to}, 1"), dup2_stdout(output))?;
    record("dup2", format_args!("{to}, 2"), dup2_stderr(output))
}

/// A copy of a descriptor at number 10 or above, out of the way of a program's 0, 1 and 2.
#[track_caller]
pub fn copy_high(fd: BorrowedFd) -> Result<OwnedFd> {
    let fd = fd.as_raw_fd();
    // SAFETY: only numbers are passed; the copy is ours alone.
    let result = unsafe { descriptor(libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 10)) };
    record_fd("fcntl", format_args!("{fd}, F_DUPFD_CLOEXEC, 10"), result)
}

/// Rows and columns (TIOCGWINSZ).
#[track_caller]
pub fn size(terminal: BorrowedFd) -> Result<(u16, u16)> {
    let fd = terminal.as_raw_fd();
    let mut found = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the pointer is to a whole winsize, which the kernel fills.
    let result = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut found) };
    record("ioctl", format_args!("{fd}, TIOCGWINSZ"), Errno::result(result))?;
    Ok((found.ws_row, found.ws_col))
}

/// Sets rows and columns; the foreground processes of that terminal get SIGWINCH (TIOCSWINSZ).
#[track_caller]
pub fn set_size(terminal: BorrowedFd, (rows, columns): (u16, u16)) -> Result<()> {
    let fd = terminal.as_raw_fd();
    let wanted = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the pointer is to a whole winsize.
    let result = unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &raw const wanted) };
    record("ioctl", format_args!("{fd}, TIOCSWINSZ, {rows}x{columns}"), Errno::result(result))
}

/// The modes, to be restored later (TCGETS).
#[track_caller]
pub fn modes(terminal: BorrowedFd) -> Result<Termios> {
    let found = termios::tcgetattr(terminal);
    record_as("ioctl", format_args!("{}, TCGETS", terminal.as_raw_fd()), found, |_| 0)
}

/// Restores modes, once all that was written has been shown (TCSETSW).
#[track_caller]
pub fn set_modes(terminal: BorrowedFd, modes: &Termios) -> Result<()> {
    let result = termios::tcsetattr(terminal, SetArg::TCSADRAIN, modes);
    record("ioctl", format_args!("{}, TCSETSW", terminal.as_raw_fd()), result)
}

/// Raw: every byte goes through as typed, Ctrl-C and Ctrl-Z too; the inner terminal acts on them.
#[track_caller]
pub fn make_raw(terminal: BorrowedFd, modes: &Termios) -> Result<()> {
    let mut raw = modes.clone();
    termios::cfmakeraw(&mut raw);
    set_modes(terminal, &raw)
}

/// Makes a process group the foreground one of our terminal, where we have one.
/// ENOTTY and the like: no terminal, no foreground, nothing to do.
#[track_caller]
pub fn make_foreground(group: i32) {
    let result = nix::unistd::tcsetpgrp(stdin(), Pid::from_raw(group));
    drop(record("ioctl", format_args!("0, TIOCSPGRP, {group}"), result));
}

/// Makes reads and writes of a descriptor return EAGAIN instead of waiting.
#[track_caller]
pub fn set_nonblocking(fd: BorrowedFd) -> Result<()> {
    let result = fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK | OFlag::O_RDWR));
    record("fcntl", format_args!("{}, F_SETFL, O_NONBLOCK", fd.as_raw_fd()), result)
}
