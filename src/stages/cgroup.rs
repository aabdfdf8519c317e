//! Cgroup: how much the container may use, and the handle to all its processes.
//!
//! A cgroup is a directory in the cgroup2 file system: making it is mkdir(2),
//! limiting it is writing into its files, killing all in it is writing into
//! `cgroup.kill`. Every limit is read back. The descriptor of the directory is
//! kept: the middle process is born in it. Side: runtime. Without it: one
//! container takes all memory, and a fork bomb the machine. On a machine
//! without pure cgroup v2 there is nothing to make; limits were refused before
//! this stage. See cgroups(7); config-linux.md, "Control groups".

use super::Doc;
use crate::cgroup::DeviceProgram;
use crate::error::{Error, Result};
use crate::sides::Runtime;

/// Where to read on.
pub const DOC: Doc = Doc {
    why_here: "the process is born in it, so that nothing is counted elsewhere",
    man: "cgroups(7)",
    spec: "config-linux.md#control-groups",
};

/// Makes the cgroup where `Placement` decided.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let Some(placement) = runtime.placement.take() else {
        return Ok(());
    };
    match placement.make() {
        // Another jec was faster: the cgroup is its own, and cleaning up must not touch it.
        Err(error @ Error::State { .. }) => {
            if let Some(container) = &mut runtime.container {
                container.intent.cgroup = None;
            }
            Err(error)
        }
        Err(error) => Err(error),
        Ok((cgroup, devices)) => {
            runtime.cgroup = Some(cgroup);
            // In a user namespace the kernel itself refuses mknod, and ignores what nodes there are.
            if devices == DeviceProgram::Unprivileged && !runtime.plan.namespaces.has_user() {
                return Err(Error::machine(
                    "linux.resources.devices needs a BPF program, which this user may not load",
                    "run jec with CAP_BPF (or CAP_SYS_ADMIN), or in a user namespace",
                ));
            }
            Ok(())
        }
    }
}
