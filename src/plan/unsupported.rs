//! What is valid but not done here, refused by name: to leave a hook or a label out
//! would make another container than the one described.

use oci_spec::runtime::{Linux, Process, Spec};

use crate::error::{Error, Result};

/// Refuses what is present and not empty.
pub(super) fn refuse(spec: &Spec) -> Result<()> {
    let linux = spec.linux().as_ref().map(linux_properties);
    let all = properties(spec).into_iter().chain(linux.into_iter().flatten());
    report(all)
}

/// The same for the process object, which `exec` reads alone.
pub(super) fn refuse_in_process(process: &Process) -> Result<()> {
    report([
        ("process.apparmorProfile", filled(process.apparmor_profile().as_ref())),
        ("process.selinuxLabel", filled(process.selinux_label().as_ref())),
        ("process.execCPUAffinity", process.exec_cpu_affinity().is_some()),
    ])
}

fn report(properties: impl IntoIterator<Item = (&'static str, bool)>) -> Result<()> {
    match properties.into_iter().find(|(_, present)| *present) {
        Some((property, _)) => {
            Err(Error::config(property, "jec does not support it; leave it out"))
        }
        None => Ok(()),
    }
}

/// Sections of other platforms say that the bundle is meant for another machine.
fn properties(spec: &Spec) -> [(&'static str, bool); 5] {
    [
        ("windows", spec.windows().is_some()),
        ("solaris", spec.solaris().is_some()),
        ("zos", spec.zos().is_some()),
        ("vm", spec.vm().is_some()),
        ("hooks", has_hooks(spec)),
    ]
}

fn linux_properties(linux: &Linux) -> [(&'static str, bool); 4] {
    let devices = linux.net_devices().as_ref();
    [
        ("linux.netDevices", devices.is_some_and(|devices| !devices.is_empty())),
        ("linux.intelRdt", linux.intel_rdt().is_some()),
        ("linux.memoryPolicy", linux.memory_policy().is_some()),
        ("linux.mountLabel", filled(linux.mount_label().as_ref())),
    ]
}

fn filled(text: Option<&String>) -> bool {
    text.is_some_and(|text| !text.is_empty())
}

fn has_hooks(spec: &Spec) -> bool {
    let Some(hooks) = spec.hooks() else {
        return false;
    };
    let lists = [
        hooks.prestart(),
        hooks.create_runtime(),
        hooks.create_container(),
        hooks.start_container(),
        hooks.poststart(),
        hooks.poststop(),
    ];
    lists.iter().any(|list| list.as_ref().is_some_and(|list| !list.is_empty()))
}
