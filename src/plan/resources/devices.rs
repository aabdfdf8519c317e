//! linux.resources.devices: which device nodes the container may use.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use crate::error::{Error, Result};
use crate::plan::{DeviceKind, DeviceRule};

/// What every container may use: the devices of config-linux.md ("Default
/// Devices"), terminals, and mknod of anything, for a node that cannot be
/// opened is only a name. Not 5:1, the console of the host: /dev/console in a
/// container is one of its own terminals (136).
const DEFAULTS: [(DeviceKind, Option<u32>, Option<u32>, &str); 10] = [
    (DeviceKind::Character, None, None, "m"),
    (DeviceKind::Block, None, None, "m"),
    (DeviceKind::Character, Some(1), Some(3), "rwm"), // null
    (DeviceKind::Character, Some(1), Some(5), "rwm"), // zero
    (DeviceKind::Character, Some(1), Some(7), "rwm"), // full
    (DeviceKind::Character, Some(1), Some(8), "rwm"), // random
    (DeviceKind::Character, Some(1), Some(9), "rwm"), // urandom
    (DeviceKind::Character, Some(5), Some(0), "rwm"), // tty
    (DeviceKind::Character, Some(5), Some(2), "rwm"), // ptmx
    (DeviceKind::Character, Some(136), None, "rwm"),  // pts/*
];

/// The rules that hold where the configuration has none.
pub fn default_devices() -> Vec<DeviceRule> {
    let rule = |(kind, major, minor, access)| allow(true, Some(kind), major, minor, access);
    DEFAULTS.map(rule).into()
}

/// The rules of the configuration with the default ones among them: behind the
/// last rule that speaks of every device (nearly always "deny all"), before
/// the rules for single devices, so that a single denial still wins. runc and
/// crun append them, so that there nobody can deny /dev/null or mknod.
pub(super) fn rules(list: &[LinuxDeviceCgroup]) -> Result<Vec<DeviceRule>> {
    let mut rules: Vec<DeviceRule> = list.iter().map(rule).collect::<Result<_>>()?;
    let all = |rule: &DeviceRule| (rule.kind, rule.major, rule.minor) == (None, None, None);
    let after = rules.iter().rposition(all).map_or(0, |last| last + 1);
    rules.splice(after..after, default_devices());
    Ok(rules)
}

/// A rule means what it says: `a 10:229` is 10:229 of both kinds. In v1, and
/// so in runc, `a` with any numbers means every device, which turns one
/// forgotten "type" into "allow everything"; crun reads it as here.
fn rule(rule: &LinuxDeviceCgroup) -> Result<DeviceRule> {
    let wrong = |problem: String| Error::config("linux.resources.devices", problem);
    let kind = match rule.typ() {
        None | Some(LinuxDeviceType::A) => None,
        Some(LinuxDeviceType::B) => Some(DeviceKind::Block),
        Some(LinuxDeviceType::C) => Some(DeviceKind::Character),
        Some(other) => return Err(wrong(format!("type {:?} is not a, b or c", other.as_str()))),
    };
    let number = |value: Option<i64>| match value {
        None | Some(-1) => Ok(None),
        Some(value) => u32::try_from(value)
            .map(Some)
            .map_err(|_| wrong(format!("{value} is not a device number"))),
    };
    let access = rule.access().as_deref().unwrap_or_default();
    if access.is_empty() || access.contains(|c| !matches!(c, 'r' | 'w' | 'm')) {
        return Err(wrong(format!("access {access:?} is not made of r, w and m")));
    }
    Ok(allow(rule.allow(), kind, number(rule.major())?, number(rule.minor())?, access))
}

fn allow(
    allow: bool,
    kind: Option<DeviceKind>,
    major: Option<u32>,
    minor: Option<u32>,
    access: &str,
) -> DeviceRule {
    DeviceRule {
        allow,
        kind,
        major,
        minor,
        read: access.contains('r'),
        write: access.contains('w'),
        mknod: access.contains('m'),
    }
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
