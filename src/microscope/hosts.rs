//! Host and domain name. They belong to a uts namespace, and to read them is to be in it.
//!
//! Root enters it for a moment. An ordinary user may enter only as root of the user namespace
//! that it belongs to, from which there is no way back: so a process goes there, reads, tells,
//! and ends. The namespaces are opened while they can be: before init is not dumpable any more.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;

use super::facts::{Facts, seen};
use super::names::Names;
use crate::error::{Error, Result};
use crate::sys::{board, file, process};

/// Namespaces of processes: user, uts.
#[derive(Default)]
pub struct Hosts {
    kept: HashMap<i32, [OwnedFd; 2]>,
}

impl Hosts {
    /// Adds the names that a process has.
    pub fn add(&mut self, proc: &OwnedFd, pid: i32, names: &Names, facts: &mut Facts) {
        match self.read(proc, pid) {
            Ok((host, domain)) => {
                facts.insert("hostname".into(), names.of_text(&host));
                facts.insert("domainname".into(), domain);
            }
            other => {
                let errno = seen(other.map(|names| names.0));
                facts.extend(errno.map(|errno| ("hostname".into(), errno)));
            }
        }
    }

    fn read(&mut self, proc: &OwnedFd, pid: i32) -> Result<(String, String)> {
        let open =
            |path: &str| file::openat(proc.as_fd(), &CString::new(path)?, OFlag::O_RDONLY, 0);
        let link = |path: &str| file::readlinkat(proc.as_fd(), &CString::new(path)?);
        let (own, theirs) = ("self/ns/uts", format!("{pid}/ns/uts"));
        match link(&theirs) {
            Ok(theirs) if link(own)? == theirs => return board::uname(),
            Err(error) if !self.kept.contains_key(&pid) => return Err(error),
            Err(_) => {}
            Ok(_) => {
                let (back, uts) = (open(own)?, open(&theirs)?);
                match process::setns(uts.as_fd(), CloneFlags::CLONE_NEWUTS) {
                    Err(error) if error.is(Errno::EPERM) => {
                        let user = open(&format!("{pid}/ns/user"))?;
                        self.kept.insert(pid, [user, uts]);
                    }
                    Err(error) => return Err(error),
                    Ok(()) => {
                        let found = board::uname();
                        process::setns(back.as_fd(), CloneFlags::CLONE_NEWUTS)?;
                        return found;
                    }
                }
            }
        }
        self.kept.get(&pid).map_or_else(|| Err(gone()), ask)
    }
}

/// What a process hears that goes in.
fn ask([user, uts]: &[OwnedFd; 2]) -> Result<(String, String)> {
    let (answer, theirs) = file::pipe()?;
    let child = process::fork(|| {
        let entered = process::setns(user.as_fd(), CloneFlags::CLONE_NEWUSER)
            .and_then(|()| process::setns(uts.as_fd(), CloneFlags::CLONE_NEWUTS));
        let told = entered.and_then(|()| board::uname()).and_then(|(host, domain)| {
            file::write(theirs.as_fd(), format!("{host}\n{domain}").as_bytes())
        });
        process::exit_now(u8::from(told.is_err()))
    })?;
    drop(theirs);
    let text = file::read_all(&answer, c"names", 4096)?;
    process::wait(&child)?;
    let names = text.split_once('\n').ok_or_else(gone)?;
    Ok((names.0.into(), names.1.into()))
}

/// As if the kernel had refused: nobody could tell.
fn gone() -> Error {
    Error::Call { name: "uname".into(), args: String::new(), errno: Errno::EPERM as i32 }
}
