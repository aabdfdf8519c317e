//! From a profile to a program: who answers for which number.
//!
//! The program asks, in this order: through which interface does the call
//! come (a foreign one kills: its numbers mean other calls); what is its
//! number, by a binary search over ranges of numbers with one answer; and, for
//! the few numbers whose rules look at arguments, which rule holds. The last
//! part, comparing 64-bit arguments on a machine with a 32-bit accumulator, is
//! seccompiler's work.

use std::borrow::Cow;
use std::collections::HashMap;

use seccompiler::{SeccompCmpArgLen, SeccompCondition, SeccompRule, sock_filter};

use super::assemble::{Assembler, Field, Place, Target};
use super::{Action, Condition, Operator, Profile, Program};
use crate::error::{Error, Result};
use crate::sys::syscalls::Abi;

const ENOSYS: u16 = nix::errno::Errno::ENOSYS as u16;

/// What one rule says of one number.
struct Verdict<'a> {
    number: u32,
    action: Action,
    conditions: Cow<'a, [Condition]>,
}

/// The program for seccomp(2), in the order of execution.
///
/// # Errors
/// A configuration error when the profile needs more instructions than the kernel takes.
pub fn compile(profile: &Profile) -> Result<Program> {
    let mut program = Assembler::default();
    // KILL_PROCESS, not an errno: libseccomp kills too, and one who calls
    // through a foreign interface either cannot go on or looks for a hole.
    let mut entry = program.returning(Action::KillProcess.value());
    // Written last is executed first: the machine's own interface.
    for abi in profile.abis.iter().rev() {
        let numbers = interface(&mut program, profile, abi)?;
        entry = program.if_equal(abi.audit_arch, numbers, entry);
    }
    program.load(Field::Arch, entry);
    program.finish()
}

/// The part of the program for the calls of one interface.
fn interface(program: &mut Assembler, profile: &Profile, abi: &Abi) -> Result<Place> {
    let default = Target::Return(profile.default_action.value());
    let mut ranges = Vec::new();
    let mut next = 0;
    for verdicts in verdicts(profile, abi).chunk_by(|a, b| a.number == b.number) {
        let number = verdicts[0].number;
        if number > next {
            ranges.push((next, default));
        }
        ranges.push((number, target(program, profile, verdicts)?));
        next = number + 1;
    }
    let newer = Target::Return(newer(profile, next).value());
    ranges.push((next, newer));
    if let Some(foreign) = abi.foreign_from {
        ranges.push((foreign, Target::Return(Action::KillProcess.value())));
        // A tracer skips a call by making its number -1: that is no foreign call.
        ranges.push((u32::MAX, newer));
    }
    ranges.dedup_by_key(|(_, target)| *target);
    let search = program.search(ranges[0].1, &ranges[1..]);
    Ok(program.load(Field::Number, search))
}

/// The answer for numbers above the highest that the profile names. Whoever
/// wrote a profile with a refusing default did not know these calls, and
/// programs fall back to older calls on ENOSYS, not on EPERM (runc does the
/// same). A profile that names nothing meant all calls.
fn newer(profile: &Profile, first: u32) -> Action {
    match profile.default_action {
        Action::Allow | Action::Log | Action::Trace(_) => profile.default_action,
        default if first == 0 => default,
        _ => Action::Errno(ENOSYS),
    }
}

/// Every rule of every number, sorted by number, else in the order of the profile.
fn verdicts<'a>(profile: &'a Profile, abi: &Abi) -> Vec<Verdict<'a>> {
    let numbers: HashMap<_, _> = abi.calls().collect();
    let mut verdicts = Vec::with_capacity(512);
    let mut add = |name: &str, action, conditions| {
        if let Some(&number) = numbers.get(name) {
            verdicts.push(Verdict { number, action, conditions });
        }
    };
    for rule in &profile.rules {
        for name in &rule.names {
            add(name, rule.action, rule.conditions.as_slice().into());
            // The arguments of a multiplexed call are in memory, out of the
            // filter's sight: what is refused for some is refused for all.
            if rule.conditions.is_empty() || rule.action > profile.default_action {
                for (through, condition) in multiplexed(abi, name) {
                    add(through, rule.action, vec![condition].into());
                }
            }
        }
    }
    verdicts.sort_by_key(|verdict| verdict.number);
    verdicts
}

/// Through which other calls `name` is reached, and by which first argument.
fn multiplexed(abi: &Abi, name: &str) -> impl Iterator<Item = (&'static str, Condition)> {
    abi.multiplexed.iter().filter_map(move |(through, first, names)| {
        let (_, value) = names.split(' ').zip(*first..).find(|(n, _)| *n == name)?;
        // ipc(2) takes a version in the upper half and ignores most of them.
        let operator = Operator::MaskedEq(0xffff);
        Some((*through, Condition { index: 0, operator, value }))
    })
}

/// The answer for one number: a value, or a block that looks at the arguments.
fn target(program: &mut Assembler, profile: &Profile, verdicts: &[Verdict]) -> Result<Target> {
    let rules = verdicts.iter().map(|verdict| (verdict.action, &*verdict.conditions));
    if let Some(action) = profile.plain(rules) {
        return Ok(Target::Return(action.value()));
    }
    let default = profile.default_action;
    let mut block = Program::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.action != default) {
        // seccompiler's rule falls through to the next instruction if all
        // conditions hold, and skips exactly that one if one fails.
        let rule = rule(&verdict.conditions)
            .map_err(|error| Error::config("linux.seccomp.syscalls", error.to_string()))?;
        block.extend(Program::from(rule));
        block.push(returning(verdict.action));
    }
    block.push(returning(default));
    Ok(Target::Goto(program.block(block)))
}

fn returning(action: Action) -> sock_filter {
    let (code, k) = (0x06, action.value()); // BPF_RET | BPF_K
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Conditions in seccompiler's words. Qword, as in libseccomp: an allow-list
/// that compared 32 of the 64 bits could be cheated with the others. (A
/// deny-list can be cheated so where the kernel itself takes 32: allow instead.)
fn rule(conditions: &[Condition]) -> std::result::Result<SeccompRule, seccompiler::BackendError> {
    let compare = |condition: &Condition| {
        let (length, operator) = (SeccompCmpArgLen::Qword, condition.operator.clone());
        SeccompCondition::new(condition.index, length, operator, condition.value)
    };
    SeccompRule::new(conditions.iter().map(compare).collect::<std::result::Result<_, _>>()?)
}
