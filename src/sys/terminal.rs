//! Terminals: pseudo terminals, their size and their modes.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::termios::{self, SetArg, Termios};

use super::record;
use crate::error::Result;

nix::ioctl_write_ptr_bad!(
    /// TIOCSPTLCK
    set_pty_lock,
    libc::TIOCSPTLCK,
    libc::c_int
);
nix::ioctl_read_bad!(
    /// TIOCGWINSZ
    get_window_size,
    libc::TIOCGWINSZ,
    libc::winsize
);
nix::ioctl_write_ptr_bad!(
    /// TIOCSWINSZ
    set_window_size,
    libc::TIOCSWINSZ,
    libc::winsize
);

/// Whether this descriptor is a terminal.
pub fn is_terminal(fd: BorrowedFd) -> bool {
    nix::unistd::isatty(fd).unwrap_or(false)
}

/// TIOCSPTLCK takes a pointer to 0 to unlock.
static LOCKED_NO: libc::c_int = 0;

/// TIOCSPTLCK 0: the slave of this master may be opened (ioctl_tty(2)).
pub fn unlock(master: BorrowedFd) -> Result<()> {
    // SAFETY: the argument is a valid int.
    let result = unsafe { set_pty_lock(master.as_raw_fd(), &raw const LOCKED_NO) };
    record("ioctl", format_args!("{}, TIOCSPTLCK, 0", master.as_raw_fd()), result.map(drop))
}

/// TIOCGPTPEER: the slave of this master, without any path that could lead elsewhere.
pub fn peer(master: BorrowedFd) -> Result<OwnedFd> {
    let how = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the request takes open(2) flags by value and returns a new descriptor.
    let result = Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, how) })
        // SAFETY: as above, it is ours alone.
        .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    record("ioctl", format_args!("{}, TIOCGPTPEER", master.as_raw_fd()), result)
}

/// TIOCSCTTY: the terminal becomes the controlling terminal of this session.
pub fn make_controlling(terminal: BorrowedFd) -> Result<()> {
    // SAFETY: the request takes a number.
    let result = Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) });
    record("ioctl", format_args!("{}, TIOCSCTTY, 0", terminal.as_raw_fd()), result.map(drop))
}

/// dup2(2) onto standard input, output and error.
pub fn become_stdio(terminal: BorrowedFd) -> Result<()> {
    let fd = terminal.as_raw_fd();
    record("dup2", format_args!("{fd}, 0"), nix::unistd::dup2_stdin(terminal))?;
    record("dup2", format_args!("{fd}, 1"), nix::unistd::dup2_stdout(terminal))?;
    record("dup2", format_args!("{fd}, 2"), nix::unistd::dup2_stderr(terminal))
}

/// A copy of a descriptor at number 10 or above, out of the way of a program's 0, 1 and 2.
pub fn copy_high(fd: BorrowedFd) -> Result<OwnedFd> {
    let result = nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(10))
        // SAFETY: the kernel just made this descriptor for us.
        .map(|raw: RawFd| unsafe { OwnedFd::from_raw_fd(raw) });
    record("fcntl", format_args!("{}, F_DUPFD_CLOEXEC, 10", fd.as_raw_fd()), result)
}

/// Rows and columns of a terminal (TIOCGWINSZ).
pub fn size(terminal: BorrowedFd) -> Result<(u16, u16)> {
    // SAFETY: all-zero is a valid winsize, and the call fills the whole of it.
    let mut found: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a whole winsize.
    let result = unsafe { get_window_size(terminal.as_raw_fd(), &raw mut found) };
    record("ioctl", format_args!("{}, TIOCGWINSZ", terminal.as_raw_fd()), result)?;
    Ok((found.ws_row, found.ws_col))
}

/// Sets rows and columns; the foreground processes of that terminal get SIGWINCH (TIOCSWINSZ).
pub fn set_size(terminal: BorrowedFd, (rows, columns): (u16, u16)) -> Result<()> {
    let wanted = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the pointer is to a whole winsize.
    let result = unsafe { set_window_size(terminal.as_raw_fd(), &raw const wanted) };
    let args = format_args!("{}, TIOCSWINSZ, {rows}x{columns}", terminal.as_raw_fd());
    record("ioctl", args, result.map(drop))
}

/// The modes of a terminal, to be restored later.
pub fn modes(terminal: BorrowedFd) -> Result<Termios> {
    let mut found = None;
    let result = termios::tcgetattr(terminal).map(|modes| found = Some(modes));
    record("ioctl", format_args!("{}, TCGETS", terminal.as_raw_fd()), result)?;
    found.ok_or_else(|| crate::error::Error::differs("TCGETS", "modes", "none"))
}

/// Restores modes.
pub fn set_modes(terminal: BorrowedFd, modes: &Termios) -> Result<()> {
    let result = termios::tcsetattr(terminal, SetArg::TCSADRAIN, modes);
    record("ioctl", format_args!("{}, TCSETSW", terminal.as_raw_fd()), result)
}

/// Raw: every byte goes through as typed, Ctrl-C and Ctrl-Z too; the inner terminal acts on them.
pub fn make_raw(terminal: BorrowedFd, modes: &Termios) -> Result<()> {
    let mut raw = modes.clone();
    termios::cfmakeraw(&mut raw);
    set_modes(terminal, &raw)
}

/// Makes a process group the foreground one of our terminal, where we have one.
/// ENOTTY and the like: no terminal, no foreground, nothing to do.
pub fn make_foreground(group: i32) {
    let group = nix::unistd::Pid::from_raw(group);
    let result = nix::unistd::tcsetpgrp(std::io::stdin(), group);
    drop(record("ioctl", format_args!("0, TIOCSPGRP, {group}"), result));
}

/// Makes reads and writes of a descriptor return EAGAIN instead of waiting.
pub fn set_nonblocking(fd: BorrowedFd) -> Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let result = fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK | OFlag::O_RDWR)).map(drop);
    record("fcntl", format_args!("{}, F_SETFL, O_NONBLOCK", fd.as_raw_fd()), result)
}
