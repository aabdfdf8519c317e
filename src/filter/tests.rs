//! The compiled programs, run by a small interpreter and compared with a
//! reading of the profile that is as plain as possible.

use std::collections::HashMap;

use super::{Action, Condition, Operator, Profile, Program, Rule, compile};
use crate::sys::syscalls::{self, Abi};

/// `struct seccomp_data` without the instruction pointer, which no filter here reads.
#[derive(Debug, Clone, Copy)]
struct Call {
    number: u32,
    arch: u32,
    args: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        let low = |value: u64| (value & 0xffff_ffff) as u32;
        match offset {
            0 => self.number,
            4 => self.arch,
            16.. if offset % 8 == 0 => low(self.args[(offset as usize - 16) / 8]),
            16.. => low(self.args[(offset as usize - 20) / 8] >> 32),
            _ => panic!("reads offset {offset}"),
        }
    }
}

/// Runs a program as the kernel does; panics where the kernel would refuse it.
fn run(program: &Program, call: &Call) -> u32 {
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let instruction = &program[at];
        let (yes, no) = (instruction.jt as usize, instruction.jf as usize);
        let k = instruction.k;
        let decide = |test: bool| if test { yes } else { no };
        at += 1 + match instruction.code {
            0x20 => {
                accumulator = call.word(k);
                0
            }
            0x54 => {
                accumulator &= k;
                0
            }
            0x05 => k as usize,
            0x15 => decide(accumulator == k),
            0x25 => decide(accumulator > k),
            0x35 => decide(accumulator >= k),
            0x06 => return k,
            code => panic!("unknown code {code:#x}"),
        };
    }
}

/// A compiled profile that can be asked.
pub struct Machine(Program);

impl Machine {
    pub fn new(profile: &Profile) -> Self {
        Self(compile(profile).unwrap())
    }

    /// The verdict on a call of this machine's own interface, by its name.
    pub fn native(&self, name: &str, args: [u64; 6]) -> u32 {
        let mut calls = syscalls::NATIVE.calls();
        let (_, number) = calls.find(|(known, _)| *known == name).unwrap();
        let arch = syscalls::NATIVE.audit_arch;
        run(&self.0, &Call { number, arch, args })
    }

    /// The verdict on a number of this machine's own interface.
    pub fn number(&self, number: u32) -> u32 {
        let (arch, args) = (syscalls::NATIVE.audit_arch, [0; 6]);
        run(&self.0, &Call { number, arch, args })
    }
}

