//! What jec can do, in the words of the specification (features.md), from the tables
//! that read config.json: what it tells is what is there.

use oci_spec::runtime::LinuxSeccompAction::{
    ScmpActAllow, ScmpActErrno, ScmpActKill, ScmpActKillProcess, ScmpActKillThread, ScmpActLog,
    ScmpActNotify, ScmpActTrace, ScmpActTrap,
};
use oci_spec::runtime::LinuxSeccompFilterFlag::{
    SeccompFilterFlagLog, SeccompFilterFlagSpecAllow, SeccompFilterFlagTsync,
    SeccompFilterFlagWaitKillableRecv,
};
use oci_spec::runtime::LinuxSeccompOperator::{
    ScmpCmpEq, ScmpCmpGe, ScmpCmpGt, ScmpCmpLe, ScmpCmpLt, ScmpCmpMaskedEq, ScmpCmpNe,
};
use serde_json::{Value, json};

use super::config::mount_options::{PLAIN, find};
use super::config::{KNOWN, namespaces, numbers, seccomp};
use crate::error::Result;
use crate::sys::seccomp::flags_supported;

/// In the order in which they run.
const HOOKS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// The whole structure.
pub fn all() -> Result<Value> {
    let words = PLAIN.iter().flat_map(|(words, _)| words.split(' '));
    let words = words.flat_map(|word| [word.to_owned(), format!("r{word}")]);
    let mut mount_options: Vec<_> = words.filter(|word| find(word).is_some()).collect();
    mount_options.sort();
    Ok(json!({
        "ociVersionMin": format!("{}.0.0", KNOWN.major),
        "ociVersionMax": KNOWN.to_string(),
        "hooks": HOOKS,
        "mountOptions": mount_options,
        "linux": linux(&mount_options)?,
        "potentiallyUnsafeConfigAnnotations": ["jec.overlay."],
    }))
}

fn linux(mount_options: &[String]) -> Result<Value> {
    let mut capabilities: Vec<_> = caps::all().into_iter().collect();
    capabilities.sort_by_key(caps::Capability::index);
    let names = capabilities.iter().map(ToString::to_string);
    Ok(json!({
        "namespaces": namespaces::ORDER,
        "capabilities": names.collect::<Vec<_>>(),
        "cgroup": {"v1": false, "v2": true, "systemd": true, "systemdUser": true, "rdma": true},
        "seccomp": filters()?,
        "apparmor": {"enabled": true},
        "selinux": {"enabled": true},
        "memoryPolicy": {
            "modes": numbers::MODES.split(' ').collect::<Vec<_>>(),
            "flags": numbers::FLAGS.split(' ').collect::<Vec<_>>(),
        },
        "intelRdt": {"enabled": true, "schemata": true, "monitoring": true},
        "mountExtensions": {"idmap": {"enabled": mount_options.contains(&"idmap".to_owned())}},
        "netDevices": {"enabled": true},
    }))
}

/// The one part where the kernel is asked: for the flags.
fn filters() -> Result<Value> {
    let known = [
        SeccompFilterFlagTsync,
        SeccompFilterFlagLog,
        SeccompFilterFlagSpecAllow,
        SeccompFilterFlagWaitKillableRecv,
    ];
    let mut supported = Vec::new();
    for flag in known {
        // As with a listener: for without one, a flag may mean nothing.
        if flags_supported(seccomp::flags(&[flag], true))? {
            supported.push(flag);
        }
    }
    // The other interfaces stay closed, listed or not.
    let archs = if cfg!(target_arch = "aarch64") {
        &["SCMP_ARCH_AARCH64"][..]
    } else {
        &["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    };
    Ok(json!({
        "enabled": true,
        "actions": [
            ScmpActAllow, ScmpActErrno, ScmpActKill, ScmpActKillProcess, ScmpActKillThread,
            ScmpActLog, ScmpActNotify, ScmpActTrace, ScmpActTrap,
        ],
        "operators": [
            ScmpCmpEq, ScmpCmpGe, ScmpCmpGt, ScmpCmpLe, ScmpCmpLt, ScmpCmpMaskedEq, ScmpCmpNe,
        ],
        "archs": archs,
        "knownFlags": known,
        "supportedFlags": supported,
    }))
}
