//! The compiled programs, run by a small interpreter.

use super::{Action, Condition, Operator, Profile, Program, Rule, compile};
use crate::sys::syscalls::{self, Abi};

mod random;

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
            16.. if offset.is_multiple_of(8) => low(self.args[(offset as usize - 16) / 8]),
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

const FIRST_IS_16: Condition = Condition { index: 0, operator: Operator::Eq, value: 16 };
const THIRD_IS_9: Condition = Condition { index: 2, operator: Operator::Eq, value: 9 };

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
        assert_eq!(machine.number(0x4000_00a5), Action::KillProcess.value());
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
    let error = compile(&simple(Action::Errno(1), &vec![rule; 600])).unwrap_err();
    assert!(error.to_string().starts_with("linux.seccomp.syscalls: needs "), "{error}");
}

#[test]
fn a_long_chain_of_conditions_still_jumps_right() {
    let ask = |value| Condition { index: 5, operator: Operator::Gt, value };
    let conditions: Vec<_> = (0..60).map(ask).collect();
    let rules: [(_, _, &[_]); 1] = [("read", Action::Trap, &conditions)];
    let machine = Machine::new(&simple(Action::Allow, &rules));
    assert_eq!(machine.native("read", [0, 0, 0, 0, 0, 60]), Action::Trap.value());
    assert_eq!(machine.native("read", [0, 0, 0, 0, 0, 59]), Action::Allow.value());
    assert_eq!(machine.native("read", [0; 6]), Action::Allow.value());
    assert_eq!(machine.native("write", [0; 6]), Action::Allow.value());
}
