//! Seal: jec runs from a copy of itself that nobody can write.
//!
//! /proc/PID/exe is a door to the file a process runs from, and until init
//! becomes the program, that file is jec on the host. A container that starts
//! `/proc/self/exe` gets a jec inside, opens its file through that door and
//! writes into it; the next `jec` on the host runs the attacker's code
//! (CVE-2019-5736). So before anything else jec executes itself again, from a
//! detached read-only mount of its own file, or where mounting is not allowed
//! from a sealed memfd. Side: runtime. Without it: the attack in the chapter.
//! See open_tree(2), memfd_create(2), proc_pid_exe(5).

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::error::{Result, unless};
use crate::sides::Runtime;
use crate::sys::mount::{Change, MOUNT_ATTR_RDONLY, OPEN_TREE_CLONE};
use crate::sys::{file, memory, mount, process};

/// Returns only in a process that runs from a sealed copy.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let own = file::openat(runtime.proc.as_fd(), c"self/exe", OFlag::O_RDONLY, 0)?;
    // Mostly it is: src/sys/begin has done the same, before the C library began.
    if mount::attributes(own.as_fd())? & MOUNT_ATTR_RDONLY != 0 || memory::is_sealed(own.as_fd()) {
        return Ok(());
    }
    let copy = sealed_copy(&own)?;
    // The copy has no path: its first argument keeps the one of the original.
    let path = file::readlinkat(runtime.proc.as_fd(), c"self/exe")?;
    let rest = std::env::args_os().skip(1).map(|arg| CString::new(arg.into_vec()));
    let args = std::iter::once(Ok(path)).chain(rest).collect::<Result<Vec<_>, _>>()?;
    let env = std::env::vars_os()
        .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect::<Result<Vec<_>, _>>()?;
    process::execve_file(copy.as_fd(), &args, &env)
}

/// A read-only mount costs 0.1 ms, a memfd must copy the file: so the mount, where it is allowed.
fn sealed_copy(own: &OwnedFd) -> Result<OwnedFd> {
    // EPERM: an ordinary user. EINVAL: the binary lies on a mount of another mount namespace.
    let copy = mount::open_tree(own.as_fd(), c"", OPEN_TREE_CLONE, false);
    let Some(copy) = unless(&[Errno::EPERM, Errno::EINVAL], copy)? else {
        return memory::sealed_file(c"jec", own.as_fd());
    };
    let readonly = Change { set: MOUNT_ATTR_RDONLY, ..Change::default() };
    mount::mount_setattr(copy.as_fd(), readonly)?;
    Ok(copy)
}
