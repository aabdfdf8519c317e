//! linux.seccomp, read into a [`Profile`].
//!
//! Where the specification is silent this follows what runc and crun do, since
//! that is what profiles are written against; each such place says so.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag,
    LinuxSeccompOperator, LinuxSyscall,
};

use crate::error::{Error, Result};
use crate::filter::{Action, Condition, Operator, Profile, Rule};
use crate::sys::syscalls::{self, Abi};

const HERE: &str = "linux.seccomp";
const EPERM: u32 = nix::errno::Errno::EPERM as u32;
/// MAX_ERRNO of <linux/err.h>: what a system call can fail with at most.
const MAX_ERRNO: u32 = 4095;

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
    let errno = (seccomp.default_errno_ret(), "defaultErrnoRet");
    let default_action = action(seccomp.default_action(), errno, HERE)?;
    let mut rules = Vec::new();
    for (index, syscall) in seccomp.syscalls().iter().flatten().enumerate() {
        rules.extend(entry(syscall, &format!("{HERE}.syscalls[{index}]"))?);
    }
    let notifies = rules.iter().any(|rule| rule.action == Action::Notify);
    let profile = Profile {
        default_action,
        abis: abis(seccomp.architectures().as_deref().unwrap_or_default()),
        flags: flags(seccomp.flags().as_deref().unwrap_or_default(), notifies),
        listener_path: listener_path(seccomp, notifies)?,
        listener_metadata: seccomp.listener_metadata().clone().unwrap_or_default(),
        rules,
    };
    check_default(&profile)?;
    Ok(profile)
}

/// Reads linux.seccomp, and checks that init can do under it what remains to be done.
///
/// # Errors
/// As [`profile`], and a configuration error that names the call which is refused.
pub fn profile_for(seccomp: &LinuxSeccomp, no_new_privileges: bool) -> Result<Profile> {
    let profile = profile(seccomp)?;
    let refused = |name: &&str| profile.verdict(name).is_some_and(|a| a > Action::Notify);
    // With no_new_privs the filter is loaded right before execve, else before the capabilities go.
    let speaks = !no_new_privileges || profile.listener_path.is_some();
    let needed = if speaks { &["execve", "sendmsg", "recvmsg"][..] } else { &["execve"] };
    match needed.iter().find(|name| refused(name)) {
        None => Ok(profile),
        Some(&"execve") => {
            Err(Error::config(HERE, "refuses execve: the program could not be started"))
        }
        Some(name) if no_new_privileges => {
            let problem = format!("refuses {name}: the listener could not be handed over");
            Err(Error::config(HERE, problem))
        }
        Some(name) => {
            let problem = format!(
                "refuses {name}, which jec needs until the program starts: without \
                 process.noNewPrivileges the filter is loaded early"
            );
            Err(Error::config(HERE, problem))
        }
    }
}

/// runc refuses this too: see [`HANDS_OVER`].
fn check_default(profile: &Profile) -> Result<()> {
    if profile.default_action == Action::Notify {
        return Err(Error::config(
            format!("{HERE}.defaultAction"),
            "SCMP_ACT_NOTIFY cannot be the default: handing over the listener would wait for the \
             listener",
        ));
    }
    Ok(())
}

/// An action with its number; EPERM where the configuration is silent.
fn action(
    action: LinuxSeccompAction,
    (errno, property): (Option<u32>, &str),
    path: &str,
) -> Result<Action> {
    let number = |limit: u32| {
        let errno = errno.unwrap_or(EPERM);
        let fits = u16::try_from(errno).ok().filter(|_| errno <= limit);
        fits.ok_or_else(|| {
            let problem = format!("{errno} is out of range, {limit} is the highest");
            Error::config(format!("{path}.{property}"), problem)
        })
    };
    let plain = match action {
        LinuxSeccompAction::ScmpActErrno => return Ok(Action::Errno(number(MAX_ERRNO)?)),
        LinuxSeccompAction::ScmpActTrace => return Ok(Action::Trace(number(u16::MAX.into())?)),
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            Action::KillThread
        }
        LinuxSeccompAction::ScmpActKillProcess => Action::KillProcess,
        LinuxSeccompAction::ScmpActTrap => Action::Trap,
        LinuxSeccompAction::ScmpActNotify => Action::Notify,
        LinuxSeccompAction::ScmpActLog => Action::Log,
        LinuxSeccompAction::ScmpActAllow => Action::Allow,
    };
    match errno {
        Some(_) => Err(Error::config(
            format!("{path}.{property}"),
            format!("{action} takes no number, only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do"),
        )),
        None => Ok(plain),
    }
}

