//! process.scheduler, process.ioPriority and linux.personality.
//!
//! Each value belongs to certain policies. The kernel ignores what does not fit, so that the
//! process would run otherwise than written: here it is an error.

use oci_spec::runtime::{
    IOPriorityClass, LinuxIOPriority, LinuxPersonality, LinuxPersonalityDomain,
    LinuxSchedulerFlag as Flag, LinuxSchedulerPolicy as Policy, Scheduler as Given,
};

use super::Scheduler;
use crate::error::{Error, Result};

/// sched_setattr(2).
pub(super) fn scheduler(given: &Given) -> Result<Scheduler> {
    // <linux/sched.h>
    let policy = match given.policy() {
        Policy::SchedOther => 0,
        Policy::SchedFifo => 1,
        Policy::SchedRr => 2,
        Policy::SchedBatch => 3,
        Policy::SchedIdle => 5,
        Policy::SchedDeadline => 6,
        Policy::SchedIso => return refused("policy", "SCHED_ISO never came to Linux"),
    };
    let flags = given.flags().iter().flatten().fold(0, |flags, flag| flags | number(*flag));
    let scheduler = Scheduler {
        policy,
        flags,
        nice: given.nice().unwrap_or(0),
        priority: 0,
        runtime: given.runtime().unwrap_or(0),
        deadline: given.deadline().unwrap_or(0),
        period: given.period().unwrap_or(0),
    };
    let priority = priority(given)?;
    check(&scheduler, *given.policy())?;
    Ok(Scheduler { priority, ..scheduler })
}

/// <linux/sched.h>
fn number(flag: Flag) -> u64 {
    match flag {
        Flag::SchedResetOnFork => 0x01,
        Flag::SchedFlagReclaim => 0x02,
        Flag::SchedFlagDLOverrun => 0x04,
        Flag::SchedFlagKeepPolicy => 0x08,
        Flag::SchedFlagKeepParams => 0x10,
        Flag::SchedFlagUtilClampMin => 0x20,
        Flag::SchedFlagUtilClampMax => 0x40,
    }
}

fn priority(given: &Given) -> Result<u32> {
    let real_time = matches!(given.policy(), Policy::SchedFifo | Policy::SchedRr);
    match given.priority().unwrap_or(0) {
        0 if !real_time => Ok(0),
        value @ 1..=99 if real_time => Ok(value.unsigned_abs()),
        _ if real_time => refused("priority", "SCHED_FIFO and SCHED_RR have 1 to 99"),
        _ => refused("priority", "only SCHED_FIFO and SCHED_RR have one"),
    }
}

fn check(scheduler: &Scheduler, policy: Policy) -> Result<()> {
    let Scheduler { runtime, deadline, period, .. } = *scheduler;
    if !(-20..=19).contains(&scheduler.nice) {
        return refused("nice", "is not -20 to 19");
    }
    if scheduler.nice != 0 && !matches!(policy, Policy::SchedOther | Policy::SchedBatch) {
        return refused("nice", "only SCHED_OTHER and SCHED_BATCH have one");
    }
    if policy != Policy::SchedDeadline {
        return match runtime | deadline | period {
            0 => Ok(()),
            _ => refused("runtime", "only SCHED_DEADLINE has runtime, deadline and period"),
        };
    }
    // A period of 0 means the deadline.
    let ordered = 0 < runtime && runtime <= deadline && (period == 0 || deadline <= period);
    if ordered {
        return Ok(());
    }
    refused("runtime", "0 < runtime <= deadline <= period does not hold")
}

fn refused<T>(name: &str, problem: &str) -> Result<T> {
    Err(Error::config(format!("process.scheduler.{name}"), problem))
}

/// ioprio_set(2): the class above bit 13, the level below (<linux/ioprio.h>).
pub(super) fn io_priority(given: LinuxIOPriority) -> Result<i32> {
    let class = match given.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    match i32::try_from(given.priority()) {
        Ok(level @ 0..=7) => Ok(class << 13 | level),
        _ => Err(Error::config("process.ioPriority.priority", "is not 0 to 7")),
    }
}

/// personality(2): PER_LINUX or PER_LINUX32 of <linux/personality.h>.
pub(super) fn personality(given: &LinuxPersonality) -> Result<u64> {
    if given.flags().as_ref().is_some_and(|flags| !flags.is_empty()) {
        let problem = "the specification knows no flag yet";
        return Err(Error::config("linux.personality.flags", problem));
    }
    Ok(match given.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(given: Value) -> Result<Scheduler> {
        scheduler(&serde_json::from_value(given).unwrap())
    }

    #[test]
    fn every_policy_has_the_kernels_number() {
        let cases = [
            (json!({"policy": "SCHED_OTHER", "nice": -20}), 0),
            (json!({"policy": "SCHED_FIFO", "priority": 99}), 1),
            (json!({"policy": "SCHED_RR", "priority": 1}), 2),
            (json!({"policy": "SCHED_BATCH", "nice": 19}), 3),
            (json!({"policy": "SCHED_IDLE"}), 5),
            (json!({"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3}), 6),
        ];
        for (given, policy) in cases {
            assert_eq!(read(given).unwrap().policy, policy);
        }
    }

    #[test]
    fn a_value_that_the_policy_does_not_have_is_refused() {
        let bad = [
            (json!({"policy": "SCHED_ISO"}), "policy"),
            (json!({"policy": "SCHED_OTHER", "nice": 20}), "nice"),
            (json!({"policy": "SCHED_IDLE", "nice": 1}), "nice"),
            (json!({"policy": "SCHED_OTHER", "priority": 1}), "priority"),
            (json!({"policy": "SCHED_FIFO"}), "priority"),
            (json!({"policy": "SCHED_RR", "priority": 100}), "priority"),
            (json!({"policy": "SCHED_RR", "priority": -1}), "priority"),
            (json!({"policy": "SCHED_BATCH", "period": 1}), "runtime"),
            (json!({"policy": "SCHED_DEADLINE", "runtime": 3, "deadline": 2}), "runtime"),
            (json!({"policy": "SCHED_DEADLINE"}), "runtime"),
        ];
        for (given, property) in bad {
            let error = read(given).unwrap_err().to_string();
            assert!(error.starts_with(&format!("process.scheduler.{property}: ")), "{error}");
        }
    }

    #[test]
    fn io_priorities_are_packed_as_the_kernel_packs_them() {
        let pack = |class, level: i64| {
            io_priority(serde_json::from_value(json!({"class": class, "priority": level})).unwrap())
        };
        assert_eq!(pack("IOPRIO_CLASS_RT", 0).unwrap(), 0x2000);
        assert_eq!(pack("IOPRIO_CLASS_BE", 7).unwrap(), 0x4007);
        assert_eq!(pack("IOPRIO_CLASS_IDLE", 4).unwrap(), 0x6004);
        for level in [-1, 8, i64::MAX, 1 << 32] {
            assert!(pack("IOPRIO_CLASS_BE", level).is_err(), "{level}");
        }
    }
}
