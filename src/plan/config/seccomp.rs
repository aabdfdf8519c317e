//! linux.seccomp, read into a [`Profile`].
//!
//! Where the specification is silent this follows what runc and crun do, since
//! that is what profiles are written against; each such place says so.

use std::ffi::CString;

use nix::errno::Errno;
use oci_spec::runtime::{
    Arch, LinuxSeccompAction as Name, LinuxSeccompFilterFlag as Flag,
    LinuxSeccompOperator as Comparison,
};

use super::property::Property;
use crate::error::Result;
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
fn read(given: &Property) -> Result<Profile> {
    let default_action = action(given, "defaultAction", "defaultErrnoRet")?;
    // runc refuses this too: see [`HANDS_OVER`].
    let problem = "SCMP_ACT_NOTIFY cannot be the default: handing over the listener would wait \
        for the listener";
    given.at("defaultAction")?.ensure(default_action != Action::Notify, problem)?;
    let rules: Vec<_> = given.each("syscalls", entry)?.into_iter().flatten().collect();
    let notifies = rules.iter().any(|rule| rule.action == Action::Notify);
    Ok(Profile {
        default_action,
        abis: abis(&given.each("architectures", Property::read)?),
        flags: flags(&given.each("flags", Property::read)?, notifies),
        listener_path: listener_path(given, notifies)?,
        listener_metadata: given.get("listenerMetadata")?.unwrap_or_default(),
        rules,
    })
}

/// Reads linux.seccomp, and checks that init can do under it what remains to be done.
pub(super) fn profile_for(given: &Property, no_new_privileges: bool) -> Result<Profile> {
    let profile = read(given)?;
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
    Err(given.wrong(format!("refuses {why}")))
}

/// An action with its number, which `property` has; EPERM where the configuration is silent.
fn action(given: &Property, name: &str, property: &str) -> Result<Action> {
    let errno = given.at(property)?;
    let number: Option<u32> = given.get(property)?;
    let data = |highest: u16| {
        let number = number.unwrap_or(Errno::EPERM as u32);
        let fits = u16::try_from(number).ok().filter(|number| *number <= highest);
        let problem = || format!("{number} is out of range, {highest} is the highest");
        fits.ok_or_else(|| errno.wrong(problem()))
    };
    let name: Name = given.at(name)?.read()?;
    let plain = match name {
        Name::ScmpActErrno => return data(MAX_ERRNO).map(Action::Errno),
        Name::ScmpActTrace => return data(u16::MAX).map(Action::Trace),
        Name::ScmpActKill | Name::ScmpActKillThread => Action::KillThread,
        Name::ScmpActKillProcess => Action::KillProcess,
        Name::ScmpActTrap => Action::Trap,
        Name::ScmpActNotify => Action::Notify,
        Name::ScmpActLog => Action::Log,
        Name::ScmpActAllow => Action::Allow,
    };
    let problem = "takes no number, only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do";
    errno.ensure(number.is_none(), format_args!("{name} {problem}"))?;
    Ok(plain)
}

/// One entry of `syscalls`: usually one rule.
///
/// All `args` of an entry have to hold (that each was enough by itself was
/// CVE-2017-18367). But where two of them look at the same argument, runc and
/// crun let each be enough by itself, because old profiles meant that; so here.
fn entry(given: &Property) -> Result<Vec<Rule>> {
    let action = action(given, "action", "errnoRet")?;
    let names = given.at("names")?.read::<Vec<String>>()?;
    given.at("names")?.ensure(!names.is_empty(), "must have at least one entry")?;
    let held = names.iter().find(|name| HANDS_OVER.contains(&name.as_str()));
    if let (Action::Notify, Some(name)) = (action, held) {
        let problem = format!("SCMP_ACT_NOTIFY cannot be used for {name}: jec needs it itself");
        return Err(given.at("action")?.wrong(problem));
    }
    let conditions = given.each("args", condition)?;
    let twice = |at: usize| conditions[..at].iter().any(|c| c.index == conditions[at].index);
    if !(0..conditions.len()).any(twice) {
        return Ok(vec![Rule { names, action, conditions }]);
    }
    let alone = |condition| Rule { names: names.clone(), action, conditions: vec![condition] };
    Ok(conditions.into_iter().map(alone).collect())
}

fn condition(given: &Property) -> Result<Condition> {
    let value = given.at("value")?.read()?;
    let operator = match given.at("op")?.read()? {
        Comparison::ScmpCmpNe => Operator::Ne,
        Comparison::ScmpCmpLt => Operator::Lt,
        Comparison::ScmpCmpLe => Operator::Le,
        Comparison::ScmpCmpEq => Operator::Eq,
        Comparison::ScmpCmpGe => Operator::Ge,
        Comparison::ScmpCmpGt => Operator::Gt,
        Comparison::ScmpCmpMaskedEq => Operator::MaskedEq(value),
    };
    // SCMP_CMP_MASKED_EQ alone has two values: `value` is the mask, `valueTwo`
    // what has to be left (seccomp_rule_add(3)); absent is 0, as in runc and crun.
    let value = match operator {
        Operator::MaskedEq(_) => given.get("valueTwo")?.unwrap_or_default(),
        _ => value,
    };
    Ok(Condition { index: given.at("index")?.within(0..=5)?, operator, value })
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
pub(in crate::plan) fn flags(given: &[Flag], notifies: bool) -> u64 {
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
fn listener_path(given: &Property, notifies: bool) -> Result<Option<CString>> {
    let path = given.optional("listenerPath", Property::c_string)?;
    let has_path = path.is_some();
    let problem = "must be set for SCMP_ACT_NOTIFY";
    given.at("listenerPath")?.ensure(has_path || !notifies, problem)?;
    let no_metadata = given.get::<String>("listenerMetadata")?.is_none();
    let problem = "must not be set without listenerPath";
    given.at("listenerMetadata")?.ensure(has_path || no_metadata, problem)?;
    Ok(path.filter(|_| notifies))
}

/// A profile of the specification's types.
#[cfg(test)]
pub fn profile(seccomp: &oci_spec::runtime::LinuxSeccomp) -> Result<Profile> {
    read(&Property::new("linux.seccomp", &serde_json::json!(seccomp)))
}

#[cfg(test)]
mod tests;
