//! linux.devices, with the six that every container has (config-linux.md, Default Devices).
//! `/dev/console` and `/dev/ptmx` belong to the terminal and to devpts: no node is made.

use std::ffi::{CStr, CString};
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};

use super::{Device, DeviceKind, Namespaces, id_maps, strings};
use crate::error::{Error, Result};

/// Path, major and minor number of the default devices; all `rw-rw-rw-` and root's.
const DEFAULTS: [(&CStr, u32, u32); 6] = [
    (c"/dev/null", 1, 3),
    (c"/dev/zero", 1, 5),
    (c"/dev/full", 1, 7),
    (c"/dev/random", 1, 8),
    (c"/dev/urandom", 1, 9),
    (c"/dev/tty", 5, 0),
];

/// The kernel's dev_t: 12 bits and 20 bits. mknod(2) cuts off what is above, which
/// would turn one device into another.
const MAJOR_LIMIT: i64 = 0xfff;
const MINOR_LIMIT: i64 = 0xf_ffff;

/// The default devices and the configured ones; of the same path the configured one.
pub(super) fn devices(
    given: Option<&Vec<LinuxDevice>>,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Vec<Device>> {
    let mut configured: Vec<Device> = Vec::new();
    for (at, device) in given.into_iter().flatten().enumerate() {
        let property = format!("linux.devices[{at}]");
        let device = read(&property, device, namespaces)?;
        if *device.path == *c"/dev/ptmx" {
            // Privileged containers list every node of the host's /dev.
            warnings.push(format!("{property}: /dev/ptmx leads to the container's own devpts"));
            continue;
        }
        if configured.iter().any(|known| known.path == device.path) {
            return Err(Error::config(format!("{property}.path"), "is given twice"));
        }
        configured.push(device);
    }
    let defaults = DEFAULTS.iter().map(|(path, major, minor)| default(path, *major, *minor));
    let mut devices: Vec<Device> = defaults
        .filter(|device| configured.iter().all(|known| known.path != device.path))
        .collect();
    devices.append(&mut configured);
    Ok(devices)
}

fn default(path: &CStr, major: u32, minor: u32) -> Device {
    let (kind, mode) = (DeviceKind::Character, 0o666);
    Device { path: path.into(), kind, major, minor, mode, uid: 0, gid: 0 }
}

fn read(property: &str, given: &LinuxDevice, namespaces: &Namespaces) -> Result<Device> {
    let kind = match given.typ() {
        LinuxDeviceType::C | LinuxDeviceType::U => DeviceKind::Character,
        LinuxDeviceType::B => DeviceKind::Block,
        LinuxDeviceType::P => DeviceKind::Fifo,
        LinuxDeviceType::A => {
            return Err(Error::config(format!("{property}.type"), "\"a\" is no type of a node"));
        }
    };
    let number = |name: &str, value: i64, limit: i64| match u32::try_from(value) {
        _ if kind == DeviceKind::Fifo => Ok(0),
        Ok(number) if value <= limit => Ok(number),
        _ => {
            Err(Error::config(format!("{property}.{name}"), format!("{value} is not 0 to {limit}")))
        }
    };
    Ok(Device {
        path: path(&format!("{property}.path"), given.path())?,
        kind,
        major: number("major", given.major(), MAJOR_LIMIT)?,
        minor: number("minor", given.minor(), MINOR_LIMIT)?,
        mode: mode(&format!("{property}.fileMode"), given.file_mode(), kind)?,
        uid: id_maps::mapped(
            &format!("{property}.uid"),
            given.uid().unwrap_or(0),
            &namespaces.ids.uids,
        )?,
        gid: id_maps::mapped(
            &format!("{property}.gid"),
            given.gid().unwrap_or(0),
            &namespaces.ids.gids,
        )?,
    })
}

/// The path in one spelling, so that `//dev/./null` is seen to be /dev/null.
fn path(property: &str, given: &Path) -> Result<CString> {
    let path: PathBuf = given.components().collect();
    if path.components().any(|part| part == Component::ParentDir) || path == Path::new("/") {
        return Err(Error::config(property, format!("{} names no node", given.display())));
    }
    strings::absolute(property, &path)
}

/// Permission bits; 0666 where the configuration is silent, as in runc and crun. Engines that
/// copy st_mode leave the type in it, which then has to be the right one.
fn mode(property: &str, given: Option<u32>, kind: DeviceKind) -> Result<u32> {
    let mode = given.unwrap_or(0o666);
    let type_bits = match kind {
        DeviceKind::Character => 0o020_000,
        DeviceKind::Block => 0o060_000,
        DeviceKind::Fifo => 0o010_000,
    };
    match mode & !0o7777 {
        bits if bits == 0 || bits == type_bits => Ok(mode & 0o7777),
        _ => Err(Error::config(property, format!("{mode:#o} is not the mode of such a node"))),
    }
}
