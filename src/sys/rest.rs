//! Terminals and signals of a process that rests at a stop of `jec run --stop-before`.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

use super::record::{record, record_as};
use super::terminal;
use crate::error::Result;

/// The modes of this terminal (TCGETS).
pub fn modes(of: BorrowedFd) -> Result<Termios> {
    record_as("ioctl", format_args!("{}, TCGETS", of.as_raw_fd()), tcgetattr(of), |_| 0)
}

/// Sets them when what was written has been shown (TCSETSW).
pub fn set_modes(of: BorrowedFd, modes: &Termios) -> Result<()> {
    let result = tcsetattr(of, SetArg::TCSADRAIN, modes);
    record("ioctl", format_args!("{}, TCSETSW", of.as_raw_fd()), result)
}

/// The size of one terminal becomes that of another (TIOCGWINSZ, TIOCSWINSZ).
pub fn copy_size(from: BorrowedFd, to: BorrowedFd) -> Result<()> {
    let mut found = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    let fd = from.as_raw_fd();
    // SAFETY: the pointer is to a whole winsize, which the kernel fills.
    let result = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut found) };
    record("ioctl", format_args!("{fd}, TIOCGWINSZ"), Errno::result(result))?;
    terminal::set_size(to, (found.ws_row, found.ws_col))
}

/// Which signals are blocked (sigprocmask(2)).
pub fn blocked() -> Result<SigSet> {
    let mut now = SigSet::empty();
    let result = sigprocmask(SigmaskHow::SIG_BLOCK, None, Some(&mut now));
    record("rt_sigprocmask", format_args!("SIG_BLOCK, NULL"), result)?;
    Ok(now)
}

/// Blocks these, and no others.
pub fn block(signals: &SigSet) -> Result<()> {
    let result = sigprocmask(SigmaskHow::SIG_SETMASK, Some(signals), None);
    record("rt_sigprocmask", format_args!("SIG_SETMASK, …"), result)
}
