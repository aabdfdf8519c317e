//! Random profiles: the compiled program, run by the interpreter, against a
//! reading of the profile that is as plain as possible.

use std::collections::HashMap;

use super::{Call, run};
use crate::filter::{Action, Condition, Operator, Profile, Rule, compile};
use crate::sys::syscalls;

fn holds(condition: &Condition, call: &Call) -> bool {
    let argument = call.args[usize::from(condition.index)];
    match condition.operator {
        Operator::Ne => argument != condition.value,
        Operator::Lt => argument < condition.value,
        Operator::Le => argument <= condition.value,
        Operator::Eq => argument == condition.value,
        Operator::Ge => argument >= condition.value,
        Operator::Gt => argument > condition.value,
        Operator::MaskedEq(mask) => argument & mask == condition.value & mask,
    }
}

/// What the documentation of [`Profile`] and [`Rule`] says, word by word.
fn expected(profile: &Profile, numbers: &Numbers, call: &Call) -> Action {
    let Some(abi) = profile.abis.iter().find(|abi| abi.audit_arch == call.arch) else {
        return Action::KillProcess;
    };
    let foreign = abi.foreign_from.is_some_and(|from| call.number >= from);
    if foreign && call.number != u32::MAX {
        return Action::KillProcess;
    }
    let number = |name: &String| numbers[&call.arch].get(name.as_str());
    let names = profile.rules.iter().flat_map(|rule| &rule.names);
    let newer = names.filter_map(number).max().is_some_and(|highest| call.number > *highest);
    if newer && profile.default_action > Action::Trace(u16::MAX) {
        return Action::Errno(38);
    }
    let of_call = |rule: &&Rule| {
        rule.action != profile.default_action
            && rule.names.iter().any(|name| number(name) == Some(&call.number))
    };
    let rules: Vec<_> = profile.rules.iter().filter(of_call).collect();
    let all = |rule: &&&Rule| rule.conditions.iter().all(|condition| holds(condition, call));
    let whole = rules.iter().find(|rule| rule.conditions.is_empty());
    whole.or_else(|| rules.iter().find(all)).map_or(profile.default_action, |rule| rule.action)
}

/// Names and numbers, by AUDIT_ARCH.
type Numbers = HashMap<u32, HashMap<&'static str, u32>>;

/// xorshift64: the same profiles in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Values around the edges of the 32-bit halves, where 64-bit comparisons break.
    fn value(&mut self) -> u64 {
        let half = [0, 1, 2, 7, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
        self.pick(&half) << 32 | self.pick(&half)
    }

    fn action(&mut self) -> Action {
        self.pick(&[
            Action::Allow,
            Action::Log,
            Action::Trace(5),
            Action::Notify,
            Action::Errno(1),
            Action::Errno(38),
            Action::Trap,
            Action::KillThread,
            Action::KillProcess,
        ])
    }

    fn condition(&mut self) -> Condition {
        let mask = self.value();
        let operator = self.pick(&[
            Operator::Ne,
            Operator::Lt,
            Operator::Le,
            Operator::Eq,
            Operator::Ge,
            Operator::Gt,
            Operator::MaskedEq(mask),
        ]);
        let index = u8::try_from(self.below(6)).unwrap();
        let value = self.value();
        Condition { index, operator, value }
    }

    fn profile(&mut self, rules: usize, names: usize) -> Profile {
        let known: Vec<_> = [&syscalls::X86_64, &syscalls::AARCH64]
            .iter()
            .flat_map(|abi| abi.calls().map(|(name, _)| name))
            .chain(["no_such_call"])
            .collect();
        let rule = |random: &mut Self| Rule {
            names: (0..=random.below(names)).map(|_| random.pick(&known).into()).collect(),
            action: random.action(),
            conditions: (0..random.below(4)).map(|_| random.condition()).collect(),
        };
        Profile {
            default_action: self.action(),
            abis: self
                .pick(&[&[&syscalls::X86_64] as &[_], &[&syscalls::AARCH64, &syscalls::X86_64]])
                .into(),
            flags: 0,
            listener_path: None,
            listener_metadata: String::new(),
            rules: (0..rules).map(|_| rule(self)).collect(),
        }
    }
}

/// Compares program and reading for every number, and tells how long the program is.
fn agree(profile: &Profile, random: &mut Random) -> usize {
    let abis = [&syscalls::X86_64, &syscalls::AARCH64, &syscalls::I386];
    let numbers = abis.map(|abi| (abi.audit_arch, abi.calls().collect())).into();
    let program = compile(profile).unwrap();
    let edges = [u32::MAX, 1 << 30, 0x4000_003b, u32::MAX - 1, (1 << 30) - 1, 1 << 31];
    for number in (0..600).chain(edges) {
        for arch in abis.map(|abi| abi.audit_arch) {
            let args = std::array::from_fn(|_| random.value());
            let call = Call { number, arch, args };
            let wanted = expected(profile, &numbers, &call).value();
            assert_eq!(run(&program, &call), wanted, "{call:?} {profile:#?}");
        }
    }
    program.len()
}

#[test]
fn small_random_profiles_mean_what_they_say() {
    let mut random = Random(0x5eed);
    for _ in 0..100 {
        let rules = random.below(6);
        let profile = random.profile(rules, 4);
        agree(&profile, &mut random);
    }
}

#[test]
fn large_random_profiles_mean_what_they_say() {
    let mut random = Random(0xcafe);
    let lengths = (0..30).map(|_| {
        let rules = random.below(40);
        let profile = random.profile(rules, 8);
        agree(&profile, &mut random)
    });
    // Long enough for jumps beyond the reach of a conditional one.
    assert!(lengths.max() > Some(1500));
}
