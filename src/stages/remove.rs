//! Remove: nothing is left.
//!
//! The mounts went with the mount namespace, the network with its namespace,
//! when the last process ended; what the kernel does not clean up by itself is
//! the cgroup, which is a directory, groups of resctrl, which are too, and the
//! state directory. The state goes last: as long as it stands, `jec delete` can
//! be repeated. Side: runtime. Without it: the id stays taken, and a cgroup
//! stays for each container that ever was. See rmdir(2), cgroups(7);
//! runtime.md, "Delete".

use std::time::Instant;

use super::{kill_all::PATIENCE, resctrl};
use crate::error::Result;
use crate::sides::Runtime;

/// Removes the cgroup, the groups of resctrl, then the state directory.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    if let Some(cgroup) = runtime.cgroup.take() {
        cgroup.remove(Instant::now() + PATIENCE)?;
    }
    if let (Some(container), Some(states)) = (runtime.container.take(), &runtime.states) {
        resctrl::remove(&container, &runtime.proc)?;
        runtime.removed = states.remove(&container)?;
    }
    Ok(())
}
