//! Programs that jec starts beside the container's: helpers of the host, and the
//! one below `jec init`. They are started by the standard library.

use nix::errno::Errno;

use super::record::{errno, record, record_as};
use crate::error::Result;

/// Starts a program with no signal blocked: blocked ones are inherited, and
/// std::process leaves them so.
#[track_caller]
pub fn spawn_unblocked(command: &mut std::process::Command) -> Result<std::process::Child> {
    use std::os::unix::process::CommandExt;
    let unblock = || Ok(super::signal::block_none()?);
    // SAFETY: between fork and execve only rt_sigprocmask(2) is called, which is async-signal-safe.
    let result = unsafe { command.pre_exec(unblock) }.spawn().map_err(errno);
    let program = command.get_program().display();
    record_as("execve", format_args!("{program}, {:?}", command.get_args()), result, |_| 0)
}

/// Runs a helper of the host (newuidmap, newgidmap) to its end, with an
/// argument array, PATH as its whole environment, and takes what it said.
#[track_caller]
pub fn run_helper(program: &str, args: &[String]) -> Result<()> {
    let result = std::process::Command::new(program)
        .args(args)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(std::process::Stdio::null())
        .output();
    let (said, result) = match result {
        Ok(output) if output.status.success() => (Vec::new(), Ok(())),
        Ok(output) => (output.stderr, Err(Errno::EPERM)),
        Err(error) => (Vec::new(), Err(errno(error))),
    };
    let ran = record(program, format_args!("{}", args.join(", ")), result);
    ran.map_err(|error| error.with_words(&String::from_utf8_lossy(&said)))
}
