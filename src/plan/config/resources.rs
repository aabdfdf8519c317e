//! linux.resources and linux.cgroupsPath: the v1 words of the specification,
//! turned into the files of cgroup v2.
//!
//! The specification still speaks cgroup v1 ("shares", "memory + swap"). Its
//! section "Unified" says what a runtime on v2 does with such words: it may
//! convert, and where no conversion exists it MUST fail. So every property
//! here becomes `(file, value)`, or is refused by its name, unless it asks for
//! what v2 does anyway (useHierarchy: true, kernel: -1, ...).
//!
//! More: runtime-spec config-linux.md, "Control groups"; Linux
//! Documentation/admin-guide/cgroup-v2.rst; the chapter "cgroup".

#[cfg(test)]
pub(super) mod tests;

use serde_json::Value;

use super::devices;
pub use super::devices::default_rules as default_devices;
use super::property::Property;
use crate::error::Result;
use crate::plan::Cgroup;

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

const NO_EQUIVALENT: &str = "exists in cgroup v1 only, and v2 has no equivalent";

/// What v2 has no equivalent for, and the value that asks for what it does anyway. crun refuses
/// these too; runc warns or says nothing, which here would be a silent weakening.
/// (memory.checkBeforeUpdate needs nothing: the cgroup is new and its usage 0.)
const ONLY_V1: [(&str, &str); 10] = [
    ("memory.kernel", "-1"),
    ("memory.kernelTCP", "-1"),
    ("memory.swappiness", "null"),
    ("memory.disableOOMKiller", "false"),
    ("memory.useHierarchy", "true"),
    ("cpu.realtimeRuntime", "0"),
    ("cpu.realtimePeriod", "0"),
    ("blockIO.leafWeight", "0"),
    ("network.classID", "0"),
    ("network.priorities", "[]"),
];

/// The plan of the cgroup: its path, its limits as files of cgroup v2, and the
/// device rules, to which those of the devices that every container has are added.
pub(super) fn cgroup(linux: &Property) -> Result<Cgroup> {
    Ok(Cgroup {
        path: linux.optional("cgroupsPath", checked_path)?,
        limits: limits(&linux.at("resources")?)?,
        devices: devices::rules(linux)?,
    })
}

/// A path that names one place below the cgroup2 mount, and cannot leave it.
/// Absolute: from the mount; relative: below jec's own cgroup.
fn checked_path(given: &Property) -> Result<String> {
    let path: String = given.read()?;
    for component in path.strip_prefix('/').unwrap_or(&path).split('/') {
        let empty = "has an empty component; the root cgroup itself has no limits";
        given.ensure(!component.is_empty(), empty)?;
        given.ensure(!matches!(component, "." | ".."), "must not contain \".\" or \"..\"")?;
        given.ensure(component.len() <= 255, "has a component of more than 255 bytes")?;
        // The kernel refuses only the newline, which would forge lines of /proc/PID/cgroup.
        given.ensure(!component.contains(char::is_control), "has a control character")?;
    }
    Ok(path)
}

/// The limits of resources that stand by themselves: those of `jec update`.
pub fn limits_of(resources: &Value) -> Result<Vec<Limit>> {
    limits(&Property::new("linux.resources", resources))
}

