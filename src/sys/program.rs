//! Programs that jec starts beside the container's: helpers of the host, and the
//! one below `jec init`. They are started by the standard library.

use nix::errno::Errno;

use super::record;
use crate::error::Result;

/// Starts a program with no signal blocked: blocked ones are inherited, and
/// std::process leaves them so.
pub fn spawn_unblocked(command: &mut std::process::Command) -> Result<std::process::Child> {
    use std::os::unix::process::CommandExt;
    let unblock = || Ok(nix::sys::signal::SigSet::empty().thread_set_mask()?);
    // SAFETY: between fork and execve only rt_sigprocmask(2) is called, which is async-signal-safe.
    let result = unsafe { command.pre_exec(unblock) }.spawn();
    let (result, child) = match result {
        Ok(child) => (Ok(()), Some(child)),
        Err(error) => (Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))), None),
    };
    let program = command.get_program().display();
    record("execve", format_args!("{program}, {:?}", command.get_args()), result)?;
    child.ok_or_else(|| crate::error::Error::differs("execve", "a process", "none"))
}

/// Runs a helper of the host (newuidmap, newgidmap) to its end, with an
/// argument array, PATH as its whole environment, and takes what it said.
pub fn run_helper(program: &str, args: &[String]) -> Result<()> {
    let result = std::process::Command::new(program)
        .args(args)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(std::process::Stdio::null())
        .output();
    let (said, result) = match result {
        Ok(output) if output.status.success() => (String::new(), Ok(())),
        Ok(output) => {
            (String::from_utf8_lossy(&output.stderr).trim().to_string(), Err(Errno::EPERM))
        }
        Err(error) => (String::new(), Err(Errno::from_raw(error.raw_os_error().unwrap_or(0)))),
    };
    let said = if said.is_empty() { said } else { format!(" [{said}]") };
    record(program, format_args!("{}{said}", args.join(", ")), result)
}
