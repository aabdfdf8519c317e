//! linux.resources and linux.cgroupsPath: the v1 words of the specification,
//! turned into the files of cgroup v2.
//!
//! The specification still speaks cgroup v1 ("shares", "memory + swap"). Its
//! section "Unified" says what a runtime on v2 does with such words: it may
//! convert, and where no conversion exists it MUST fail. So every property
//! here becomes `(file, value)`; those that v2 has nothing for are refused by
//! their names in `rules`.
//!
//! More: runtime-spec config-linux.md, "Control groups"; Linux
//! Documentation/admin-guide/cgroup-v2.rst; the chapter "cgroup".

#[cfg(test)]
pub(super) mod tests;

use oci_spec::runtime::{
    Linux, LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxRdma, LinuxResources,
};

pub use super::devices::default_rules as default_devices;
use super::property::{each, each_entry, ensure, inside, within};
use super::{Cgroup, devices};
use crate::error::{Error, Result};

/// A file and what is written into it.
type Limit = (String, String);

/// The files of the cgroup itself, which are jec's: `cgroup.procs` would move
/// a process of the host, `cgroup.freeze` would stop init before it is init.
const OURS: [&str; 6] = [
    "cgroup.freeze",
    "cgroup.kill",
    "cgroup.procs",
    "cgroup.subtree_control",
    "cgroup.threads",
    "cgroup.type",
];

/// The plan of the cgroup: its path, its limits as files of cgroup v2, and the
/// device rules, to which those of the devices that every container has are added.
pub fn cgroup(linux: &Linux) -> Result<Cgroup> {
    let path = linux.cgroups_path().as_ref();
    let resources = linux.resources().as_ref();
    let limits = resources.map(limits).transpose().map_err(inside("linux.resources"))?;
    Ok(Cgroup {
        path: path.map(|path| checked_path(path.to_str())).transpose()?,
        limits: limits.unwrap_or_default(),
        devices: devices::rules(resources.and_then(|resources| resources.devices().as_ref()))?,
    })
}

/// A path that names one place below the cgroup2 mount, and cannot leave it.
/// Absolute: from the mount; relative: below jec's own cgroup.
fn checked_path(path: Option<&str>) -> Result<String> {
    let wrong = |problem: &str| Err(Error::config("linux.cgroupsPath", problem));
    let Some(path) = path else {
        return wrong("is not UTF-8");
    };
    if !path.starts_with('/') && path.matches(':').count() == 2 {
        return wrong(
            "slice:prefix:name is the form of the systemd driver, which needs --systemd-cgroup",
        );
    }
    let below = path.strip_prefix('/').unwrap_or(path);
    for component in below.split('/') {
        match component {
            "" => return wrong("has an empty component; the root cgroup itself has no limits"),
            "." | ".." => return wrong("must not contain \".\" or \"..\""),
            long if long.len() > 255 => return wrong("has a component of more than 255 bytes"),
            // The kernel refuses only the newline, which would forge lines of /proc/PID/cgroup.
            odd if odd.contains(char::is_control) => return wrong("has a control character"),
            _ => {}
        }
    }
    Ok(path.to_owned())
}

/// `unified` comes last: it is the more precise word, so it wins.
fn limits(resources: &LinuxResources) -> Result<Vec<Limit>> {
    let memory = resources.memory().unwrap_or_default();
    let cpu = resources.cpu().clone().unwrap_or_default();
    let pids = resources.pids().map(|pids| pids.limit());
    let files = [
        // runc reads 0 as "not set", crun writes it: the one drops a limit, the
        // other kills the first process. Neither is what somebody meant.
        ("memory.max", or_max("memory.limit", memory.limit(), 1)?),
        ("memory.swap.max", or_max("memory.swap", swap_only(memory)?, 0)?),
        ("memory.low", or_max("memory.reservation", memory.reservation(), 0)?),
        ("cpu.weight", cpu.shares().filter(|shares| *shares != 0).map(weight)),
        ("cpu.max", bandwidth(&cpu)),
        ("cpu.max.burst", burst(&cpu)?),
        // After the weight: an idle cgroup has none, and the kernel refuses one (EINVAL).
        ("cpu.idle", idle(&cpu)?),
        ("cpuset.cpus", cpuset(cpu.cpus().as_deref()).map_err(inside("cpu.cpus"))?),
        ("cpuset.mems", cpuset(cpu.mems().as_deref()).map_err(inside("cpu.mems"))?),
        // Since runtime-spec 1.3 only -1 means "no limit" and 0 is a number like any
        // other (runtime-spec #1279, runc 1.4); before, 0 was "no limit" as well. A
        // cgroup for no process at all cannot start one, so 0 is refused either way.
        ("pids.max", or_max("pids.limit", pids, 1)?),
    ];
    let files = files.into_iter().filter_map(|(file, value)| Some((file.to_owned(), value?)));
    let io = resources.block_io().as_ref().map(block_io).transpose().map_err(inside("blockIO"))?;
    let hugepages = each("hugepageLimits", resources.hugepage_limits(), hugepages)?;
    let rdma = each_entry("rdma", resources.rdma(), rdma)?;
    let unified = each_entry("unified", resources.unified(), |file, text| unified(file, text))?;
    let others = [io.unwrap_or_default(), hugepages.concat(), rdma, unified.concat()];
    Ok(files.chain(others.into_iter().flatten()).collect())
}

