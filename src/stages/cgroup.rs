//! Cgroup: how much the container may use, and the handle to all its processes.
//!
//! A cgroup is a directory in the cgroup2 file system: making it is mkdir(2),
//! limiting it is writing into its files, killing all in it is writing into
//! `cgroup.kill`. Every limit is read back. The descriptor of the directory is
//! kept: the middle process is born in it. Side: runtime. Without it: one
//! container takes all memory, and a fork bomb the machine. On a machine
//! without pure cgroup v2 there is nothing to make; limits were refused before
//! this stage. See cgroups(7); config-linux.md, "Control groups".

use crate::cgroup::DeviceProgram;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::sides::Runtime;

/// Makes the cgroup where `Placement` decided.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let Some(placement) = runtime.placement.take() else {
        return Ok(());
    };
    let made = placement.make();
    // Another jec was faster: the cgroup is its own, and cleaning up must not touch it.
    if let (Err(Error::State { .. }), Some(container)) = (&made, &mut runtime.container) {
        container.intent.cgroup = None;
    }
    let (cgroup, devices) = made?;
    runtime.cgroup = Some(cgroup);
    enforced(devices, runtime.plan)
}

/// In a user namespace device nodes open nothing anyway. Without one, rules that
/// nobody enforces would leave every disk open to whoever can make a node.
fn enforced(devices: DeviceProgram, plan: &Plan) -> Result<()> {
    if devices != DeviceProgram::Unprivileged || plan.namespaces.has_user() {
        return Ok(());
    }
    Err(Error::machine(
        "the kernel takes no device program from this process (bpf(2): EPERM), \
         so linux.resources.devices would deny nothing",
        "give jec CAP_BPF and CAP_NET_ADMIN, or the container a user namespace",
    ))
}
