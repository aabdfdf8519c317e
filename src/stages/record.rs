//! Record: the container's id is taken, and what will be made is written down.
//!
//! mkdir(2) of the state directory is the lock: of two jec that want the same
//! id, the kernel lets one through. The intent (cgroup path, bundle, boot id)
//! is written and synced *before* anything is made, so that whatever kills jec
//! from here on, `jec delete --force ID` knows what to look for. Side:
//! runtime. Without it: a crash leaves a cgroup that nobody can name. See
//! mkdir(2), rename(2), fsync(2); runtime.md, "State".

use crate::error::Result;
use crate::sides::{Runtime, needed};
use crate::stages::Command;
use crate::state::Status;
use crate::sys::socket;

/// Takes the id and writes the intent; where the container is to rest, makes its gate.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let cgroup = runtime.placement.as_ref().map(|placement| placement.path.clone());
    let states = needed(runtime.states.as_ref(), "the directory of all states")?;
    let container = states.create(runtime.plan, cgroup, runtime.pid_file.clone())?;
    let container = runtime.container.insert(container);
    if runtime.rows.iter().any(|row| row.command == Command::Rest) {
        runtime.handed.gate = Some(socket::listen(&container.gate()?)?);
    }
    container.write_status(Status::Creating, 0)
}
