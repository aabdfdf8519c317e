//! Program: which file will be executed, and with which environment.
//!
//! The kernel's execve takes a path; finding `sh` in the directories of PATH
//! is the caller's work. It is done here, as the user that the program will
//! run as, and with the container's own PATH, so that a missing program is an
//! error of create (127, as in the shell) and not of start. HOME, which shells
//! need, is completed from the container's /etc/passwd, read by descriptor and
//! with a limit to its size. Side: init. Without it: `jec run ROOTFS sh` would
//! need /bin/sh. See execve(2), environ(7); config.md, "process.args".

use std::ffi::{CStr, CString};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::error::{Error, Result, unless};
use crate::sides::Init;
use crate::sys::file;

/// What a program gets to search when the configuration has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// More than this is no /etc/passwd.
const PASSWD_LIMIT: usize = 1024 * 1024;

/// Finds the program and completes HOME.
pub fn run(init: &mut Init) -> Result<()> {
    let none = || Error::config("process.args", "is empty: there is no program to start");
    let name = init.plan.process.args.first().ok_or_else(none)?;
    let mut environment = init.plan.process.env.clone();
    let program = find(name, &environment)?;
    if variable(&environment, "HOME").is_none() {
        environment.push(CString::new(format!("HOME={}", home(init)?))?);
    }
    init.program = Some((program, environment));
    Ok(())
}

/// A name with a slash is a path; any other is searched for in PATH, where the
/// first that exists but may not be executed decides the error, as in the shell.
fn find(name: &CStr, env: &[CString]) -> Result<CString> {
    if name.to_bytes().contains(&b'/') {
        file::executable(name)?;
        return Ok(name.into());
    }
    let path = variable(env, "PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let mut denied = None;
    for directory in path.split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let candidate = CString::new(format!("{directory}/{}", name.to_string_lossy()))?;
        match file::executable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(error) if error.is(Errno::EACCES) => denied = Some(error),
            Err(error) if error.is(Errno::ENOENT) || error.is(Errno::ENOTDIR) => {}
            // EPERM of a filter, ELOOP, EIO: whether the program is there cannot be told.
            Err(error) => return Err(error),
        }
    }
    Err(denied.unwrap_or_else(|| Error::Call {
        name: "execve".into(),
        args: format!("{name:?}, searched in PATH={path}"),
        errno: Errno::ENOENT as i32,
    }))
}

fn variable(env: &[CString], name: &str) -> Option<String> {
    env.iter().find_map(|entry| {
        let (found, value) = entry.to_str().ok()?.split_once('=')?;
        (found == name).then(|| value.to_string())
    })
}

/// The home directory of the uid in the container's /etc/passwd; `/` when it has none.
fn home(init: &Init) -> Result<String> {
    let how = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
    // Not there, not for this user, or a link in a circle: then nobody has a home there either.
    let absent = [Errno::ENOENT, Errno::ENOTDIR, Errno::EACCES, Errno::ELOOP];
    let passwd = file::open_in_root(init.root()?, c"/etc/passwd", how);
    let Some(passwd) = unless(&absent, passwd)? else {
        return Ok("/".into());
    };
    let text = file::read_all(&passwd, c"/etc/passwd", PASSWD_LIMIT)?;
    let uid = init.plan.process.user.uid.to_string();
    let found = text.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        (fields.len() >= 6 && fields[2] == uid && fields[5].starts_with('/')).then(|| fields[5])
    });
    Ok(found.unwrap_or("/").into())
}