/// `unified` comes last: it is the more precise word, so it wins.
fn limits(given: &Property) -> Result<Vec<Limit>> {
    given.refuse(&ONLY_V1, NO_EQUIVALENT)?;
    let files = [
        // runc reads 0 as "not set", crun writes it: the one drops a limit, the
        // other kills the first process. Neither is what somebody meant.
        ("memory.max", given.optional("memory.limit", |limit| or_max(limit, 1))?),
        ("memory.swap.max", given.optional("memory.swap", |swap| swap_only(swap, given))?),
        ("memory.low", given.optional("memory.reservation", |limit| or_max(limit, 0))?),
        ("cpu.weight", set(given, "cpu.shares")?.map(weight)),
        ("cpu.max", bandwidth(given)?),
        ("cpu.max.burst", given.optional("cpu.burst", |burst| burst_within(burst, given))?),
        // After the weight: an idle cgroup has none, and the kernel refuses one (EINVAL).
        ("cpu.idle", given.optional("cpu.idle", |idle| Ok(idle.within::<u8>(0..=1)?.to_string()))?),
        ("cpuset.cpus", cpuset(given, "cpu.cpus")?),
        ("cpuset.mems", cpuset(given, "cpu.mems")?),
        // Since runtime-spec 1.3 only -1 means "no limit" and 0 is a number like any
        // other (runtime-spec #1279, runc 1.4); before, 0 was "no limit" as well. A
        // cgroup for no process at all cannot start one, so 0 is refused either way.
        ("pids.max", given.optional("pids", |pids| or_max(&pids.at("limit")?, 1))?),
    ];
    let files = files.into_iter().filter_map(|(file, value)| Some((file.to_owned(), value?)));
    let others = [
        block_io(&given.at("blockIO")?)?,
        given.each("hugepageLimits", hugepages)?.concat(),
        given.each_entry("rdma", rdma)?,
        given.each_entry("unified", unified)?.concat(),
    ];
    Ok(files.chain(others.into_iter().flatten()).collect())
}

/// A number that the engines write as 0 where it is not set, as runc and crun read it.
fn set(given: &Property, name: &str) -> Result<Option<u64>> {
    Ok(given.get(name)?.filter(|number| *number != 0))
}

/// A number from `least` on, or `max` for -1.
fn or_max(given: &Property, least: i64) -> Result<String> {
    match given.read()? {
        -1 => Ok("max".into()),
        value if value >= least => Ok(value.to_string()),
        value => {
            Err(given.wrong(format!("{value} is neither {least} or more, nor -1 for no limit")))
        }
    }
}

