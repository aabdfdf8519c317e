//! Devices: the nodes of linux.devices, and who may use which, linux.resources.devices.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType};

use super::property::{absolute, each, ensure, inside, within};
use super::{Device, DeviceKind, DeviceRule, Namespaces, id_maps};
use crate::error::{Error, Result};

/// Path, major and minor number of the nodes that every container has (config-linux.md, Default
/// Devices); all `rw-rw-rw-` and root's. `/dev/console` and `/dev/ptmx` belong to the terminal
/// and to devpts: no node is made.
const NODES: [(&CStr, u32, u32); 6] = [
    (c"/dev/null", 1, 3),
    (c"/dev/zero", 1, 5),
    (c"/dev/full", 1, 7),
    (c"/dev/random", 1, 8),
    (c"/dev/urandom", 1, 9),
    (c"/dev/tty", 5, 0),
];

/// The kernel's dev_t: 12 bits and 20 bits. mknod(2) cuts off what is above, which
/// would turn one device into another.
const MAJOR_LIMIT: i128 = 0xfff;
const MINOR_LIMIT: i128 = 0xf_ffff;

/// The default nodes and the configured ones; of the same path the configured one.
pub(super) fn devices(
    given: Option<&Vec<LinuxDevice>>,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Vec<Device>> {
    let mut paths = HashSet::new();
    let mut configured = each("linux.devices", given, |device| {
        let device = node(device, namespaces)?;
        ensure(paths.insert(device.path.clone()), "path", "is given twice")?;
        Ok(device)
    })?;
    // Privileged containers list every node of the host's /dev.
    if let Some(at) = configured.iter().position(|device| *device.path == *c"/dev/ptmx") {
        warnings
            .push(format!("linux.devices[{at}]: /dev/ptmx leads to the container's own devpts"));
        configured.remove(at);
    }
    let defaults = NODES.into_iter().filter(|(path, ..)| !paths.contains(*path)).map(default_node);
    Ok(defaults.chain(configured).collect())
}

fn default_node((path, major, minor): (&CStr, u32, u32)) -> Device {
    let (kind, mode) = (DeviceKind::Character, 0o666);
    Device { path: path.into(), kind, major, minor, mode, uid: 0, gid: 0 }
}

fn node(given: &LinuxDevice, namespaces: &Namespaces) -> Result<Device> {
    let no_type = || Error::config("type", "\"a\" is no type of a node");
    let kind = kind(given.typ()).ok_or_else(no_type)?;
    let number = |name: &str, value: i64, limit: i128| match kind {
        DeviceKind::Fifo => Ok(0),
        _ => within(name, value, 0..=limit),
    };
    let (ids, uid, gid) = (&namespaces.ids, given.uid().unwrap_or(0), given.gid().unwrap_or(0));
    Ok(Device {
        path: path(given.path()).map_err(inside("path"))?,
        kind,
        major: number("major", given.major(), MAJOR_LIMIT)?,
        minor: number("minor", given.minor(), MINOR_LIMIT)?,
        mode: mode(given.file_mode(), kind)?,
        uid: id_maps::mapped(uid, &ids.uids).map_err(inside("uid"))?,
        gid: id_maps::mapped(gid, &ids.gids).map_err(inside("gid"))?,
    })
}

/// None: any kind.
fn kind(given: LinuxDeviceType) -> Option<DeviceKind> {
    match given {
        LinuxDeviceType::A => None,
        LinuxDeviceType::B => Some(DeviceKind::Block),
        LinuxDeviceType::C | LinuxDeviceType::U => Some(DeviceKind::Character),
        LinuxDeviceType::P => Some(DeviceKind::Fifo),
    }
}

/// The path in one spelling, so that `//dev/./null` is seen to be /dev/null.
fn path(given: &Path) -> Result<CString> {
    let path: PathBuf = given.components().collect();
    let leads_away = path.components().any(|part| part == Component::ParentDir);
    let names_node = !leads_away && path != Path::new("/");
    ensure(names_node, "", format!("{} names no node", given.display()))?;
    absolute(path)
}

/// Permission bits; 0666 where the configuration is silent, as in runc and crun. Engines that
/// copy st_mode leave the type in it, which then has to be the right one.
fn mode(given: Option<u32>, kind: DeviceKind) -> Result<u32> {
    let mode = given.unwrap_or(0o666);
    let type_bits = match kind {
        DeviceKind::Character => 0o020_000,
        DeviceKind::Block => 0o060_000,
        DeviceKind::Fifo => 0o010_000,
    };
    let fits = [0, type_bits].contains(&(mode & !0o7777));
    ensure(fits, "fileMode", format!("{mode:#o} is not the mode of such a node"))?;
    Ok(mode & 0o7777)
}

/// What every container may use: its nodes, terminals, and mknod of anything, for a node that
/// cannot be opened is only a name. Not 5:1, the console of the host: /dev/console in a
/// container is one of its own terminals (136).
pub fn default_rules() -> Vec<DeviceRule> {
    let (major, minor) = (None, None);
    let (kind, mknod) = (Some(DeviceKind::Character), true);
    let any = DeviceRule { allow: true, kind, major, minor, read: false, write: false, mknod };
    let blocks = DeviceRule { kind: Some(DeviceKind::Block), ..any };
    let open =
        |major, minor| DeviceRule { major: Some(major), minor, read: true, write: true, ..any };
    let all = NODES.iter().map(|(_, major, minor)| open(*major, Some(*minor)));
    let (ptmx, pts) = (open(5, Some(2)), open(136, None));
    [any, blocks].into_iter().chain(all).chain([ptmx, pts]).collect()
}

/// The rules of the configuration with the default ones among them: behind the
/// last rule that speaks of every device (nearly always "deny all"), before
/// the rules for single devices, so that a single denial still wins. runc and
/// crun append them, so that there nobody can deny /dev/null or mknod.
pub(super) fn rules(given: Option<&Vec<LinuxDeviceCgroup>>) -> Result<Vec<DeviceRule>> {
    let mut rules = each("linux.resources.devices", given, rule)?;
    let all = |rule: &DeviceRule| (rule.kind, rule.major, rule.minor) == (None, None, None);
    let after = rules.iter().rposition(all).map_or(0, |last| last + 1);
    rules.splice(after..after, default_rules());
    Ok(rules)
}

/// A rule means what it says: `a 10:229` is 10:229 of both kinds. In v1, and
/// so in runc, `a` with any numbers means every device, which turns one
/// forgotten "type" into "allow everything"; crun reads it as here.
fn rule(given: &LinuxDeviceCgroup) -> Result<DeviceRule> {
    let typ = given.typ().unwrap_or_default();
    let is_ruled = !matches!(typ, LinuxDeviceType::U | LinuxDeviceType::P);
    ensure(is_ruled, "type", format!("{:?} is not a, b or c", typ.as_str()))?;
    let number = |name: &str, value: Option<i64>| match value {
        None | Some(-1) => Ok(None),
        Some(value) => within(name, value, 0..=u32::MAX.into()).map(Some),
    };
    let (major, minor) = (number("major", given.major())?, number("minor", given.minor())?);
    let access = given.access().as_deref().unwrap_or_default();
    let is_access = !access.is_empty() && access.chars().all(|letter| "rwm".contains(letter));
    ensure(is_access, "access", format!("{access:?} is not made of r, w and m"))?;
    let [read, write, mknod] = ['r', 'w', 'm'].map(|letter| access.contains(letter));
    Ok(DeviceRule { allow: given.allow(), kind: kind(typ), major, minor, read, write, mknod })
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
