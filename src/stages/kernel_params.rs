//! Kernel parameters: the host name, the domain name, and sysctls.
//!
//! A uts namespace holds two names, set by two system calls. A sysctl is a
//! file below /proc/sys; some of them belong to a namespace (net.*, the IPC
//! limits), all others to the whole machine, and those were refused when the
//! plan was made (CVE-2022-0811). They are written through the host's own
//! /proc, which no mount of the image can cover, and read back. Side: init.
//! Without it: the container is named as the host is. See uts_namespaces(7),
//! proc_sys(5); config-linux.md, "Sysctl".

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{OFlag, ResolveFlag};

use crate::error::{Error, Result, ensure};
use crate::sides::Init;
use crate::sys::{file, net};

/// Sets the names, then each sysctl.
pub fn run(init: &mut Init) -> Result<()> {
    let kernel = &init.plan.kernel;
    if let Some(name) = &kernel.hostname {
        net::sethostname(name)?;
    }
    if let Some(name) = &kernel.domainname {
        net::setdomainname(name)?;
    }
    kernel.sysctl.iter().try_for_each(|(path, value)| set(init.proc.as_fd(), path, value))
}

fn set(proc: BorrowedFd, path: &CStr, value: &str) -> Result<()> {
    let below = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    let sys = file::openat2(proc, c"sys", OFlag::O_PATH, below)?;
    let parameter = file::openat2(sys.as_fd(), path, OFlag::O_WRONLY, below)?;
    file::write(parameter.as_fd(), value.as_bytes())?;
    let parameter = file::openat2(sys.as_fd(), path, OFlag::O_RDONLY, below)?;
    let found = file::read_all(&parameter, path, 64 * 1024)?;
    // The kernel answers "1\t2\n" to what was written as "1 2".
    let words = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
    let differs = || Error::differs(format!("sysctl {path:?}"), value, found.trim());
    ensure(words(&found) == words(value), differs)
}
