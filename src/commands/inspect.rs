//! `jec inspect`: the kernel's view of a running container, beside the host's.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::state::print;
use super::{find, open_proc};
use crate::cli::{Global, InspectArgs};
use crate::error::{Error, Failure, Result};
use crate::microscope::inspect;

/// Prints one page, or JSON.
pub fn run(global: &Global, args: &InspectArgs) -> Result<u8, Failure> {
    let proc = open_proc()?;
    let (title, pid) = match (&args.id, args.pid) {
        (Some(id), _) => (id.clone(), running(global, id, &proc)?),
        (None, pid) => (format!("pid:{}", pid.unwrap_or_default()), pid.unwrap_or_default()),
    };
    let seen = inspect::look(&proc, title, pid)?;
    if args.json {
        return print(&seen);
    }
    // A reader that has seen enough is no error.
    drop(std::io::stdout().write_all(seen.page().as_bytes()));
    Ok(0)
}

/// The process of a container that runs, as the host counts.
pub fn running(global: &Global, id: &str, proc: &Rc<OwnedFd>) -> Result<i32> {
    let (_, container) = find(global, id, proc)?;
    let init = container.live_init()?;
    let init = init.ok_or_else(|| Error::state(id, "is not running: it has no process"))?;
    Ok(init.pid)
}
