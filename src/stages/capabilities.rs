//! Capabilities: the other four sets, exactly.
//!
//! Effective is what counts now, permitted what may become effective,
//! inheritable what survives execve of a program that asks for it, ambient
//! what survives every execve. An inheritable set that is not empty once gave
//! containers more than was meant (CVE-2022-24769), so all sets are what the
//! configuration says, and nothing else. Then all five are read from
//! /proc/self/status: a famous tutorial edits a copy in memory and drops
//! nothing. Side: init. Without it: uid 0 inside has what it had outside. See
//! capabilities(7), capset(2); config.md, "capabilities".

use std::os::fd::AsFd;

use caps::Capability;

use crate::error::{Error, Result, ensure};
use crate::plan::names_of;
use crate::sides::Init;
use crate::sys::{attributes, credentials, file};

/// Sets permitted, effective, inheritable at once, then ambient, then looks.
pub fn run(init: &mut Init) -> Result<()> {
    let wanted = init.plan.process.capabilities;
    credentials::capset(wanted.permitted, wanted.effective, wanted.inheritable)?;
    credentials::clear_ambient()?;
    let is_ambient = |capability: &Capability| wanted.ambient & capability.bitmask() != 0;
    caps::all().into_iter().filter(is_ambient).try_for_each(credentials::raise_ambient)?;
    let status = file::read_file(init.proc.as_fd(), c"self/status", 64 * 1024)?;
    init.ignored = mask(&status, "SigIgn:")?;
    for (name, line, wanted) in [
        ("bounding", "CapBnd:", wanted.bounding),
        ("effective", "CapEff:", wanted.effective),
        ("permitted", "CapPrm:", wanted.permitted),
        ("inheritable", "CapInh:", wanted.inheritable),
        ("ambient", "CapAmb:", wanted.ambient),
    ] {
        let found = mask(&status, line)?;
        let differs =
            || Error::differs(format!("the {name} set"), names_of(wanted), names_of(found));
        ensure(found == wanted, differs)?;
    }
    if init.plan.process.outlives_jec {
        return attributes::outlive_parent();
    }
    // The kernel forgot it when the ids changed.
    attributes::die_with_parent()
}

/// The mask that stands behind a word of /proc/self/status.
pub fn mask(status: &str, word: &str) -> Result<u64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(word))
        .and_then(|rest| u64::from_str_radix(rest.trim(), 16).ok())
        .ok_or_else(|| Error::differs("/proc/self/status", format!("a line {word}"), "none"))
}