/// One entry of `syscalls`: usually one rule.
///
/// All `args` of an entry have to hold (that each was enough by itself was
/// CVE-2017-18367). But where two of them look at the same argument, runc and
/// crun let each be enough by itself, because old profiles meant that; so here.
fn entry(syscall: &LinuxSyscall, path: &str) -> Result<Vec<Rule>> {
    let errno = (syscall.errno_ret(), "errnoRet");
    let action = action(syscall.action(), errno, path)?;
    let names = syscall.names().clone();
    if names.is_empty() {
        let problem = "must have at least one entry";
        return Err(Error::config(format!("{path}.names"), problem));
    }
    let held = |name: &&String| action == Action::Notify && HANDS_OVER.contains(&name.as_str());
    if let Some(name) = names.iter().find(held) {
        let problem = format!("SCMP_ACT_NOTIFY cannot be used for {name}: jec needs it itself");
        return Err(Error::config(format!("{path}.action"), problem));
    }
    let mut conditions = Vec::new();
    for (index, arg) in syscall.args().iter().flatten().enumerate() {
        conditions.push(condition(arg, &format!("{path}.args[{index}]"))?);
    }
    let rule = |conditions| Rule { names: names.clone(), action, conditions };
    Ok(if looks_twice(&conditions) {
        let alone = |condition| rule(vec![condition]);
        conditions.into_iter().map(alone).collect()
    } else {
        vec![rule(conditions)]
    })
}

fn looks_twice(conditions: &[Condition]) -> bool {
    let mut seen = [false; 6];
    conditions
        .iter()
        .any(|condition| std::mem::replace(&mut seen[usize::from(condition.index)], true))
}

fn condition(arg: &LinuxSeccompArg, path: &str) -> Result<Condition> {
    let Some(index) = u8::try_from(arg.index()).ok().filter(|index| *index < 6) else {
        let problem = format!("{} is out of range: arguments are 0 to 5", arg.index());
        return Err(Error::config(format!("{path}.index"), problem));
    };
    let operator = match arg.op() {
        LinuxSeccompOperator::ScmpCmpNe => Operator::NotEqual,
        LinuxSeccompOperator::ScmpCmpLt => Operator::Less,
        LinuxSeccompOperator::ScmpCmpLe => Operator::LessOrEqual,
        LinuxSeccompOperator::ScmpCmpEq => Operator::Equal,
        LinuxSeccompOperator::ScmpCmpGe => Operator::GreaterOrEqual,
        LinuxSeccompOperator::ScmpCmpGt => Operator::Greater,
        LinuxSeccompOperator::ScmpCmpMaskedEq => Operator::MaskedEqual(arg.value()),
    };
    // SCMP_CMP_MASKED_EQ alone has two values: `value` is the mask, `valueTwo`
    // what has to be left (seccomp_rule_add(3)); absent is 0, as in runc and crun.
    let value = match operator {
        Operator::MaskedEqual(_) => arg.value_two().unwrap_or_default(),
        _ => arg.value(),
    };
    Ok(Condition { index, operator, value })
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
fn flags(flags: &[LinuxSeccompFilterFlag], notifies: bool) -> u64 {
    let number = |flag: &LinuxSeccompFilterFlag| match flag {
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => LOG,
        // With a listener the kernel wants to be told that a thread which
        // cannot follow is an errno, not a descriptor (Linux 5.7).
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync if notifies => TSYNC | TSYNC_ESRCH,
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => TSYNC,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => SPEC_ALLOW,
        // How to wait for a listener: without one EINVAL, and nothing to wait for.
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv if notifies => WAIT_KILLABLE_RECV,
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => 0,
    };
    let listener = if notifies { NEW_LISTENER } else { 0 };
    flags.iter().map(number).fold(listener, |all, flag| all | flag)
}

/// Where the listener goes; ignored, as the specification says, where nothing notifies.
fn listener_path(seccomp: &LinuxSeccomp, notifies: bool) -> Result<Option<CString>> {
    let property = || format!("{HERE}.listenerPath");
    let Some(path) = seccomp.listener_path() else {
        if notifies {
            return Err(Error::config(property(), "must be set for SCMP_ACT_NOTIFY"));
        }
        if seccomp.listener_metadata().is_some() {
            let problem = "must not be set without listenerPath";
            return Err(Error::config(format!("{HERE}.listenerMetadata"), problem));
        }
        return Ok(None);
    };
    let path = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::config(property(), "has a NUL byte"))?;
    Ok(notifies.then_some(path))
}

#[cfg(test)]
mod tests;
