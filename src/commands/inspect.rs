//! `jec inspect`: the kernel's view of a running container, beside the host's.

use std::io::Write;

use super::state::print;
use super::{find, open_proc};
use crate::cli::{Global, InspectArgs};
use crate::error::{Error, Failure};
use crate::microscope::inspect;

/// Prints one page, or JSON.
pub fn run(global: &Global, args: &InspectArgs) -> Result<u8, Failure> {
    let proc = open_proc()?;
    let (title, pid) = match (&args.id, args.pid) {
        (Some(id), _) => {
            let (_, container) = find(global, id, &proc)?;
            let init = container.live_init()?;
            let init =
                init.ok_or_else(|| Error::state(&**id, "is not running: it has no process"))?;
            (id.clone(), init.pid)
        }
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