/// v1 counts memory and swap together, v2 counts swap alone.
fn swap_only(given: &Property, resources: &Property) -> Result<String> {
    let both: i64 = given.read()?;
    if both == -1 {
        return Ok("max".into());
    }
    let limit = resources.get("memory.limit")?.filter(|limit| *limit != -1);
    let limit = limit.ok_or_else(|| given.wrong("is memory + swap, so it needs memory.limit"))?;
    let problem = "is memory + swap, so it cannot be less than memory.limit";
    given.ensure(both >= limit, problem)?;
    Ok(both.saturating_sub(limit).to_string())
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

/// v1 writes any negative number for "no quota"; 100 ms is the kernel's own period.
fn bandwidth(given: &Property) -> Result<Option<String>> {
    let quota = given.get::<i64>("cpu.quota")?.filter(|quota| *quota != 0);
    let period = set(given, "cpu.period")?;
    if quota.is_none() && period.is_none() {
        return Ok(None);
    }
    let quota = quota.filter(|quota| *quota > 0).map_or("max".into(), |quota| quota.to_string());
    Ok(Some(format!("{quota} {}", period.unwrap_or(100_000))))
}

fn burst_within(given: &Property, resources: &Property) -> Result<String> {
    let quota = resources.get::<i64>("cpu.quota")?.filter(|quota| *quota > 0);
    let burst: u64 = given.read()?;
    let fits = quota.is_none_or(|quota| burst <= quota.unsigned_abs());
    given.ensure(fits, "is larger than cpu.quota")?;
    Ok(burst.to_string())
}

/// A list such as `0-3,8`; an empty one asks for nothing. The kernel checks the numbers.
fn cpuset(given: &Property, name: &str) -> Result<Option<String>> {
    let list: String = given.get(name)?.unwrap_or_default();
    let plain = |c: char| c.is_ascii_digit() || matches!(c, ',' | '-' | ':' | '/');
    let is_list = list.trim().chars().all(plain);
    given.at(name)?.ensure(is_list, format!("{list:?} is not a list such as 0-3,8"))?;
    Ok(Some(list.trim().to_owned()).filter(|list| !list.is_empty()))
}

const THROTTLES: [(&str, &str); 4] = [
    ("throttleReadBpsDevice", "rbps"),
    ("throttleWriteBpsDevice", "wbps"),
    ("throttleReadIOPSDevice", "riops"),
    ("throttleWriteIOPSDevice", "wiops"),
];

fn block_io(given: &Property) -> Result<Vec<Limit>> {
    let mut limits = weights(given, "default")?;
    let of_devices = given.each("weightDevice", |given| {
        given.refuse(&[("leafWeight", "0")], NO_EQUIVALENT)?;
        weights(given, &device_name(given)?)
    })?;
    limits.extend(of_devices.into_iter().flatten());
    for (name, key) in THROTTLES {
        limits.extend(given.each(name, |given| {
            // A rate of 0 means "no limit" in v1.
            let rate = given.at("rate")?.read::<u64>()?;
            let rate = if rate == 0 { "max".to_owned() } else { rate.to_string() };
            Ok(("io.max".into(), format!("{} {key}={rate}", device_name(given)?)))
        })?);
    }
    Ok(limits)
}

fn device_name(given: &Property) -> Result<String> {
    let number = |name| given.at(name)?.within::<u32>(0..=u32::MAX.into());
    Ok(format!("{}:{}", number("major")?, number("minor")?))
}

/// Which file carries a weight depends on the scheduler that the kernel has:
/// io.weight (1 to 10000) belongs to iocost, io.bfq.weight (1 to 1000) to BFQ.
/// Both are planned; a machine needs to have one of them. 10 to 1000 becomes
/// 1 to 10000 by the linear formula of runc and crun; 0 is "not set".
fn weights(given: &Property, device: &str) -> Result<Vec<Limit>> {
    if set(given, "weight")?.is_none() {
        return Ok(Vec::new());
    }
    let weight: u32 = given.at("weight")?.within(10..=1000)?;
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
fn hugepages(given: &Property) -> Result<Vec<Limit>> {
    let size: String = given.at("pageSize")?.read()?;
    let unit = size.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_number = unit.len() < size.len() && !size.starts_with('0');
    let is_size = is_number && matches!(unit, "KB" | "MB" | "GB");
    given.at("pageSize")?.ensure(is_size, format!("{size:?} is not a size such as 2MB"))?;
    let bytes = or_max(&given.at("limit")?, 0)?;
    let files = [format!("hugetlb.{size}.max"), format!("hugetlb.{size}.rsvd.max")];
    Ok(files.map(|file| (file, bytes.clone())).into())
}

/// One line a device of InfiniBand.
fn rdma(name: &str, given: &Property) -> Result<Limit> {
    let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    given.ensure(is_name, "is not the name of a device")?;
    let mut counts = String::new();
    for (property, key) in [("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object")] {
        if let Some(count) = given.get::<u32>(property)? {
            counts.extend([" ", key, "=", &count.to_string()]);
        }
    }
    given.ensure(!counts.is_empty(), "needs hcaHandles, hcaObjects or both")?;
    Ok(("rdma.max".into(), format!("{name}{counts}")))
}

/// The files of v2 by name. A key is a plain file name, `controller.what`, so
/// that it can name nothing outside the container's own directory.
fn unified(file: &str, given: &Property) -> Result<Vec<Limit>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name = !file.starts_with('.') && file.contains('.') && file.chars().all(plain);
    given.ensure(is_name, "is not the name of a cgroup file, such as memory.high")?;
    let problem = "belongs to the life of the container, not to its limits";
    given.ensure(!OURS.contains(&file), problem)?;
    // A file of many lines takes one line a write(2).
    let text: String = given.read()?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(|line| (file.to_owned(), line.to_owned())).collect())
}
