//! Running: the program has started.
//!
//! jec has heard the end of the baton, which closes on execve and not before.
//! The state says "running" now; from here on jec is only the one who waits,
//! forwards signals and carries bytes between two terminals. Side: runtime.
//! Without it: `jec state` would call a running container created. See
//! runtime.md, "State".

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::{pid_file, session};
use crate::error::{Error, Result};
use crate::sides::Runtime;
use crate::state::Status;
use crate::sys::file;

/// The moment between the two, at the very most.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes the state; of a further process nobody knows but who asked for its number.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let pid = runtime.init()?.pid;
    check_started(runtime.proc.as_fd(), pid)?;
    if runtime.plan.joins.is_some() {
        pid_file::send_pidfd(runtime, b"setns")?;
        let path = runtime.pid_file.take();
        return path.map_or(Ok(()), |path| runtime.container()?.write_pid_file_of(pid, &path));
    }
    runtime.container()?.write_status(Status::Running, pid)
}

/// The baton closes too when init dies at execve under a filter that forbids
/// it to say so. A process that has ended keeps its name until it is waited
/// for, and this one never got the program's.
fn check_started(proc: BorrowedFd, pid: i32) -> Result<()> {
    let path = CString::new(format!("{pid}/stat"))?;
    let name = format!("({}) ", session::NAME.to_string_lossy());
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let stat = file::read_file(proc, &path, 4096)?;
        match stat.split_once(&name) {
            None => break,
            Some((_, rest)) if rest.starts_with('Z') => {
                return Err(Error::Died { who: "init".into(), how: String::new() });
            }
            // Descriptors close a moment before the name changes, or the process has ended.
            Some(_) => std::thread::sleep(Duration::from_micros(100)),
        }
    }
    Ok(())
}
