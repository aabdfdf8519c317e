//! The device rules, as a program that the kernel runs at every open(2) and
//! mknod(2) of a device node.
//!
//! cgroup v1 had a controller `devices`; v2 has none. It asks an eBPF program
//! of the cgroup instead, which gets `struct bpf_cgroup_dev_ctx` (kind and
//! access, major, minor) and answers 1 (yes) or 0 (EPERM). eBPF is a machine
//! of eleven registers and instructions of 8 bytes; `r1` points to the
//! argument, `r0` is the answer.
//!
//! The rules are in order and the last one that fits wins, for each of the
//! letters r, w, m on its own. So the program asks the rules from last to
//! first and keeps in `r3` the letters that nobody has decided:
//!
//! ```text
//!       r2 = kind   r3 = access   r4 = major   r5 = minor
//! rule: if r2 != c goto next      only what the rule names
//!       if r4 != 1 goto next
//!       if r5 != 3 goto next
//!       deny:  if r3 & letters goto no
//!       allow: r3 &= ~letters;  if r3 == 0 goto yes
//! next: ...
//!       no: r0 = 0; exit          a letter that no rule allows
//!      yes: r0 = 1; exit
//! ```

use std::os::fd::OwnedFd;

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::plan::{DeviceKind, DeviceRule};
use crate::sys::bpf::{self, Instruction};

/// What became of the device rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceProgram {
    /// The kernel enforces them.
    Attached,
    /// They allow everything, so there is nothing to enforce.
    Unneeded,
    /// The kernel takes no program from this user (EPERM). In a user namespace
    /// of her own nothing is lost by that: there mknod(2) of a device fails,
    /// and every file system mounted there ignores device nodes.
    Unprivileged,
}

/// A program in the kernel, not attached yet.
pub(super) enum Loaded {
    Program(OwnedFd),
    Nothing(DeviceProgram),
}

impl Loaded {
    pub(super) fn answer(&self) -> DeviceProgram {
        match self {
            Self::Program(_) => DeviceProgram::Attached,
            Self::Nothing(why) => *why,
        }
    }
}

/// Compiles and loads the rules.
pub(super) fn load(rules: &[DeviceRule]) -> Result<Loaded> {
    let Some(program) = compile(rules)? else {
        return Ok(Loaded::Nothing(DeviceProgram::Unneeded));
    };
    match bpf::load_device_program(&program) {
        Err(error) if error.is(Errno::EPERM) => Ok(Loaded::Nothing(DeviceProgram::Unprivileged)),
        other => other.map(Loaded::Program),
    }
}

// <linux/bpf.h>: what the argument's first word is made of.
const BPF_DEVCG_DEV_BLOCK: i32 = 1;
const BPF_DEVCG_DEV_CHAR: i32 = 2;
const BPF_DEVCG_ACC_MKNOD: i32 = 1;
const BPF_DEVCG_ACC_READ: i32 = 2;
const BPF_DEVCG_ACC_WRITE: i32 = 4;
const ALL: i32 = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

// <linux/bpf_common.h>, <linux/bpf.h>: class | operation | operand. All of them work on
// 32 bits: majors and minors are 32 bits wide, and an immediate would be sign-extended to 64.
const LOAD: u8 = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const MOVE: u8 = 0xb4; // BPF_ALU | BPF_MOV | BPF_K
const MOVE_REGISTER: u8 = 0xbc; // BPF_ALU | BPF_MOV | BPF_X
const AND: u8 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const SHIFT_RIGHT: u8 = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const IF_EQUAL: u8 = 0x16; // BPF_JMP32 | BPF_JEQ | BPF_K (Linux 5.1)
const IF_DIFFERENT: u8 = 0x56; // BPF_JMP32 | BPF_JNE | BPF_K
const IF_ANY_BIT: u8 = 0x46; // BPF_JMP32 | BPF_JSET | BPF_K
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

/// BPF_MAXINSNS: what every kernel takes from everybody who may load at all.
const LONGEST: usize = 4096;

/// Stand-ins for the distance to the two answers, known only at the end.
const TO_NO: i16 = i16::MAX;
const TO_YES: i16 = i16::MAX - 1;

fn op(code: u8, register: u8, immediate: i32) -> Instruction {
    Instruction { code, registers: register, offset: 0, immediate }
}