/// A number from `least` on, or `max` for -1.
fn or_max(name: &str, value: Option<i64>, least: i64) -> Result<Option<String>> {
    let problem = |value| format!("{value} is neither {least} or more, nor -1 for no limit");
    match value {
        Some(-1) => Ok(Some("max".into())),
        Some(value) if value < least => Err(Error::config(name, problem(value))),
        value => Ok(value.map(|value| value.to_string())),
    }
}

/// v1 counts memory and swap together, v2 counts swap alone.
fn swap_only(memory: LinuxMemory) -> Result<Option<i64>> {
    let (both, limit) = match (memory.swap(), memory.limit()) {
        (swap @ (None | Some(-1)), _) => return Ok(swap),
        (Some(_), None | Some(-1)) => {
            return Err(Error::config("memory.swap", "is memory + swap, so it needs memory.limit"));
        }
        (Some(both), Some(limit)) => (both, limit),
    };
    let problem = "is memory + swap, so it cannot be less than memory.limit";
    ensure(both >= limit, "memory.swap", problem)?;
    Ok(Some(both.saturating_sub(limit)))
}

/// shares (2 to 262144, usually 1024) as weight (1 to 10000, usually 100).
///
/// The older, linear conversion turned 1024 into 39, so that a container of
/// usual shares got less than half of what a service beside it gets. runc 1.3.2
/// and crun 1.23 (2025) use a curve through the three pairs (2, 1), (1024, 100)
/// and (262144, 10000): a parabola in the exponents. Kubernetes issue 131216.
fn weight(shares: u64) -> String {
    let Ok(shares @ 3..262_144) = u32::try_from(shares) else {
        return if shares <= 2 { "1" } else { "10000" }.into();
    };
    let log = f64::from(shares).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    format!("{:.0}", 10_f64.powf(exponent).ceil())
}

/// In shares, quota and period 0 is "not set", as in runc and crun: the engines write it so. v1
/// writes any negative number for "no quota"; 100 ms is the kernel's own period.
fn bandwidth(cpu: &LinuxCpu) -> Option<String> {
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    if quota.is_none() && period.is_none() {
        return None;
    }
    let quota = quota.filter(|quota| *quota > 0).map_or("max".into(), |quota| quota.to_string());
    Some(format!("{quota} {}", period.unwrap_or(100_000)))
}

fn burst(cpu: &LinuxCpu) -> Result<Option<String>> {
    let quota = cpu.quota().filter(|quota| *quota > 0).map_or(u64::MAX, i64::unsigned_abs);
    let fits = cpu.burst().is_none_or(|burst| burst <= quota);
    ensure(fits, "cpu.burst", "is larger than cpu.quota")?;
    Ok(cpu.burst().map(|burst| burst.to_string()))
}

fn idle(cpu: &LinuxCpu) -> Result<Option<String>> {
    let idle = cpu.idle().map(|idle| within::<u8>("cpu.idle", idle, 0..=1)).transpose()?;
    Ok(idle.map(|idle| idle.to_string()))
}

/// A list such as `0-3,8`; an empty one asks for nothing. The kernel checks the numbers.
fn cpuset(list: Option<&str>) -> Result<Option<String>> {
    let list = list.map(str::trim).filter(|list| !list.is_empty());
    let plain = |c: char| c.is_ascii_digit() || matches!(c, ',' | '-' | ':' | '/');
    let is_list = list.is_none_or(|list| list.chars().all(plain));
    ensure(is_list, "", format!("{:?} is not a list such as 0-3,8", list.unwrap_or_default()))?;
    Ok(list.map(str::to_owned))
}

