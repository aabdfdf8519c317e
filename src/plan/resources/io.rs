//! linux.resources.blockIO, hugepageLimits and rdma: limits that name a device.

use std::collections::HashMap;

use oci_spec::runtime::{LinuxBlockIo, LinuxHugepageLimit, LinuxRdma, LinuxThrottleDevice};

use super::{Limits, refuse};
use crate::error::{Error, Result};

pub(super) fn limits(io: &LinuxBlockIo, limits: &mut Limits) -> Result<()> {
    let devices = io.weight_device().as_deref().unwrap_or_default();
    let leaf = |weight: Option<u16>| weight.is_some_and(|weight| weight != 0);
    let asked = [
        ("leafWeight", leaf(io.leaf_weight())),
        ("weightDevice.leafWeight", devices.iter().any(|device| leaf(device.leaf_weight()))),
    ];
    refuse("linux.resources.blockIO", &asked)?;
    weight("default", "weight", io.weight(), limits)?;
    for device in devices {
        let name = device_name("weightDevice", device.major(), device.minor())?;
        weight(&name, "weightDevice.weight", device.weight(), limits)?;
    }
    throttle("throttleReadBpsDevice", "rbps", io.throttle_read_bps_device().as_deref(), limits)?;
    throttle("throttleWriteBpsDevice", "wbps", io.throttle_write_bps_device().as_deref(), limits)?;
    throttle("throttleReadIOPSDevice", "riops", io.throttle_read_iops_device().as_deref(), limits)?;
    throttle("throttleWriteIOPSDevice", "wiops", io.throttle_write_iops_device().as_deref(), limits)
}

/// Which file carries a weight depends on the scheduler that the kernel has:
/// io.weight (1 to 10000) belongs to iocost, io.bfq.weight (1 to 1000) to BFQ.
/// Both are planned; a machine needs to have one of them. 10 to 1000 becomes
/// 1 to 10000 by the linear formula of runc and crun; 0 is "not set".
fn weight(device: &str, property: &str, weight: Option<u16>, limits: &mut Limits) -> Result<()> {
    let Some(weight) = weight.filter(|weight| *weight != 0) else {
        return Ok(());
    };
    if !(10..=1000).contains(&weight) {
        let property = format!("linux.resources.blockIO.{property}");
        return Err(Error::config(property, format!("{weight} is not between 10 and 1000")));
    }
    let converted = 1 + (u32::from(weight) - 10) * 9999 / 990;
    limits.push(("io.weight".into(), format!("{device} {converted}")));
    limits.push(("io.bfq.weight".into(), format!("{device} {weight}")));
    Ok(())
}

/// One line a device and a direction; a rate of 0 means "no limit" in v1, `max` in v2.
fn throttle(
    property: &str,
    key: &str,
    devices: Option<&[LinuxThrottleDevice]>,
    limits: &mut Limits,
) -> Result<()> {
    for device in devices.unwrap_or_default() {
        let name = device_name(property, device.major(), device.minor())?;
        let rate = match device.rate() {
            0 => "max".to_owned(),
            rate => rate.to_string(),
        };
        limits.push(("io.max".into(), format!("{name} {key}={rate}")));
    }
    Ok(())
}

fn device_name(property: &str, major: i64, minor: i64) -> Result<String> {
    if u32::try_from(major).is_ok() && u32::try_from(minor).is_ok() {
        return Ok(format!("{major}:{minor}"));
    }
    let property = format!("linux.resources.blockIO.{property}");
    Err(Error::config(property, format!("{major}:{minor} is not a device")))
}

/// The name of the page size becomes part of a file name, so it is checked to
/// be one and no more: `2MB/../../x` would leave the container's directory.
/// `.max` counts pages when they are touched, `.rsvd.max` (Linux 5.7) already
/// when they are reserved; the specification wants the second where it exists.
pub(super) fn hugepages(list: Option<&[LinuxHugepageLimit]>, limits: &mut Limits) -> Result<()> {
    for limit in list.unwrap_or_default() {
        let size = limit.page_size();
        let digits = size.trim_end_matches(|c: char| !c.is_ascii_digit());
        let number = digits.bytes().all(|c| c.is_ascii_digit()) && !digits.starts_with('0');
        if !number || digits.is_empty() || !matches!(&size[digits.len()..], "KB" | "MB" | "GB") {
            let problem = format!("{size:?} is not a size such as 2MB");
            return Err(Error::config("linux.resources.hugepageLimits.pageSize", problem));
        }
        let bytes = super::bytes("linux.resources.hugepageLimits.limit", limit.limit())?;
        limits.push((format!("hugetlb.{size}.max"), bytes.clone()));
        limits.push((format!("hugetlb.{size}.rsvd.max"), bytes));
    }
    Ok(())
}

/// One line a device of InfiniBand.
pub(super) fn rdma(map: Option<&HashMap<String, LinuxRdma>>, limits: &mut Limits) -> Result<()> {
    let mut devices: Vec<_> = map.into_iter().flatten().collect();
    devices.sort_by_key(|(name, _)| name.as_str());
    for (name, limit) in devices {
        let wrong =
            |problem: &str| Err(Error::config(format!("linux.resources.rdma[{name:?}]"), problem));
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return wrong("is not the name of a device");
        }
        let mut line = vec![name.clone()];
        for (key, value) in
            [("hca_handle", limit.hca_handles()), ("hca_object", limit.hca_objects())]
        {
            if let Some(value) = value {
                line.push(format!("{key}={value}"));
            }
        }
        if line.len() == 1 {
            return wrong("needs hcaHandles, hcaObjects or both");
        }
        limits.push(("rdma.max".into(), line.join(" ")));
    }
    Ok(())
}
