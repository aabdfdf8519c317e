//! Time namespace: the clocks since boot, shifted.
//!
//! CLOCK_MONOTONIC and CLOCK_BOOTTIME count from boot, so a container that is
//! moved to another machine would see them jump; a time namespace adds an
//! offset to each (the wall clock is shared). The offsets can be written only
//! while nobody lives in the namespace, and its maker does not: its next child
//! does. That is the second reason for the middle process. Side: middle.
//! Without it: uptime(1) tells how long the host has been up. See
//! time_namespaces(7); config-linux.md, "Time offsets".

use std::os::fd::AsFd;

use crate::error::Result;
use crate::sides::Middle;
use crate::sys::{file, process};

/// Makes the namespace and writes its offsets.
pub fn run(middle: &mut Middle) -> Result<()> {
    process::unshare(crate::sys::constants::CLONE_NEWTIME)?;
    let offsets = middle.plan.namespaces.clock_offsets.iter();
    let lines = offsets.map(|(clock, seconds, fraction)| format!("{clock} {seconds} {fraction}\n"));
    let lines = lines.collect::<Vec<_>>().concat();
    if lines.is_empty() {
        return Ok(());
    }
    file::write_file(middle.proc.as_fd(), c"self/timens_offsets", &lines)
}
