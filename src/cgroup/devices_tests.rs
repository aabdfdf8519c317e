use super::*;
use crate::plan::default_devices;

/// What the rules mean, said as simply as possible.
fn meaning(rules: &[DeviceRule], kind: DeviceKind, major: u32, minor: u32, access: i32) -> bool {
    let fits = |rule: &DeviceRule, letter: i32| {
        rule.kind.is_none_or(|wanted| wanted == kind)
            && rule.major.is_none_or(|wanted| wanted == major)
            && rule.minor.is_none_or(|wanted| wanted == minor)
            && letters(rule) & letter != 0
    };
    [1, 2, 4].into_iter().filter(|letter| access & letter != 0).all(|letter| {
        rules.iter().rev().find(|rule| fits(rule, letter)).is_some_and(|rule| rule.allow)
    })
}

/// Runs a program as the kernel would.
fn run(program: &[Instruction], kind: i32, major: u32, minor: u32, access: i32) -> bool {
    let argument = [(access << 16 | kind).cast_unsigned(), major, minor];
    let mut r = [0_u32; 11];
    let mut at = 0;
    loop {
        let Instruction { code, registers, offset, immediate } = program[at];
        let (d, s) = (usize::from(registers & 15), usize::from(registers >> 4));
        let k = immediate.cast_unsigned();
        let taken = match code {
            LOAD => {
                assert_eq!(s, 1);
                r[d] = argument[usize::try_from(offset).unwrap() / 4];
                false
            }
            MOVE => {
                r[d] = k;
                false
            }
            MOVE_REGISTER => {
                r[d] = r[s];
                false
            }
            AND => {
                r[d] &= k;
                false
            }
            SHIFT_RIGHT => {
                r[d] >>= k;
                false
            }
            IF_EQUAL => r[d] == k,
            JUMP => true,
            IF_ANY_BIT => r[d] & k != 0,
            EXIT => return r[0] == 1,
            other => panic!("unknown instruction {other:#x}"),
        };
        at += 1 + if taken { usize::try_from(offset).unwrap() } else { 0 };
    }
}

fn rule(
    allow: bool,
    kind: Option<DeviceKind>,
    major: Option<u32>,
    minor: Option<u32>,
    access: &str,
) -> DeviceRule {
    DeviceRule {
        allow,
        kind,
        major,
        minor,
        read: access.contains('r'),
        write: access.contains('w'),
        mknod: access.contains('m'),
    }
}

/// Every device and access that matters for small rule sets.
fn agree(rules: &[DeviceRule]) {
    let program = compile(rules).unwrap();
    for (kind, word) in
        [(DeviceKind::Block, BPF_DEVCG_DEV_BLOCK), (DeviceKind::Character, BPF_DEVCG_DEV_CHAR)]
    {
        for major in [0, 1, 2, 136, u32::MAX] {
            for minor in [0, 1, 3, u32::MAX] {
                for access in 1..=7 {
                    let expected = meaning(rules, kind, major, minor, access);
                    let found = program
                        .as_ref()
                        .is_none_or(|program| run(program, word, major, minor, access));
                    assert_eq!(found, expected, "{rules:?}\n{kind:?} {major}:{minor} {access}");
                }
            }
        }
    }
}

#[test]
fn the_program_means_what_the_rules_mean() {
    // All lists of one to three rules out of these.
    let some = [
        rule(false, None, None, None, "rwm"),
        rule(true, None, None, None, "rwm"),
        rule(true, None, None, None, "m"),
        rule(false, Some(DeviceKind::Block), None, None, "rw"),
        rule(true, Some(DeviceKind::Character), Some(1), Some(3), "rw"),
        rule(false, Some(DeviceKind::Character), Some(1), None, "w"),
        rule(true, None, Some(u32::MAX), Some(u32::MAX), "r"),
        rule(true, None, None, Some(3), "rwm"),
    ];
    for a in some {
        agree(&[a]);
        for b in some {
            agree(&[a, b]);
            for c in some {
                agree(&[a, b, c]);
            }
        }
    }
}

#[test]
fn opening_for_reading_and_writing_needs_both() {
    // runc asks whether the access is a part of the rule's letters, so that there
    // "deny w" does not stop an open for reading and writing.
    let null = |allow, access| rule(allow, Some(DeviceKind::Character), Some(1), Some(3), access);
    let rules = [rule(true, None, None, None, "rwm"), null(false, "w")];
    let program = compile(&rules).unwrap().unwrap();
    let opened = |access| run(&program, BPF_DEVCG_DEV_CHAR, 1, 3, access);
    assert!(opened(BPF_DEVCG_ACC_READ));
    assert!(!opened(BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE));
    agree(&[null(true, "r"), null(true, "w")]);
}

#[test]
fn rules_that_allow_everything_need_no_program() {
    let all = rule(true, None, None, None, "rwm");
    assert_eq!(compile(&[]), Ok(None));
    assert_eq!(compile(&[all]), Ok(None));
    assert_eq!(compile(&[rule(false, None, None, None, "rwm"), all]), Ok(None));
    assert!(compile(&[all, rule(false, None, Some(1), None, "r")]).unwrap().is_some());
}

#[test]
fn the_default_program_is_short_and_too_many_rules_are_refused() {
    agree(&default_devices());
    assert!(compile(&default_devices()).unwrap().unwrap().len() < 32);
    let many = vec![rule(true, Some(DeviceKind::Block), Some(8), Some(1), "r"); 1000];
    assert!(compile(&many).is_err());
    // Few rules can need many instructions: each minor behind each major.
    let block = |major, minor| rule(true, Some(DeviceKind::Block), major, minor, "r");
    let majors = (0..100).map(|major| block(Some(major), Some(1000)));
    let minors = (0..100).map(|minor| block(None, Some(minor)));
    assert!(compile(&majors.chain(minors).collect::<Vec<_>>()).is_err());
}

#[test]
fn no_instruction_is_out_of_reach_which_the_verifier_would_refuse() {
    let a = rule(true, Some(DeviceKind::Character), Some(1), Some(3), "rw");
    let b = rule(false, None, Some(1), None, "w");
    let c = rule(true, None, None, Some(3), "rwm");
    for rules in [vec![a], vec![a, b], vec![b, a], vec![c, b, a], vec![a, c], default_devices()] {
        let program = compile(&rules).unwrap().unwrap();
        let goals = program
            .iter()
            .enumerate()
            .filter(|(_, i)| [JUMP, IF_EQUAL, IF_ANY_BIT].contains(&i.code));
        let goals: Vec<_> =
            goals.map(|(at, i)| at + 1 + usize::try_from(i.offset).unwrap()).collect();
        for at in 1..program.len() {
            let falls_through = ![JUMP, EXIT].contains(&program[at - 1].code);
            assert!(falls_through || goals.contains(&at), "{rules:?}: {at} of {program:?}");
        }
    }
}
