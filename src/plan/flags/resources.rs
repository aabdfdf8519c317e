//! The limits: linux.resources, from the flags of the section "Limits".

use std::collections::HashMap;

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};

use super::Machine;
use super::quantity::{CPU_PERIOD, Limit};
use crate::cli::ContainerFlags;
use crate::error::{Error, Result};
use crate::plan::flags::defaults;

/// linux.resources. A limit that was asked for always stands in the spec, so
/// that a machine that cannot keep it refuses; those that jec adds itself are
/// left out where their controller is missing.
pub(super) fn resources(flags: &ContainerFlags, machine: &Machine) -> Result<LinuxResources> {
    let mut resources = LinuxResources::default();
    resources
        .set_memory(memory(flags)?)
        .set_cpu(cpu(flags)?)
        .set_pids(pids(flags, machine))
        .set_unified(unified(flags, machine));
    if machine.pure_cgroup2 && machine.uid == 0 {
        // Only root may attach the program that enforces them, and only to cgroup2.
        resources.set_devices(Some(defaults::device_rules()));
    }
    Ok(resources)
}

fn memory(flags: &ContainerFlags) -> Result<Option<LinuxMemory>> {
    let mut memory = LinuxMemory::default();
    memory.set_limit(signed("--memory", flags.memory)?);
    memory.set_reservation(signed("--memory-low", flags.memory_low)?);
    memory.set_swap(swap(flags)?);
    Ok((memory != LinuxMemory::default()).then_some(memory))
}

/// memory.swap of the specification is memory and swap together, as in cgroup
/// v1; `--swap` is what cgroup v2 calls memory.swap.max: swap alone.
fn swap(flags: &ContainerFlags) -> Result<Option<i64>> {
    match (flags.swap, flags.memory) {
        (None, _) => Ok(None),
        (Some(Limit::Unlimited), _) => Ok(Some(-1)),
        (Some(Limit::At(_)), None) => {
            Err(Error::config("--swap", "comes on top of --memory, which is missing"))
        }
        (Some(Limit::At(swap)), Some(memory)) => signed("--swap", memory.checked_add(swap)),
    }
}

/// A number of the specification has a sign.
fn signed(flag: &str, number: Option<u64>) -> Result<Option<i64>> {
    let convert = |number| i64::try_from(number).map_err(|_| Error::config(flag, "too large"));
    number.map(convert).transpose()
}

fn cpu(flags: &ContainerFlags) -> Result<Option<LinuxCpu>> {
    let mut cpu = LinuxCpu::default();
    cpu.set_quota(signed("--cpus", flags.cpus)?);
    cpu.set_period(flags.cpus.map(|_| CPU_PERIOD));
    cpu.set_cpus(flags.cpuset.clone());
    Ok((cpu != LinuxCpu::default()).then_some(cpu))
}

fn pids(flags: &ContainerFlags, machine: &Machine) -> Option<LinuxPids> {
    let usable = machine.controllers.iter().any(|name| name == "pids");
    let limit = match flags.pids {
        Some(limit) => limit.signed(),
        None if usable => defaults::PIDS,
        None => return None,
    };
    let mut pids = LinuxPids::default();
    pids.set_limit(limit);
    Some(pids)
}

/// Files of cgroup2 for which the specification has no word of its own, or
/// only one in the units of v1 (cpu.shares, blkio.weight).
fn unified(flags: &ContainerFlags, machine: &Machine) -> Option<HashMap<String, String>> {
    let usable = machine.controllers.iter().any(|name| name == "memory");
    let files = [
        // Half a container after an out-of-memory kill helps nobody: all or nothing.
        ("memory.oom.group", usable.then(|| "1".to_owned())),
        ("memory.high", flags.memory_high.map(Limit::text)),
        ("cpu.weight", flags.cpu_weight.map(|weight| weight.to_string())),
        ("io.weight", flags.io_weight.map(|weight| format!("default {weight}"))),
    ];
    let set: HashMap<String, String> =
        files.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    (!set.is_empty()).then_some(set)
}
