//! linux.seccomp, read into a [`Profile`].
//!
//! Where the specification is silent this follows what runc and crun do, since
//! that is what profiles are written against; each such place says so.

use std::collections::HashSet;
use std::ffi::CString;

use nix::errno::Errno;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction as Name, LinuxSeccompArg,
    LinuxSeccompFilterFlag as Flag, LinuxSeccompOperator as Comparison, LinuxSyscall,
};

use super::property::{c_string, each, ensure, inside, within};
use crate::error::{Error, Result};
use crate::filter::{Action, Condition, Operator, Profile, Rule};
use crate::sys::syscalls::{self, Abi};

/// MAX_ERRNO of <linux/err.h>: what a system call can fail with at most.
const MAX_ERRNO: u16 = 4095;

// SECCOMP_FILTER_FLAG_* of <linux/seccomp.h>.
const TSYNC: u64 = 1;
const LOG: u64 = 1 << 1;
const SPEC_ALLOW: u64 = 1 << 2;
const NEW_LISTENER: u64 = 1 << 3;
const TSYNC_ESRCH: u64 = 1 << 4;
const WAIT_KILLABLE_RECV: u64 = 1 << 5;

/// The calls with which the container's first process, already filtered, hands
/// over the listener (and, explained, tells of it). A notification of one of
/// them would wait for a listener that nobody has yet, for ever.
const HANDS_OVER: [&str; 3] = ["sendmsg", "recvmsg", "write"];

/// Reads linux.seccomp.
///
/// # Errors
/// A configuration error with the path of the property.
pub fn profile(seccomp: &LinuxSeccomp) -> Result<Profile> {
    read(seccomp).map_err(inside("linux.seccomp"))
}

fn read(seccomp: &LinuxSeccomp) -> Result<Profile> {
    let default_errno = seccomp.default_errno_ret();
    let default_action = action(seccomp.default_action(), default_errno, "defaultErrnoRet")?;
    // runc refuses this too: see [`HANDS_OVER`].
    let problem = "SCMP_ACT_NOTIFY cannot be the default: handing over the listener would wait \
        for the listener";
    ensure(default_action != Action::Notify, "defaultAction", problem)?;
    let rules = each("syscalls", seccomp.syscalls(), entry)?.concat();
    let notifies = rules.iter().any(|rule| rule.action == Action::Notify);
    Ok(Profile {
        default_action,
        abis: abis(seccomp.architectures().as_deref().unwrap_or_default()),
        flags: flags(seccomp.flags().as_deref().unwrap_or_default(), notifies),
        listener_path: listener_path(seccomp, notifies)?,
        listener_metadata: seccomp.listener_metadata().clone().unwrap_or_default(),
        rules,
    })
}

/// Reads linux.seccomp, and checks that init can do under it what remains to be done.
///
/// # Errors
/// As [`profile`], and a configuration error that names the call which is refused.
pub fn profile_for(seccomp: &LinuxSeccomp, no_new_privileges: bool) -> Result<Profile> {
    let profile = profile(seccomp)?;
    let refused = |name: &&&str| profile.verdict(name).is_some_and(|a| a > Action::Notify);
    // With no_new_privs the filter is loaded right before execve, else before the capabilities go.
    let speaks = !no_new_privileges || profile.listener_path.is_some();
    let needed = if speaks { &["execve", "sendmsg", "recvmsg"][..] } else { &["execve"] };
    let why = match needed.iter().find(refused) {
        None => return Ok(profile),
        Some(&"execve") => "execve: the program could not be started".into(),
        Some(name) if no_new_privileges => format!("{name}: the listener could not be handed over"),
        Some(name) => format!(
            "{name}, which jec needs until the program starts: without process.noNewPrivileges \
             the filter is loaded early"
        ),
    };
    Err(Error::config("linux.seccomp", format!("refuses {why}")))
}

/// An action with its number; EPERM where the configuration is silent.
fn action(name: Name, errno: Option<u32>, property: &str) -> Result<Action> {
    let number = |highest: u16| {
        let errno = errno.unwrap_or(Errno::EPERM as u32);
        let problem = format!("{errno} is out of range, {highest} is the highest");
        let fits = u16::try_from(errno).ok().filter(|errno| *errno <= highest);
        fits.ok_or_else(|| Error::config(property, problem))
    };
    let plain = match name {
        Name::ScmpActErrno => return number(MAX_ERRNO).map(Action::Errno),
        Name::ScmpActTrace => return number(u16::MAX).map(Action::Trace),
        Name::ScmpActKill | Name::ScmpActKillThread => Action::KillThread,
        Name::ScmpActKillProcess => Action::KillProcess,
        Name::ScmpActTrap => Action::Trap,
        Name::ScmpActNotify => Action::Notify,
        Name::ScmpActLog => Action::Log,
        Name::ScmpActAllow => Action::Allow,
    };
    let problem = format!("{name} takes no number, only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do");
    ensure(errno.is_none(), property, problem)?;
    Ok(plain)
}

