//! What only the tree of cgroups needs: write, wait for an event, kill.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::unistd::AccessFlags;

use super::file;
use super::record::{record, record_as};
use crate::error::Result;

/// Writes `value` into the file `name` in one write(2); an error names the file, not a number.
pub fn write(at: BorrowedFd, name: &CStr, value: &str) -> Result<()> {
    let file = file::openat(at, name, OFlag::O_WRONLY, 0)?;
    let result = nix::unistd::write(&file, value.as_bytes());
    record("write", format_args!("{name:?}, {value:?}, {}", value.len()), result)
}

/// faccessat(2) with the effective ids: may we write here?
pub fn writable(at: BorrowedFd, name: &CStr) -> Result<()> {
    let result = nix::unistd::faccessat(at, name, AccessFlags::W_OK, AtFlags::AT_EACCESS);
    let at = at.as_raw_fd();
    record("faccessat", format_args!("{at}, {name:?}, W_OK, AT_EACCESS"), result)
}

/// poll(2) for POLLPRI: returns when a file of cgroupfs changed since `fd` was read, when the
/// process behind the pidfd `end` has ended, or when time is up.
pub fn await_change(fd: BorrowedFd, end: Option<BorrowedFd>, wait: Duration) -> Result<()> {
    // A timeout of 0 ms would make a busy loop of the last millisecond.
    let timeout =
        PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    let mut both = vec![PollFd::new(fd, PollFlags::POLLPRI)];
    both.extend(end.map(|end| PollFd::new(end, PollFlags::POLLIN)));
    let result = match nix::poll::poll(&mut both, timeout) {
        // A signal is no event: the caller reads the file again and waits on.
        Err(Errno::EINTR) => Ok(1),
        other => other,
    };
    record_as("poll", format_args!("{}, POLLPRI", fd.as_raw_fd()), result, |count| *count).map(drop)
}

/// kill(2) with SIGKILL; a process that is gone already (ESRCH) is what was wanted.
pub fn kill_process(pid: i32, number: i32) -> Result<()> {
    // SAFETY: only numbers are passed.
    let result = match Errno::result(unsafe { libc::kill(pid, number) }) {
        Err(Errno::ESRCH) => Ok(0),
        other => other,
    };
    record("kill", format_args!("{pid}, {number}"), result)
}
