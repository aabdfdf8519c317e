//! The process object, of config.json as of `exec --process`.

use std::collections::HashSet;
use std::ffi::CString;

use oci_spec::runtime::{IOPriorityClass, LinuxPersonalityDomain, LinuxSchedulerPolicy as Policy};

use super::property::Property;
use super::{capabilities, namespaces, numbers};
use crate::error::Result;
use crate::plan::{MapWriter, Namespaces, Process, Rlimit, Scheduler, User};

/// Reads it; ids have to be mapped where `namespaces` has maps.
pub(super) fn process(
    given: &Property,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Process> {
    let username = given.at("user.username")?;
    if !given.get::<String>("user.username")?.unwrap_or_default().is_empty() {
        warnings.push(username.warning("is for Windows; uid and gid decide"));
    }
    let args = given.each("args", Property::c_string)?;
    given.at("args")?.ensure(!args.is_empty(), "names no program")?;
    let terminal = given.get("terminal")?.unwrap_or(false);
    // Ignored without a terminal, says the specification.
    let size = if terminal { given.optional("consoleSize", console_size)? } else { None };
    Ok(Process {
        terminal,
        console_size: size,
        args,
        env: given.each("env", variable)?,
        cwd: given.at("cwd")?.absolute()?,
        user: user(&given.at("user")?, namespaces)?,
        capabilities: capabilities::capabilities(&given.at("capabilities")?, warnings)?,
        rlimits: rlimits(given)?,
        no_new_privileges: given.get("noNewPrivileges")?.unwrap_or(false),
        oom_score_adj: given.optional("oomScoreAdj", |score| score.within(-1000..=1000))?,
        io_priority: given.optional("ioPriority", io_priority)?,
        scheduler: given.optional("scheduler", scheduler)?,
        processors: given.optional("execCPUAffinity", numbers::processors)?,
        apparmor_profile: label(given, "apparmorProfile")?,
        selinux_label: label(given, "selinuxLabel")?,
        // What the command line says, and what stands below linux.
        ..Process::default()
    })
}

/// A label of a security module; an empty one asks for nothing.
pub(super) fn label(given: &Property, name: &str) -> Result<Option<String>> {
    let label = given.optional(name, |label| label.c_string().and_then(|_| label.read()))?;
    Ok(label.filter(|label: &String| !label.is_empty()))
}

/// Rows and columns.
fn console_size(given: &Property) -> Result<(u16, u16)> {
    let number = |name| given.at(name)?.within(0..=u16::MAX.into());
    Ok((number("height")?, number("width")?))
}

fn variable(given: &Property) -> Result<CString> {
    let text: String = given.read()?;
    let is_pair = text.find('=').is_some_and(|at| at > 0);
    given.ensure(is_pair, format!("{text:?} is not NAME=value"))?;
    given.to_c_string(text)
}

fn user(given: &Property, namespaces: &Namespaces) -> Result<User> {
    let maps = &namespaces.ids;
    let (uid, gid) = (given.at("uid")?, given.at("gid")?);
    let groups =
        given.each("additionalGids", |gid| namespaces::mapped(gid, gid.read()?, &maps.gids))?;
    let may_have_groups = namespaces.map_writer != MapWriter::SingleId || groups.is_empty();
    let problem = "a user who maps only her own id has to give up setgroups(2)";
    given.at("additionalGids")?.ensure(may_have_groups, problem)?;
    let umask = given.get("umask")?.unwrap_or(0o022);
    given.at("umask")?.ensure(umask <= 0o777, format!("{umask:#o} is above 0o777"))?;
    Ok(User {
        uid: namespaces::mapped(&uid, uid.read()?, &maps.uids)?,
        gid: namespaces::mapped(&gid, gid.read()?, &maps.gids)?,
        groups,
        umask,
    })
}

/// The sixteen resources of getrlimit(2), in the order of their numbers (<asm-generic/resource.h>).
const RESOURCES: &str = "RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS \
    RLIMIT_NPROC RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING \
    RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME";

fn rlimits(given: &Property) -> Result<Vec<Rlimit>> {
    let mut seen = HashSet::new();
    given.each("rlimits", |limit| {
        let typ = limit.at("type")?;
        let resource = typ.position(RESOURCES)?;
        let name = RESOURCES.split(' ').nth(resource as usize).unwrap_or_default();
        typ.ensure(seen.insert(name), format!("{name} is given twice"))?;
        let (soft, hard) = (limit.at("soft")?.read()?, limit.at("hard")?.read()?);
        limit.at("soft")?.ensure(soft <= hard, format!("{soft} is above hard, {hard}"))?;
        Ok(Rlimit { name, resource, soft, hard })
    })
}

/// The flags of sched_setattr(2), in the order of their bits (<linux/sched.h>).
const SCHEDULER_FLAGS: &str = "SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN \
    SCHED_FLAG_KEEP_POLICY SCHED_FLAG_KEEP_PARAMS SCHED_FLAG_UTIL_CLAMP_MIN \
    SCHED_FLAG_UTIL_CLAMP_MAX";

/// sched_setattr(2). Each value belongs to certain policies; the kernel ignores what does not
/// fit, so that the process would run otherwise than written: here it is an error.
fn scheduler(given: &Property) -> Result<Scheduler> {
    // oci_spec lists the policies in the order of their numbers.
    let policy: Policy = given.at("policy")?.read()?;
    let nice = given.get("nice")?.unwrap_or(0);
    let priority = given.get("priority")?.unwrap_or(0);
    let number = |name| given.get::<u64>(name).map(Option::unwrap_or_default);
    let (runtime, deadline, period) = (number("runtime")?, number("deadline")?, number("period")?);
    let is_nice = matches!(policy, Policy::SchedOther | Policy::SchedBatch);
    let is_real_time = matches!(policy, Policy::SchedFifo | Policy::SchedRr);
    let priorities = if is_real_time { 1..=99 } else { 0..=0 };
    let is_deadline = policy == Policy::SchedDeadline;
    let has_times = runtime | deadline | period != 0;
    // A period of 0 means the deadline.
    let ordered = 0 < runtime && runtime <= deadline && (period == 0 || deadline <= period);
    let rules = [
        ("policy", policy != Policy::SchedIso, "SCHED_ISO never came to Linux"),
        ("nice", (-20..=19).contains(&nice), "is not -20 to 19"),
        ("nice", is_nice || nice == 0, "only SCHED_OTHER and SCHED_BATCH have one"),
        (
            "priority",
            priorities.contains(&priority),
            "only SCHED_FIFO and SCHED_RR have one, 1 to 99",
        ),
        ("runtime", is_deadline || !has_times, "only SCHED_DEADLINE has runtime, deadline, period"),
        ("runtime", !is_deadline || ordered, "0 < runtime <= deadline <= period does not hold"),
    ];
    rules.iter().try_for_each(|(name, holds, problem)| given.at(name)?.ensure(*holds, problem))?;
    Ok(Scheduler {
        policy: policy as u32,
        flags: given.bits("flags", SCHEDULER_FLAGS)?.into(),
        nice,
        priority,
        runtime,
        deadline,
        period,
    })
}

/// ioprio_set(2): the class above bit 13, the level below (<linux/ioprio.h>). Class 0 is "none",
/// for which the specification has no word.
fn io_priority(given: &Property) -> Result<i32> {
    let class: IOPriorityClass = given.at("class")?.read()?;
    let level: i32 = given.at("priority")?.within(0..=7)?;
    Ok((class as i32 + 1) << 13 | level)
}

/// linux.personality, for personality(2): PER_LINUX or PER_LINUX32 of <linux/personality.h>.
pub(super) fn personality(given: &Property) -> Result<u64> {
    let flags = given.each("flags", Property::read::<String>)?;
    given.at("flags")?.ensure(flags.is_empty(), "the specification knows no flag yet")?;
    Ok(match given.at("domain")?.read()? {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn schedule(given: &Value) -> Result<Scheduler> {
        scheduler(&Property::new("process.scheduler", given))
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
            assert_eq!(schedule(&given).unwrap().policy, policy);
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
            let error = schedule(&given).unwrap_err().to_string();
            assert!(error.starts_with(&format!("process.scheduler.{property}: ")), "{error}");
        }
    }

    #[test]
    fn io_priorities_are_packed_as_the_kernel_packs_them() {
        let pack = |class, level: i64| {
            let given = json!({"class": class, "priority": level});
            io_priority(&Property::new("process.ioPriority", &given))
        };
        assert_eq!(pack("IOPRIO_CLASS_RT", 0).unwrap(), 0x2000);
        assert_eq!(pack("IOPRIO_CLASS_BE", 7).unwrap(), 0x4007);
        assert_eq!(pack("IOPRIO_CLASS_IDLE", 4).unwrap(), 0x6004);
        for level in [-1, 8, i64::MAX, 1 << 32] {
            assert!(pack("IOPRIO_CLASS_BE", level).is_err(), "{level}");
        }
    }

    #[test]
    fn every_scheduler_flag_has_the_kernels_bit() {
        // <linux/sched.h>
        let names = [
            "SCHED_FLAG_RESET_ON_FORK",
            "SCHED_FLAG_RECLAIM",
            "SCHED_FLAG_DL_OVERRUN",
            "SCHED_FLAG_KEEP_POLICY",
            "SCHED_FLAG_KEEP_PARAMS",
            "SCHED_FLAG_UTIL_CLAMP_MIN",
            "SCHED_FLAG_UTIL_CLAMP_MAX",
        ];
        for (bit, name) in (0..).zip(names) {
            let found = schedule(&json!({"policy": "SCHED_OTHER", "flags": [name]})).unwrap();
            assert_eq!(found.flags, 1 << bit, "{name}");
        }
    }

    fn limits(limits: &Value) -> Result<Vec<Rlimit>> {
        let given = json!({"rlimits": limits});
        rlimits(&Property::new("process", &given))
    }

    #[test]
    fn every_resource_of_the_man_page_has_the_kernels_number() {
        // <asm-generic/resource.h>
        let numbers = [
            "CPU",
            "FSIZE",
            "DATA",
            "STACK",
            "CORE",
            "RSS",
            "NPROC",
            "NOFILE",
            "MEMLOCK",
            "AS",
            "LOCKS",
            "SIGPENDING",
            "MSGQUEUE",
            "NICE",
            "RTPRIO",
            "RTTIME",
        ];
        for (number, name) in (0..).zip(numbers) {
            let name = format!("RLIMIT_{name}");
            let found = limits(&json!([{"type": name, "soft": 1, "hard": u64::MAX}])).unwrap();
            assert_eq!((found[0].name, found[0].resource), (&*name, number));
            assert_eq!((found[0].soft, found[0].hard), (1, u64::MAX));
        }
    }

    #[test]
    fn a_resource_given_twice_and_a_soft_limit_above_the_hard_one_are_refused() {
        let cpu = json!({"type": "RLIMIT_CPU", "soft": 1, "hard": 1});
        let error = limits(&json!([cpu, cpu])).unwrap_err().to_string();
        assert_eq!(error, "process.rlimits[1].type: RLIMIT_CPU is given twice");
        let error = limits(&json!([{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}])).unwrap_err();
        assert_eq!(error.to_string(), "process.rlimits[0].soft: 2 is above hard, 1");
    }
}