/// One entry of `syscalls`: usually one rule.
///
/// All `args` of an entry have to hold (that each was enough by itself was
/// CVE-2017-18367). But where two of them look at the same argument, runc and
/// crun let each be enough by itself, because old profiles meant that; so here.
fn entry(given: &LinuxSyscall) -> Result<Vec<Rule>> {
    let action = action(given.action(), given.errno_ret(), "errnoRet")?;
    let names = given.names();
    ensure(!names.is_empty(), "names", "must have at least one entry")?;
    let held = names.iter().find(|name| HANDS_OVER.contains(&name.as_str()));
    if let (Action::Notify, Some(name)) = (action, held) {
        let problem = format!("SCMP_ACT_NOTIFY cannot be used for {name}: jec needs it itself");
        return Err(Error::config("action", problem));
    }
    let conditions = each("args", given.args(), condition)?;
    let mut seen = HashSet::new();
    let looks_twice = !conditions.iter().all(|condition| seen.insert(condition.index));
    let rule = |conditions| Rule { names: names.clone(), action, conditions };
    Ok(if looks_twice {
        conditions.into_iter().map(|condition| rule(vec![condition])).collect()
    } else {
        vec![rule(conditions)]
    })
}

fn condition(given: &LinuxSeccompArg) -> Result<Condition> {
    let operator = match given.op() {
        Comparison::ScmpCmpNe => Operator::NotEqual,
        Comparison::ScmpCmpLt => Operator::Less,
        Comparison::ScmpCmpLe => Operator::LessOrEqual,
        Comparison::ScmpCmpEq => Operator::Equal,
        Comparison::ScmpCmpGe => Operator::GreaterOrEqual,
        Comparison::ScmpCmpGt => Operator::Greater,
        Comparison::ScmpCmpMaskedEq => Operator::MaskedEqual(given.value()),
    };
    // SCMP_CMP_MASKED_EQ alone has two values: `value` is the mask, `valueTwo`
    // what has to be left (seccomp_rule_add(3)); absent is 0, as in runc and crun.
    let value = match operator {
        Operator::MaskedEqual(_) => given.value_two().unwrap_or_default(),
        _ => given.value(),
    };
    Ok(Condition { index: within("index", given.index() as i128, 0..=5)?, operator, value })
}

/// The machine's own interface always, as in libseccomp, and i386 on x86_64
/// where it is listed. The other names stay closed: interfaces of other
/// machines do not exist here, and x32 and 32-bit ARM, for which jec has no
/// rules, are refused whether they are listed or not.
fn abis(architectures: &[Arch]) -> Vec<&'static Abi> {
    let mut abis = vec![syscalls::NATIVE];
    if cfg!(target_arch = "x86_64") && architectures.contains(&Arch::ScmpArchX86) {
        abis.push(&syscalls::I386);
    }
    abis
}

/// Flags for seccomp(2). Absent means none; runc and crun then set SPEC_ALLOW,
/// which before Linux 5.16 turns a mitigation of Spectre v4 off unasked.
fn flags(given: &[Flag], notifies: bool) -> u64 {
    let number = |flag: &Flag| match flag {
        Flag::SeccompFilterFlagLog => LOG,
        // With a listener the kernel wants to be told that a thread which
        // cannot follow is an errno, not a descriptor (Linux 5.7).
        Flag::SeccompFilterFlagTsync if notifies => TSYNC | TSYNC_ESRCH,
        Flag::SeccompFilterFlagTsync => TSYNC,
        Flag::SeccompFilterFlagSpecAllow => SPEC_ALLOW,
        // How to wait for a listener: without one EINVAL, and nothing to wait for.
        Flag::SeccompFilterFlagWaitKillableRecv if notifies => WAIT_KILLABLE_RECV,
        Flag::SeccompFilterFlagWaitKillableRecv => 0,
    };
    let listener = if notifies { NEW_LISTENER } else { 0 };
    given.iter().map(number).fold(listener, |all, flag| all | flag)
}

/// Where the listener goes; ignored, as the specification says, where nothing notifies.
fn listener_path(seccomp: &LinuxSeccomp, notifies: bool) -> Result<Option<CString>> {
    let path = seccomp.listener_path().as_ref().map(c_string).transpose();
    let path = path.map_err(inside("listenerPath"))?;
    let has_path = path.is_some();
    ensure(has_path || !notifies, "listenerPath", "must be set for SCMP_ACT_NOTIFY")?;
    let no_metadata = seccomp.listener_metadata().is_none();
    ensure(has_path || no_metadata, "listenerMetadata", "must not be set without listenerPath")?;
    Ok(path.filter(|_| notifies))
}

#[cfg(test)]
mod tests;
