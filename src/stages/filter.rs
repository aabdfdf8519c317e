//! Filter: the system call filter is compiled, not yet loaded.
//!
//! A seccomp profile is a list of names and conditions; the kernel takes a
//! program for a tiny machine (cBPF). Compiling it here, before there is a
//! process, makes a wrong profile fail early and leaves only the loading on
//! the path to execve. How it is compiled, and why its shape is the largest
//! single cost of a start, is in [`crate::filter`]. Side: runtime. Without
//! it: nothing to load in `seccomp`. See seccomp(2); config-linux.md,
//! "Seccomp".

use super::Doc;
use crate::error::Result;
use crate::sides::Runtime;

/// Where to read on.
pub const DOC: Doc = Doc {
    why_here: "a profile that cannot be compiled must fail before there is a process",
    man: "seccomp(2), bpf(4)",
    spec: "config-linux.md#seccomp",
};

/// Compiles the profile.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    if let Some(profile) = &runtime.plan.seccomp {
        runtime.filter = Some(crate::filter::compile(profile)?);
    }
    Ok(())
}
