//! linux.resources.cpu: the controllers cpu and cpuset.

use oci_spec::runtime::LinuxCpu;

use super::{Limits, refuse};
use crate::error::{Error, Result};

pub(super) fn limits(cpu: &LinuxCpu, limits: &mut Limits) -> Result<()> {
    // No cpu controller of v2 shares out real-time runs; 0 asks for none.
    let asked = [
        ("realtimeRuntime", cpu.realtime_runtime().is_some_and(|time| time != 0)),
        ("realtimePeriod", cpu.realtime_period().is_some_and(|time| time != 0)),
    ];
    refuse("linux.resources.cpu", &asked)?;
    bandwidth(cpu, limits)?;
    cpuset("cpus", cpu.cpus().as_deref(), limits)?;
    cpuset("mems", cpu.mems().as_deref(), limits)
}

/// In shares, quota and period 0 is "not set", as in runc and crun: the engines
/// write it so.
fn bandwidth(cpu: &LinuxCpu, limits: &mut Limits) -> Result<()> {
    let mut push = |file: &str, value: String| limits.push((file.into(), value));
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        push("cpu.weight", weight(shares));
    }
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    if quota.is_some() || period.is_some() {
        // v1 writes any negative number for "no quota"; 100 ms is the kernel's own period.
        let quota =
            quota.filter(|quota| *quota > 0).map_or("max".into(), |quota| quota.to_string());
        push("cpu.max", format!("{quota} {}", period.unwrap_or(100_000)));
    }
    if let Some(burst) = cpu.burst() {
        if quota.is_some_and(|quota| quota > 0 && burst > quota.unsigned_abs()) {
            return Err(Error::config("linux.resources.cpu.burst", "is larger than cpu.quota"));
        }
        push("cpu.max.burst", burst.to_string());
    }
    // After the weight: an idle cgroup has none, and the kernel refuses one (EINVAL).
    match cpu.idle() {
        None => Ok(()),
        Some(idle @ (0 | 1)) => {
            push("cpu.idle", idle.to_string());
            Ok(())
        }
        Some(_) => Err(Error::config("linux.resources.cpu.idle", "is 0 or 1")),
    }
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

/// A list such as `0-3,8`; an empty one asks for nothing. The kernel checks the numbers.
fn cpuset(what: &str, list: Option<&str>, limits: &mut Limits) -> Result<()> {
    let Some(list) = list.map(str::trim).filter(|list| !list.is_empty()) else {
        return Ok(());
    };
    if list.contains(|c: char| !c.is_ascii_digit() && !matches!(c, ',' | '-' | ':' | '/')) {
        let property = format!("linux.resources.cpu.{what}");
        return Err(Error::config(property, format!("{list:?} is not a list such as 0-3,8")));
    }
    limits.push((format!("cpuset.{what}"), list.into()));
    Ok(())
}
