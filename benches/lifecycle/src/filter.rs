//! The profile as a program for those that take no profile: the floor and
//! bubblewrap load what is written here. It is the cheapest shape known, a
//! binary search over ranges of numbers. Rules that look at arguments count as
//! they stand for the number (allow): the price of loading is the same.

use serde_json::Value;

#[cfg(target_arch = "x86_64")]
const TABLE: &str = include_str!("../../../src/sys/syscalls/x86_64.tbl");
#[cfg(target_arch = "aarch64")]
const TABLE: &str = include_str!("../../../src/sys/syscalls/aarch64.tbl");
const AUDIT_ARCH: u32 = if cfg!(target_arch = "aarch64") { 0xC000_00B7 } else { 0xC000_003E };

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
/// EPERM
const REFUSE: u32 = 0x0005_0001;

// <linux/filter.h>: load a word of seccomp_data, compare, return.
const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const ALWAYS: u16 = 0x05;
const RETURN: u16 = 0x06;
const NUMBER_AT: u32 = 0;
const ARCH_AT: u32 = 4;

type Instruction = (u16, u8, u8, u32);

/// The array of struct sock_filter for linux.seccomp.
pub fn compile(profile: &Value) -> Vec<u8> {
    let mut program: Vec<Instruction> = vec![
        (LOAD, 0, 0, ARCH_AT),
        (IF_EQUAL, 1, 0, AUDIT_ARCH),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
    ];
    search(&mut program, &ranges(&allowed(profile)));
    let mut bytes = Vec::new();
    for (code, yes, no, operand) in program {
        bytes.extend(code.to_ne_bytes());
        bytes.extend([yes, no]);
        bytes.extend(operand.to_ne_bytes());
    }
    bytes
}

/// The numbers that a rule allows, in order.
fn allowed(profile: &Value) -> Vec<u32> {
    let rules = profile["syscalls"].as_array().into_iter().flatten();
    let allowing = rules.filter(|rule| rule["action"] == "SCMP_ACT_ALLOW");
    let names: Vec<&str> = allowing
        .flat_map(|rule| rule["names"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let calls = TABLE.lines().filter_map(|line| line.split_once('\t'));
    let mut numbers: Vec<u32> = calls
        .filter(|(_, name)| names.contains(name))
        .filter_map(|(number, _)| number.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Where each range begins, and its answer.
fn ranges(allowed: &[u32]) -> Vec<(u32, u32)> {
    let mut ranges = vec![(0, REFUSE)];
    for number in allowed {
        if ranges.last().is_some_and(|(begin, _)| begin == number) {
            ranges.pop();
        }
        if ranges.last().is_none_or(|(_, answer)| *answer != ALLOW) {
            ranges.push((*number, ALLOW));
        }
        ranges.push((number + 1, REFUSE));
    }
    ranges
}

/// Half of the ranges on each side of a comparison.
fn search(program: &mut Vec<Instruction>, ranges: &[(u32, u32)]) {
    let [(_, answer)] = ranges else {
        let (low, high) = ranges.split_at(ranges.len() / 2);
        let (mut below, mut above) = (Vec::new(), Vec::new());
        search(&mut below, low);
        search(&mut above, high);
        // A distance has eight bits; a half that is longer is jumped over by an instruction of its own.
        if let Ok(far) = u8::try_from(below.len()) {
            program.push((IF_AT_LEAST, far, 0, high[0].0));
        } else {
            program.push((IF_AT_LEAST, 0, 1, high[0].0));
            program.push((ALWAYS, 0, 0, below.len() as u32));
        }
        program.extend(below);
        program.extend(above);
        return;
    };
    program.push((RETURN, 0, 0, *answer));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_range() {
        let found = ranges(&[0, 1, 2, 5, 7, 8]);
        let expected = [(0, ALLOW), (3, REFUSE), (5, ALLOW), (6, REFUSE), (7, ALLOW), (9, REFUSE)];
        assert_eq!(found, expected);
    }

    #[test]
    fn names_become_instructions() {
        let profile = serde_json::json!({ "syscalls": [
            { "action": "SCMP_ACT_ALLOW", "names": ["read", "write", "exit_group"] },
            { "action": "SCMP_ACT_ERRNO", "names": ["reboot"] },
        ]});
        assert_eq!(allowed(&profile).len(), 3);
        assert_eq!(compile(&profile).len() % 8, 0);
    }
}