fn holds(condition: &Condition, call: &Call) -> bool {
    let argument = call.args[usize::from(condition.index)];
    match condition.operator {
        Operator::NotEqual => argument != condition.value,
        Operator::Less => argument < condition.value,
        Operator::LessOrEqual => argument <= condition.value,
        Operator::Equal => argument == condition.value,
        Operator::GreaterOrEqual => argument >= condition.value,
        Operator::Greater => argument > condition.value,
        Operator::MaskedEqual(mask) => argument & mask == condition.value & mask,
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

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
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
            Operator::NotEqual,
            Operator::Less,
            Operator::LessOrEqual,
            Operator::Equal,
            Operator::GreaterOrEqual,
            Operator::Greater,
            Operator::MaskedEqual(mask),
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
    let edges = [u32::MAX, 1 << 30, (1 << 30) | 59, u32::MAX - 1, (1 << 30) - 1, 1 << 31];
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

fn simple(default_action: Action, rules: &[(&str, Action, &[Condition])]) -> Profile {
    let rule = |(names, action, conditions): &(&str, Action, &[Condition])| Rule {
        names: names.split(' ').map(String::from).collect(),
        action: *action,
        conditions: conditions.to_vec(),
    };
    Profile {
        default_action,
        abis: vec![syscalls::NATIVE],
        flags: 0,
        listener_path: None,
        listener_metadata: String::new(),
        rules: rules.iter().map(rule).collect(),
    }
}

const FIRST_IS_16: Condition = Condition { index: 0, operator: Operator::Equal, value: 16 };
const THIRD_IS_9: Condition = Condition { index: 2, operator: Operator::Equal, value: 9 };

/// CVE-2017-18367: either condition was taken for enough.
#[test]
fn two_conditions_have_to_hold_both() {
    let rules: &[(_, _, &[_])] = &[("socket", Action::Allow, &[FIRST_IS_16, THIRD_IS_9])];
    let machine = Machine::new(&simple(Action::Errno(1), rules));
    let verdict = |first, third| machine.native("socket", [first, 0, third, 0, 0, 0]);
    assert_eq!(verdict(16, 9), Action::Allow.value());
    assert_eq!(verdict(16, 8), Action::Errno(1).value());
    assert_eq!(verdict(15, 9), Action::Errno(1).value());
    assert_eq!(verdict(16 | 1 << 32, 9), Action::Errno(1).value());
}

#[test]
fn a_rule_without_conditions_beats_those_with() {
    for order in [[0, 1], [1, 0]] {
        let rules: [(_, _, &[_]); 2] =
            [("socket", Action::Trap, &[FIRST_IS_16]), ("socket", Action::Allow, &[])];
        let rules = order.map(|index| rules[index]);
        let machine = Machine::new(&simple(Action::Errno(1), &rules));
        assert_eq!(machine.native("socket", [16, 0, 0, 0, 0, 0]), Action::Allow.value());
    }
}

#[test]
fn a_permissive_profile_lets_new_calls_through_but_no_foreign_interface() {
    let machine = Machine::new(&simple(Action::Allow, &[("mount", Action::Errno(1), &[])]));
    assert_eq!(machine.number(600), Action::Allow.value());
    if syscalls::NATIVE.foreign_from.is_some() {
        assert_eq!(machine.number(1 << 30 | 165), Action::KillProcess.value());
        assert_eq!(machine.number(u32::MAX), Action::Allow.value());
    }
}

#[test]
fn a_profile_that_names_nothing_refuses_everything_alike() {
    let machine = Machine::new(&simple(Action::Errno(1), &[("no_such_call", Action::Allow, &[])]));
    assert_eq!(machine.number(0), Action::Errno(1).value());
    assert_eq!(machine.number(600), Action::Errno(1).value());
}

#[test]
fn a_named_call_with_the_default_action_is_known_to_the_profile() {
    let machine = Machine::new(&simple(Action::Errno(1), &[("openat2", Action::Errno(1), &[])]));
    assert_eq!(machine.native("openat2", [0; 6]), Action::Errno(1).value());
    assert_eq!(machine.native("faccessat2", [0; 6]), Action::Errno(38).value());
}

fn through(abi: &'static Abi, profile: Profile, name: &str, first: u64) -> u32 {
    let program = compile(&Profile { abis: vec![abi], ..profile }).unwrap();
    let (_, number) = abi.calls().find(|(known, _)| *known == name).unwrap();
    let args = [first, 16, 9, 0, 0, 0];
    run(&program, &Call { number, arch: abi.audit_arch, args })
}

#[test]
fn a_refused_call_is_refused_through_the_multiplexer_too() {
    let refuse = || simple(Action::Allow, &[("socket semctl", Action::Errno(1), &[])]);
    let i386 = &syscalls::I386;
    assert_eq!(through(i386, refuse(), "socketcall", 1), Action::Errno(1).value());
    assert_eq!(through(i386, refuse(), "socketcall", 3), Action::Allow.value());
    // The version in the upper half of ipc(2)'s first argument changes nothing.
    assert_eq!(through(i386, refuse(), "ipc", 3 | 1 << 16), Action::Errno(1).value());
    assert_eq!(through(i386, refuse(), "ipc", 11), Action::Allow.value());
}

#[test]
fn what_depends_on_arguments_is_refused_as_a_whole_through_the_multiplexer() {
    let refuse: &[(_, _, &[_])] = &[("socket", Action::Errno(1), &[FIRST_IS_16])];
    let profile = simple(Action::Allow, refuse);
    assert_eq!(through(&syscalls::I386, profile, "socketcall", 1), Action::Errno(1).value());
    let allow: &[(_, _, &[_])] =
        &[("socket", Action::Allow, &[FIRST_IS_16]), ("xattr openat2", Action::Allow, &[])];
    let profile = simple(Action::Errno(1), allow);
    assert_eq!(through(&syscalls::I386, profile, "socketcall", 1), Action::Errno(1).value());
}

#[test]
fn a_program_the_kernel_cannot_take_is_a_configuration_error() {
    let rule = ("read", Action::Allow, &[FIRST_IS_16, THIRD_IS_9] as &[_]);
    let error = compile(&simple(Action::Errno(1), &[rule; 600])).unwrap_err();
    assert!(error.to_string().starts_with("linux.seccomp.syscalls: needs "), "{error}");
}

#[test]
fn six_conditions_and_long_chains_still_jump_right() {
    let ask = |value| Condition { index: 5, operator: Operator::Greater, value };
    let conditions: Vec<_> = (0..60).map(ask).collect();
    let rules: [(_, _, &[_]); 1] = [("read", Action::Trap, &conditions)];
    let machine = Machine::new(&simple(Action::Allow, &rules));
    assert_eq!(machine.native("read", [0, 0, 0, 0, 0, 60]), Action::Trap.value());
    assert_eq!(machine.native("read", [0, 0, 0, 0, 0, 59]), Action::Allow.value());
    assert_eq!(machine.native("read", [0; 6]), Action::Allow.value());
    assert_eq!(machine.native("write", [0; 6]), Action::Allow.value());
}