fn jump(code: u8, register: u8, immediate: i32, offset: i16) -> Instruction {
    Instruction { code, registers: register, offset, immediate }
}

/// The program for these rules; none when they allow everything.
fn compile(rules: &[DeviceRule]) -> Result<Option<Vec<Instruction>>> {
    // What stands before a rule that decides everything is never asked.
    let last_total = rules.iter().rposition(is_total);
    let otherwise = last_total.is_some_and(|at| rules[at].allow);
    let asked = &rules[last_total.map_or(0, |at| at + 1)..];
    if rules.is_empty() || (otherwise && asked.iter().all(|rule| rule.allow)) {
        return Ok(None);
    }
    let argument = |register: u8, offset| jump(LOAD, register | 1 << 4, 0, offset);
    let mut program = vec![
        argument(2, 0),
        op(MOVE_REGISTER, 3 | 2 << 4, 0),
        op(AND, 2, 0xffff),
        op(SHIFT_RIGHT, 3, 16),
        argument(4, 4),
        argument(5, 8),
    ];
    for rule in asked.iter().rev() {
        append(&mut program, rule);
    }
    finish(&mut program, otherwise);
    if program.len() > LONGEST {
        return Err(Error::config("linux.resources.devices", "has too many rules for one program"));
    }
    Ok(Some(program))
}

fn is_total(rule: &DeviceRule) -> bool {
    (rule.kind, rule.major, rule.minor) == (None, None, None) && letters(rule) == ALL
}

fn letters(rule: &DeviceRule) -> i32 {
    let bit = |given: bool, bit: i32| if given { bit } else { 0 };
    bit(rule.mknod, BPF_DEVCG_ACC_MKNOD)
        | bit(rule.read, BPF_DEVCG_ACC_READ)
        | bit(rule.write, BPF_DEVCG_ACC_WRITE)
}

/// One rule: its conditions, then its verdict.
fn append(program: &mut Vec<Instruction>, rule: &DeviceRule) {
    let kind = rule.kind.map(|kind| match kind {
        DeviceKind::Block => BPF_DEVCG_DEV_BLOCK,
        DeviceKind::Character => BPF_DEVCG_DEV_CHAR,
        // No device: matches nothing.
        DeviceKind::Fifo => 0,
    });
    let verdict = if rule.allow {
        vec![op(AND, 3, !letters(rule)), jump(IF_EQUAL, 3, 0, TO_YES)]
    } else {
        vec![jump(IF_ANY_BIT, 3, letters(rule), TO_NO)]
    };
    let number = |number: Option<u32>| number.map(u32::cast_signed);
    let conditions = [(2, kind), (4, number(rule.major)), (5, number(rule.minor))];
    let named: Vec<(u8, i32)> =
        conditions.into_iter().filter_map(|(register, value)| Some((register, value?))).collect();
    for (at, (register, value)) in named.iter().enumerate() {
        // At most two conditions and two instructions of the verdict are skipped.
        let rest = named.len() - at - 1 + verdict.len();
        program.push(jump(IF_DIFFERENT, *register, *value, i16::try_from(rest).unwrap_or(0)));
    }
    program.extend(verdict);
}

/// Writes the two answers and turns the stand-ins into distances. The verifier
/// refuses instructions that nothing reaches, so the answer that is nobody's
/// goal is left out.
fn finish(program: &mut Vec<Instruction>, otherwise: bool) {
    let (here, other) = if otherwise { (TO_YES, TO_NO) } else { (TO_NO, TO_YES) };
    let falls_to = program.len();
    let is_goal = program.iter().any(|instruction| instruction.offset == other);
    program.extend([op(MOVE, 0, i32::from(otherwise)), op(EXIT, 0, 0)]);
    if is_goal {
        program.extend([op(MOVE, 0, i32::from(!otherwise)), op(EXIT, 0, 0)]);
    }
    for (at, instruction) in program.iter_mut().enumerate() {
        let goal = match instruction.offset {
            offset if offset == here => falls_to,
            offset if offset == other => falls_to + 2,
            _ => continue,
        };
        // Not more than LONGEST away, or compile() refuses the program.
        instruction.offset = i16::try_from(goal - at - 1).unwrap_or(0);
    }
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
