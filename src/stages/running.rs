//! Running: the program has started.
//!
//! jec has heard the end of the baton, which closes on execve and not before.
//! The state says "running" now; from here on jec is only the one who waits,
//! forwards signals and carries bytes between two terminals. Side: runtime.
//! Without it: `jec state` would call a running container created. See
//! runtime.md, "State".

use std::ffi::CString;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::{pid_file, session};
use crate::error::{Result, unless};
use crate::sides::{Process, Runtime};
use crate::state::Status;
use crate::sys::file;

/// The moment between the two, at the very most.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes the state; of a further process nobody knows but who asked for its number.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let pid = runtime.init()?.pid;
    check_started(runtime, pid)?;
    if runtime.plan.joins.is_some() {
        return pid_file::tell(runtime, b"setns");
    }
    runtime.container()?.write_status(Status::Running, pid)
}

/// The baton closes too when init dies at execve under a filter that forbids
/// it to say so. A process that has ended keeps its name until it is waited
/// for, and this one never got the program's.
fn check_started(runtime: &Runtime, pid: i32) -> Result<()> {
    let path = CString::new(format!("{pid}/stat"))?;
    let name = format!("({}) ", session::NAME.to_string_lossy());
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // Gone, and waited for by its parent. Whether it has run, nobody can ask any more.
        let stat = file::read_file(runtime.proc.as_fd(), &path, 4096);
        let Some(stat) = unless(&[Errno::ENOENT, Errno::ESRCH], stat)? else {
            break;
        };
        match stat.split_once(&name) {
            None => break,
            Some((_, rest)) if rest.starts_with('Z') => return Err(runtime.unanswered("init")),
            // Descriptors close a moment before the name changes, or the process has ended.
            Some(_) => std::thread::sleep(Duration::from_micros(100)),
        }
    }
    Ok(())
}
