//! The process object, of config.json as of `exec --process`.

use std::collections::HashSet;
use std::ffi::CString;

use oci_spec::runtime::{
    Linux, LinuxIOPriority, LinuxPersonality, LinuxPersonalityDomain,
    LinuxSchedulerPolicy as Policy, PosixRlimit, Process as Given, Scheduler as GivenScheduler,
    User as GivenUser,
};

use super::capabilities::capabilities;
use super::property::{absolute, c_string, each, ensure, inside, within};
use super::{MapWriter, Namespaces, Process, Rlimit, Scheduler, User, id_maps};
use crate::error::{Error, Result};

/// Reads it, with linux.personality; ids have to be mapped where `namespaces` has maps.
pub(super) fn process(
    given: &Given,
    linux: &Linux,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Process> {
    let mut process = read(given, namespaces, warnings).map_err(inside("process"))?;
    process.personality = linux.personality().as_ref().map(personality).transpose()?;
    Ok(process)
}

fn read(given: &Given, namespaces: &Namespaces, warnings: &mut Vec<String>) -> Result<Process> {
    if given.user().username().as_ref().is_some_and(|name| !name.is_empty()) {
        warnings.push("process.user.username: is for Windows; uid and gid decide".into());
    }
    let args = each("args", given.args(), c_string)?;
    ensure(!args.is_empty(), "args", "names no program")?;
    let score = given.oom_score_adj();
    Ok(Process {
        terminal: given.terminal().unwrap_or(false),
        console_size: console_size(given).map_err(inside("consoleSize"))?,
        args,
        env: each("env", given.env(), |text| variable(text))?,
        cwd: absolute(given.cwd()).map_err(inside("cwd"))?,
        user: user(given.user(), namespaces).map_err(inside("user"))?,
        capabilities: capabilities(given.capabilities().as_ref(), warnings),
        rlimits: rlimits(given.rlimits().as_ref())?,
        no_new_privileges: given.no_new_privileges().unwrap_or(false),
        oom_score_adj: score.map(|score| within("oomScoreAdj", score, -1000..=1000)).transpose()?,
        io_priority: given.io_priority().map(io_priority).transpose()?,
        scheduler: given
            .scheduler()
            .as_ref()
            .map(scheduler)
            .transpose()
            .map_err(inside("scheduler"))?,
        personality: None,
    })
}

/// Rows and columns; ignored without a terminal, says the specification.
fn console_size(given: &Given) -> Result<Option<(u16, u16)>> {
    let Some(size) = given.console_size().filter(|_| given.terminal() == Some(true)) else {
        return Ok(None);
    };
    let number = |name, value: u64| within(name, value, 0..=u16::MAX.into());
    Ok(Some((number("height", size.height())?, number("width", size.width())?)))
}

fn variable(text: &str) -> Result<CString> {
    let is_pair = text.find('=').is_some_and(|at| at > 0);
    ensure(is_pair, "", format!("{text:?} is not NAME=value"))?;
    c_string(text)
}

fn user(given: &GivenUser, namespaces: &Namespaces) -> Result<User> {
    let maps = &namespaces.ids;
    let mapped_group = |gid: &u32| id_maps::mapped(*gid, &maps.gids);
    let groups = each("additionalGids", given.additional_gids(), mapped_group)?;
    if namespaces.map_writer == MapWriter::SingleId {
        let problem = "a user who maps only her own id has to give up setgroups(2)";
        ensure(groups.is_empty(), "additionalGids", problem)?;
    }
    let umask = given.umask().unwrap_or(0o022);
    ensure(umask <= 0o777, "umask", format!("{umask:#o} is above 0o777"))?;
    Ok(User {
        uid: id_maps::mapped(given.uid(), &maps.uids).map_err(inside("uid"))?,
        gid: id_maps::mapped(given.gid(), &maps.gids).map_err(inside("gid"))?,
        groups,
        umask,
    })
}

/// The sixteen resources of getrlimit(2), in the order of their numbers (<asm-generic/resource.h>).
const RESOURCES: &str = "RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS \
    RLIMIT_NPROC RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING \
    RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME";

fn rlimits(given: Option<&Vec<PosixRlimit>>) -> Result<Vec<Rlimit>> {
    let mut seen = HashSet::new();
    each("rlimits", given, |limit| {
        let limit = rlimit(limit)?;
        ensure(seen.insert(limit.name), "type", format!("{} is given twice", limit.name))?;
        Ok(limit)
    })
}

fn rlimit(given: &PosixRlimit) -> Result<Rlimit> {
    let wanted = given.typ().to_string();
    let found = (0..).zip(RESOURCES.split(' ')).find(|(_, name)| *name == wanted);
    let (resource, name) = found.ok_or_else(|| Error::config("type", "is not a resource"))?;
    let (soft, hard) = (given.soft(), given.hard());
    ensure(soft <= hard, "soft", format!("{soft} is above hard, {hard}"))?;
    Ok(Rlimit { name, resource, soft, hard })
}

/// sched_setattr(2). Each value belongs to certain policies; the kernel ignores what does not
/// fit, so that the process would run otherwise than written: here it is an error.
fn scheduler(given: &GivenScheduler) -> Result<Scheduler> {
    let policy = *given.policy();
    let (nice, priority) = (given.nice().unwrap_or(0), given.priority().unwrap_or(0));
    let times = [given.runtime(), given.deadline(), given.period()];
    let [runtime, deadline, period] = times.map(|time| time.unwrap_or(0));
    let is_nice = matches!(policy, Policy::SchedOther | Policy::SchedBatch);
    let is_real_time = matches!(policy, Policy::SchedFifo | Policy::SchedRr);
    let is_deadline = policy == Policy::SchedDeadline;
    // A period of 0 means the deadline.
    let ordered = 0 < runtime && runtime <= deadline && (period == 0 || deadline <= period);
    let priorities = if is_real_time { 1..=99 } else { 0..=0 };
    let rules = [
        (policy != Policy::SchedIso, "policy", "SCHED_ISO never came to Linux"),
        ((-20..=19).contains(&nice), "nice", "is not -20 to 19"),
        (is_nice || nice == 0, "nice", "only SCHED_OTHER and SCHED_BATCH have one"),
        (
            priorities.contains(&priority),
            "priority",
            "is 1 to 99 for SCHED_FIFO and SCHED_RR, the others have none",
        ),
        (
            is_deadline || runtime | deadline | period == 0,
            "runtime",
            "only SCHED_DEADLINE has runtime, deadline and period",
        ),
        (!is_deadline || ordered, "runtime", "0 < runtime <= deadline <= period does not hold"),
    ];
    rules.iter().try_for_each(|(holds, name, problem)| ensure(*holds, name, *problem))?;
    // oci_spec lists policies and flags in the order of <linux/sched.h>: SCHED_OTHER is 0,
    // SCHED_FLAG_RESET_ON_FORK bit 0.
    let flags = given.flags().iter().flatten().fold(0, |flags, flag| flags | 1 << *flag as u64);
    let priority = priority.unsigned_abs();
    Ok(Scheduler { policy: policy as u32, flags, nice, priority, runtime, deadline, period })
}

/// ioprio_set(2): the class above bit 13, the level below (<linux/ioprio.h>). Class 0 is "none",
/// for which the specification has no word.
fn io_priority(given: LinuxIOPriority) -> Result<i32> {
    let level: i32 = within("ioPriority.priority", given.priority(), 0..=7)?;
    Ok((given.class() as i32 + 1) << 13 | level)
}

/// personality(2): PER_LINUX or PER_LINUX32 of <linux/personality.h>.
fn personality(given: &LinuxPersonality) -> Result<u64> {
    let no_flags = given.flags().as_ref().is_none_or(Vec::is_empty);
    ensure(no_flags, "linux.personality.flags", "the specification knows no flag yet")?;
    Ok(match given.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn schedule(given: Value) -> Result<Scheduler> {
        scheduler(&serde_json::from_value(given).unwrap()).map_err(inside("process.scheduler"))
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
            assert_eq!(schedule(given).unwrap().policy, policy);
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
            let error = schedule(given).unwrap_err().to_string();
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

    #[test]
    fn every_scheduler_flag_has_the_kernels_bit() {
        // <linux/sched.h>, as oci_spec 0.10 spells them
        let names = [
            "SCHED_RESET_ON_FORK",
            "SCHED_FLAG_RECLAIM",
            "SCHED_FLAG_D_L_OVERRUN",
            "SCHED_FLAG_KEEP_POLICY",
            "SCHED_FLAG_KEEP_PARAMS",
            "SCHED_FLAG_UTIL_CLAMP_MIN",
            "SCHED_FLAG_UTIL_CLAMP_MAX",
        ];
        for (bit, name) in (0..).zip(names) {
            let found = schedule(json!({"policy": "SCHED_OTHER", "flags": [name]})).unwrap();
            assert_eq!(found.flags, 1 << bit, "{name}");
        }
    }

    fn limits(limits: serde_json::Value) -> Result<Vec<Rlimit>> {
        let given: Vec<PosixRlimit> = serde_json::from_value(limits).unwrap();
        rlimits(Some(&given)).map_err(inside("process"))
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
            let found = limits(json!([{"type": name, "soft": 1, "hard": u64::MAX}])).unwrap();
            assert_eq!((found[0].name, found[0].resource), (&*name, number));
            assert_eq!((found[0].soft, found[0].hard), (1, u64::MAX));
        }
    }

    #[test]
    fn a_resource_given_twice_and_a_soft_limit_above_the_hard_one_are_refused() {
        let cpu = json!({"type": "RLIMIT_CPU", "soft": 1, "hard": 1});
        let error = limits(json!([cpu, cpu])).unwrap_err().to_string();
        assert_eq!(error, "process.rlimits[1].type: RLIMIT_CPU is given twice");
        let error = limits(json!([{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}])).unwrap_err();
        assert_eq!(error.to_string(), "process.rlimits[0].soft: 2 is above hard, 1");
    }
}
