//! Seccomp: from here on the kernel refuses system calls.
//!
//! The program that `filter` compiled is given to the kernel, which runs it at
//! the entry of every system call, of this process and all its children, for
//! ever: a filter can be added to, never removed. With no_new_privs any
//! process may load one, and it is the last thing before execve; without, it
//! takes CAP_SYS_ADMIN, so the row stands before the capabilities go (these
//! are two rows with complementary conditions). Side: init. Without it: every
//! one of some 400 calls of the kernel is open to attack. See seccomp(2);
//! config-linux.md, "Seccomp".

use crate::error::Result;
use crate::sides::{Init, needed};
use crate::sys;

/// Loads the filter; its listener, if it has one, goes with the baton.
pub fn run(init: &mut Init) -> Result<()> {
    let program = needed(init.handed.filter.as_ref(), "the filter")?;
    let flags = needed(init.plan.seccomp.as_ref(), "linux.seccomp")?.flags;
    init.baton.descriptors.extend(sys::seccomp::load(program, flags)?);
    Ok(())
}
