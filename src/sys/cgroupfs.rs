//! What only the tree of cgroups needs: list, write, wait for an event.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{AccessFlags, Pid};

use super::{file, record};
use crate::error::Result;

/// The directories in `fd`, without `.` and `..` (getdents64(2)).
pub fn directories(fd: BorrowedFd) -> Result<Vec<CString>> {
    let again = file::openat(fd, c".", OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)?;
    let result = Dir::from_fd(again).and_then(|mut dir| {
        let named = |entry: nix::dir::Entry| {
            let name = entry.file_name();
            let real = name != c"." && name != c"..";
            (real && entry.file_type() == Some(Type::Directory)).then(|| name.to_owned())
        };
        dir.iter().filter_map(|entry| entry.map(named).transpose()).collect()
    });
    let count = result.as_ref().map(Vec::<CString>::len).map_err(|errno| *errno);
    record("getdents64", format_args!("{}", fd.as_raw_fd()), count)?;
    Ok(result.unwrap_or_default())
}

/// Writes `value` into the file `name` in one write(2); an error names the file, not a number.
pub fn write(at: BorrowedFd, name: &CStr, value: &str) -> Result<()> {
    let file = file::openat(at, name, OFlag::O_WRONLY, 0)?;
    let result = nix::unistd::write(&file, value.as_bytes()).map(drop);
    record("write", format_args!("{name:?}, {value:?}, {}", value.len()), result)
}

/// faccessat(2) with the effective ids: may we write here?
pub fn writable(at: BorrowedFd, name: &CStr) -> Result<()> {
    let result = nix::unistd::faccessat(at, name, AccessFlags::W_OK, AtFlags::AT_EACCESS);
    let at = at.as_raw_fd();
    record("faccessat", format_args!("{at}, {name:?}, W_OK, AT_EACCESS"), result)
}

/// poll(2) for POLLPRI: a file of cgroupfs changed since `fd` was read. False when time was up.
pub fn changed(fd: BorrowedFd, wait: Duration) -> Result<bool> {
    // A timeout of 0 ms would make a busy loop of the last millisecond.
    let timeout =
        PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    let mut fds = [PollFd::new(fd, PollFlags::POLLPRI)];
    let result = match nix::poll::poll(&mut fds, timeout) {
        // A signal is no event: the caller reads the file again and waits on.
        Err(Errno::EINTR) => Ok(1),
        other => other,
    };
    record("poll", format_args!("{}, POLLPRI", fd.as_raw_fd()), result).map(|count| count > 0)
}

/// kill(2) with SIGKILL; a process that is gone already (ESRCH) is what was wanted.
pub fn kill_process(pid: i32) -> Result<()> {
    let result = match kill(Pid::from_raw(pid), Signal::SIGKILL) {
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    };
    record("kill", format_args!("{pid}, SIGKILL"), result)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn only_directories_are_listed() {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::create_dir(temporary.path().join("inner")).unwrap();
        std::fs::write(temporary.path().join("file"), "").unwrap();
        let dir = std::fs::File::open(temporary.path()).unwrap();
        assert_eq!(directories(dir.as_fd()), Ok(vec![c"inner".to_owned()]));
    }
}
