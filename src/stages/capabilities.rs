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

use super::bounding;
use crate::error::{Error, Result};
use crate::plan::Capabilities;
use crate::sides::Init;
use crate::sys::{attributes, credentials, file};

/// Sets permitted, effective, inheritable at once, then ambient, then looks.
pub fn run(init: &mut Init) -> Result<()> {
    let wanted = init.plan.process.capabilities;
    credentials::capset(wanted.permitted, wanted.effective, wanted.inheritable)?;
    credentials::clear_ambient()?;
    for capability in caps::all() {
        if wanted.ambient & capability.bitmask() != 0 {
            credentials::raise_ambient(capability)?;
        }
    }
    let found = read(&file::read_file(init.proc.as_fd(), c"self/status", 64 * 1024)?)?;
    compare(wanted, found)?;
    // The kernel forgot it when the ids changed.
    attributes::die_with_parent()
}

/// The five sets as /proc/self/status tells them.
fn read(status: &str) -> Result<Capabilities> {
    let set = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| u64::from_str_radix(rest.trim(), 16).ok())
            .ok_or_else(|| Error::differs("/proc/self/status", format!("a line {name}"), "none"))
    };
    Ok(Capabilities {
        bounding: set("CapBnd:")?,
        effective: set("CapEff:")?,
        permitted: set("CapPrm:")?,
        inheritable: set("CapInh:")?,
        ambient: set("CapAmb:")?,
    })
}

fn compare(wanted: Capabilities, found: Capabilities) -> Result<()> {
    let sets = [
        ("bounding", wanted.bounding, found.bounding),
        ("effective", wanted.effective, found.effective),
        ("permitted", wanted.permitted, found.permitted),
        ("inheritable", wanted.inheritable, found.inheritable),
        ("ambient", wanted.ambient, found.ambient),
    ];
    match sets.into_iter().find(|(_, wanted, found)| wanted != found) {
        None => Ok(()),
        Some((name, wanted, found)) => {
            Err(Error::differs(format!("the {name} set"), names(wanted), names(found)))
        }
    }
}

/// A mask in words.
fn names(set: u64) -> String {
    let held: Vec<_> = (0..64).filter(|bit| set >> bit & 1 == 1).map(bounding::name).collect();
    if held.is_empty() { "nothing".into() } else { held.join(" ") }
}
