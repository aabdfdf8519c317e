//! Filter: the system call filter is compiled, not yet loaded.
//!
//! A seccomp profile is a list of names and conditions; the kernel takes a
//! program for a tiny machine (cBPF). Compiling it here, before there is a
//! process, makes a wrong profile fail early and leaves only the loading on
//! the path to execve. How it is compiled, and why its shape is the largest
//! single cost of a start, is in [`crate::filter`]. Side: runtime. Without
//! it: nothing to load in `seccomp`. See seccomp(2); config-linux.md,
//! "Seccomp".

use crate::error::{Error, Result, ensure};
use crate::sides::{Runtime, needed};
use crate::sys::seccomp;

/// Asks the kernel whether it knows what the profile wants, and compiles it.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let profile = needed(runtime.plan.seccomp.as_ref(), "linux.seccomp")?;
    let flags = profile.flags;
    ensure(seccomp::flags_supported(flags)?, || {
        let lacks = "linux.seccomp: this kernel has no seccomp filter with the flags";
        let cure = "leave linux.seccomp.flags out, or take a newer kernel (see seccomp(2))";
        Error::machine(format!("{lacks} {flags:#x}"), cure)
    })?;
    runtime.handed.filter = Some(crate::filter::compile(profile)?);
    Ok(())
}