fn block_io(io: &LinuxBlockIo) -> Result<Vec<Limit>> {
    let own = weights("default", io.weight())?;
    let of_devices = each("weightDevice", io.weight_device(), |given| {
        weights(&device_name(given.major(), given.minor())?, given.weight())
    })?;
    let throttles = [
        ("throttleReadBpsDevice", "rbps", io.throttle_read_bps_device()),
        ("throttleWriteBpsDevice", "wbps", io.throttle_write_bps_device()),
        ("throttleReadIOPSDevice", "riops", io.throttle_read_iops_device()),
        ("throttleWriteIOPSDevice", "wiops", io.throttle_write_iops_device()),
    ];
    let mut limits = [own, of_devices.concat()].concat();
    for (property, key, list) in throttles {
        limits.extend(each(property, list, |given| {
            let device = device_name(given.major(), given.minor())?;
            // A rate of 0 means "no limit" in v1.
            let rate = Some(given.rate()).filter(|rate| *rate != 0);
            let rate = rate.map_or("max".into(), |rate| rate.to_string());
            Ok(("io.max".into(), format!("{device} {key}={rate}")))
        })?);
    }
    Ok(limits)
}

fn device_name(major: i64, minor: i64) -> Result<String> {
    let number = |name, value| within::<u32>(name, value, 0..=u32::MAX.into());
    Ok(format!("{}:{}", number("major", major)?, number("minor", minor)?))
}

/// Which file carries a weight depends on the scheduler that the kernel has:
/// io.weight (1 to 10000) belongs to iocost, io.bfq.weight (1 to 1000) to BFQ.
/// Both are planned; a machine needs to have one of them. 10 to 1000 becomes
/// 1 to 10000 by the linear formula of runc and crun; 0 is "not set".
fn weights(device: &str, weight: Option<u16>) -> Result<Vec<Limit>> {
    let Some(weight) = weight.filter(|weight| *weight != 0) else {
        return Ok(Vec::new());
    };
    let weight: u32 = within("weight", weight, 10..=1000)?;
    let converted = 1 + (weight - 10) * 9999 / 990;
    Ok(vec![
        ("io.weight".into(), format!("{device} {converted}")),
        ("io.bfq.weight".into(), format!("{device} {weight}")),
    ])
}

/// The name of the page size becomes part of a file name, so it is checked to
/// be one and no more: `2MB/../../x` would leave the container's directory.
/// `.max` counts pages when they are touched, `.rsvd.max` (Linux 5.7) already
/// when they are reserved; the specification wants the second where it exists.
fn hugepages(given: &LinuxHugepageLimit) -> Result<Vec<Limit>> {
    let size = given.page_size();
    let unit = size.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_number = unit.len() < size.len() && !size.starts_with('0');
    let is_size = is_number && matches!(unit, "KB" | "MB" | "GB");
    ensure(is_size, "pageSize", format!("{size:?} is not a size such as 2MB"))?;
    let bytes = or_max("limit", Some(given.limit()), 0)?.unwrap_or_default();
    let files = [format!("hugetlb.{size}.max"), format!("hugetlb.{size}.rsvd.max")];
    Ok(files.map(|file| (file, bytes.clone())).into())
}

/// One line a device of InfiniBand.
fn rdma(name: &str, given: &LinuxRdma) -> Result<Limit> {
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    ensure(is_name, "", "is not the name of a device")?;
    let counts = [("hca_handle", given.hca_handles()), ("hca_object", given.hca_objects())];
    let counts = counts.into_iter().filter_map(|(key, count)| Some(format!(" {key}={}", count?)));
    let counts: String = counts.collect();
    ensure(!counts.is_empty(), "", "needs hcaHandles, hcaObjects or both")?;
    Ok(("rdma.max".into(), format!("{name}{counts}")))
}

/// The files of v2 by name. A key is a plain file name, `controller.what`, so
/// that it can name nothing outside the container's own directory.
fn unified(file: &str, text: &str) -> Result<Vec<Limit>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name = !file.starts_with('.') && file.contains('.') && file.chars().all(plain);
    ensure(is_name, "", "is not the name of a cgroup file, such as memory.high")?;
    let problem = "belongs to the life of the container, not to its limits";
    ensure(!OURS.contains(&file), "", problem)?;
    // A file of many lines takes one line a write(2).
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(|line| (file.to_owned(), line.to_owned())).collect())
}
