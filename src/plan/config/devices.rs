//! Devices: the nodes of linux.devices, who may use which, linux.resources.devices, and the
//! network devices of linux.netDevices.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{LinuxDeviceType as Type, LinuxNamespaceType::Network};

use super::namespaces;
use super::property::Property;
use crate::error::Result;
use crate::plan::{Device, DeviceKind, DeviceRule, Namespaces};

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
    linux: &Property,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Vec<Device>> {
    let mut paths = HashSet::new();
    let mut configured = linux.each("devices", |given| {
        let device = node(given, namespaces)?;
        given.at("path")?.ensure(paths.insert(device.path.clone()), "is given twice")?;
        if *device.path == *c"/dev/ptmx" {
            warnings.push(given.warning("/dev/ptmx leads to the container's own devpts"));
        }
        Ok(device)
    })?;
    // Privileged containers list every node of the host's /dev.
    configured.retain(|device| *device.path != *c"/dev/ptmx");
    let defaults =
        NODES.into_iter().filter(|(path, ..)| !paths.contains(*path)).map(Device::open_to_all);
    Ok(defaults.chain(configured).collect())
}

fn node(given: &Property, namespaces: &Namespaces) -> Result<Device> {
    let typ = given.at("type")?;
    let kind = kind(typ.read()?).ok_or_else(|| typ.wrong("\"a\" is no type of a node"))?;
    let number = |name: &str, limit| match kind {
        DeviceKind::Fifo => Ok(0),
        _ => given.at(name)?.within(0..=limit),
    };
    let (uid, gid, ids) = (given.at("uid")?, given.at("gid")?, &namespaces.ids);
    Ok(Device {
        path: path(&given.at("path")?)?,
        kind,
        major: number("major", MAJOR_LIMIT)?,
        minor: number("minor", MINOR_LIMIT)?,
        mode: mode(given, kind)?,
        uid: namespaces::mapped(&uid, given.get("uid")?.unwrap_or(0), &ids.uids)?,
        gid: namespaces::mapped(&gid, given.get("gid")?.unwrap_or(0), &ids.gids)?,
    })
}

/// None: any kind.
fn kind(given: Type) -> Option<DeviceKind> {
    match given {
        Type::A => None,
        Type::B => Some(DeviceKind::Block),
        Type::C | Type::U => Some(DeviceKind::Character),
        Type::P => Some(DeviceKind::Fifo),
    }
}

/// The path in one spelling, so that `//dev/./null` is seen to be /dev/null.
fn path(given: &Property) -> Result<CString> {
    given.absolute()?;
    let path: PathBuf = given.read::<PathBuf>()?.components().collect();
    let leads_away = path.components().any(|part| part == Component::ParentDir);
    let names_node = !leads_away && path != Path::new("/");
    given.ensure(names_node, format!("{} names no node", path.display()))?;
    given.to_c_string(path)
}

/// Permission bits; 0666 where the configuration is silent, as in runc and crun. Engines that
/// copy st_mode leave the type in it, which then has to be the right one.
fn mode(given: &Property, kind: DeviceKind) -> Result<u32> {
    let mode = given.get("fileMode")?.unwrap_or(0o666);
    let fits = [0, kind as u32].contains(&(mode & !0o7777));
    let problem = format!("{mode:#o} is not the mode of such a node");
    given.at("fileMode")?.ensure(fits, problem)?;
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
pub(super) fn rules(linux: &Property) -> Result<Vec<DeviceRule>> {
    let mut rules = linux.each("resources.devices", rule)?;
    let all = |rule: &DeviceRule| (rule.kind, rule.major, rule.minor) == (None, None, None);
    let after = rules.iter().rposition(all).map_or(0, |last| last + 1);
    rules.splice(after..after, default_rules());
    Ok(rules)
}

/// A rule means what it says: `a 10:229` is 10:229 of both kinds. In v1, and
/// so in runc, `a` with any numbers means every device, which turns one
/// forgotten "type" into "allow everything"; crun reads it as here.
fn rule(given: &Property) -> Result<DeviceRule> {
    let typ = given.get("type")?.unwrap_or(Type::A);
    let is_ruled = !matches!(typ, Type::U | Type::P);
    given.at("type")?.ensure(is_ruled, format!("{:?} is not a, b or c", typ.as_str()))?;
    let number = |name| match given.get(name)? {
        None | Some(-1) => Ok(None),
        Some(_) => given.at(name)?.within(0..=u32::MAX.into()).map(Some),
    };
    let access: String = given.get("access")?.unwrap_or_default();
    let is_access = !access.is_empty() && access.chars().all(|letter| "rwm".contains(letter));
    let problem = format!("{access:?} is not made of r, w and m");
    given.at("access")?.ensure(is_access, problem)?;
    let [read, write, mknod] = ['r', 'w', 'm'].map(|letter| access.contains(letter));
    let (allow, major, minor) = (given.at("allow")?.read()?, number("major")?, number("minor")?);
    Ok(DeviceRule { allow, kind: kind(typ), major, minor, read, write, mknod })
}

/// linux.netDevices: names on the host, and inside.
pub(super) fn network(
    linux: &Property,
    namespaces: &Namespaces,
) -> Result<Vec<(CString, CString)>> {
    let mut seen = HashSet::new();
    linux.each_entry("netDevices", |device, given| {
        let problem = "needs a network namespace of the container's own to move it to";
        given.ensure(namespaces::is_own(given, namespaces, Network)?, problem)?;
        // An empty name is an absent one: Go's encoder cannot tell them apart.
        let name = given.get::<String>("name")?.filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| device.into());
        given.ensure(is_name(&name), format!("{name:?} is no name that a device can have"))?;
        let is_free = name.ends_with("%d") || seen.insert(name.clone());
        given.ensure(is_free, format!("another device is to be called {name:?} already"))?;
        Ok((given.to_c_string(device)?, given.to_c_string(name)?))
    })
}

/// What dev_valid_name() of the kernel takes (IFNAMSIZ is 16), and `%d` at the end, of which
/// it makes a number.
fn is_name(name: &str) -> bool {
    let stem = name.strip_suffix("%d").unwrap_or(name);
    let is_plain = |byte: u8| !byte.is_ascii_whitespace() && !b"/:%".contains(&byte);
    name.len() < 16 && stem.bytes().all(is_plain) && !matches!(name, "" | "." | "..")
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
