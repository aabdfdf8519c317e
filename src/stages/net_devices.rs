//! Net devices: devices of the host that move into the container.
//!
//! A network device lives in exactly one network namespace, and can be sent to
//! another: hardware as well as one end of a veth pair. The kernel takes it
//! down and forgets its addresses; jec reads the lasting ones before, and says
//! them again inside, where the device has its new name and is up. Nothing is
//! moved back: with its namespace, hardware goes to the first one and a virtual
//! device is destroyed. Side: runtime. Without it: loopback, or what an engine
//! has put there. See network_namespaces(7), rtnetlink(7), veth(4);
//! config-linux.md, "Network Devices".

use std::ffi::CStr;
use std::os::fd::AsFd;

use super::mount_sources::namespace_of;
use crate::error::{Error, Result, ensure};
use crate::sides::{Runtime, needed};
use crate::sys::netlink::{self, Link};

/// Moves every device of the list. All are looked for before the first one goes: where the
/// second is missing, the namespace ends, and a virtual device with it.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let (proc, devices) = (runtime.proc.as_fd(), &runtime.plan.net_devices);
    let theirs = namespace_of(proc, runtime.init()?.pid, "net")?;
    let inside = netlink::open_in(&theirs, &namespace_of(proc, "self", "net")?)?;
    let (host, inside) = (&netlink::open()?, inside.as_fd());
    let (here, mut there) = (netlink::links(host.as_fd())?, netlink::links(inside)?);
    let found = devices.iter().map(|(device, name)| find(device, name, &here, &there));
    for (index, (_, name)) in found.collect::<Result<Vec<_>>>()?.into_iter().zip(devices) {
        let addresses = netlink::addresses(host.as_fd(), index)?;
        netlink::move_link(host.as_fd(), index, theirs.as_fd(), name)?;
        let now = netlink::links(inside)?;
        // Of `%d` the kernel has made a number.
        let has = |link: &Link| *link.name == **name || name.to_bytes().ends_with(b"%d");
        let new = now.iter().find(|link| has(link) && !there.contains(link));
        let link = needed(new, "the device, now inside,")?;
        let add = |address: &Vec<u8>| netlink::add_address(inside, link.index, name, address);
        addresses.iter().try_for_each(add)?;
        there = now;
    }
    Ok(())
}

/// The number of the device on the host, if it is there and its name inside is free.
fn find(device: &CStr, name: &CStr, here: &[Link], there: &[Link]) -> Result<u32> {
    let property = format!("linux.netDevices.{}", device.to_string_lossy());
    let taken = format!("there is a {name:?} inside already; one that ends in %d is always free");
    ensure(!there.iter().any(|link| *link.name == *name), || Error::config(&property, taken))?;
    let found = here.iter().find(|link| *link.name == *device).map(|link| link.index);
    let problem = "is no network device here; `ip link` lists them";
    found.ok_or_else(|| Error::config(property, problem))
}
