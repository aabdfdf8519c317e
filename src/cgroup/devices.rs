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

use crate::error::{Error, Result, unless};
use crate::plan::{DeviceKind, DeviceRule, Plan};
use crate::sys::bpf::{self, Instruction};
use crate::sys::file;

/// Compiles the rules and loads them into the kernel; none where nothing has to
/// be enforced: rules that allow everything.
///
/// Nor in a user namespace, the container's or our own, whose user the kernel takes no program from (EPERM): there
/// mknod(2) of a device fails, and every file system mounted there ignores device nodes.
/// Elsewhere rules that nobody enforces would leave every disk open to whoever can make a node.
pub(super) fn load(plan: &Plan) -> Result<Option<OwnedFd>> {
    let Some(program) = compile(&plan.cgroup.devices)? else {
        return Ok(None);
    };
    let loaded = unless(&[Errno::EPERM], bpf::load_device_program(&program))?;
    if loaded.is_none() && !plan.namespaces.has_user() && in_the_initial_user_namespace()? {
        return Err(Error::machine(
            "the kernel takes no device program from this process (bpf(2): EPERM), \
             so linux.resources.devices would deny nothing",
            "give jec CAP_BPF and CAP_NET_ADMIN, or the container a user namespace",
        ));
    }
    Ok(loaded)
}

/// Only there all ids are mapped, each to itself (user_namespaces(7)).
fn in_the_initial_user_namespace() -> Result<bool> {
    let map = file::read_file(file::HERE, c"/proc/self/uid_map", super::LONGEST)?;
    Ok(map.split_whitespace().eq(["0", "0", "4294967295"]))
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

/// The program for these rules; none when they allow everything.
fn compile(rules: &[DeviceRule]) -> Result<Option<Vec<Instruction>>> {
    // What stands before a rule that decides everything is never asked.
    let last_total = rules.iter().rposition(is_total);
    let otherwise = last_total.is_some_and(|at| rules[at].allow);
    let asked = &rules[last_total.map_or(0, |at| at + 1)..];
    let has_exceptions = asked.iter().any(|rule| rule.allow != otherwise);
    if rules.is_empty() || (otherwise && !has_exceptions) {
        return Ok(None);
    }
    // From its end to its beginning: so the rules are in their order, and every distance is known.
    let mut program = Vec::new();
    // The verifier refuses instructions that nothing reaches, so an answer that nobody gives.
    if has_exceptions {
        program.extend(answer(!otherwise));
    }
    let exception = program.len();
    program.extend(answer(otherwise));
    let usual = program.len();
    for rule in asked {
        let goal = if rule.allow == otherwise { usual } else { exception };
        append(&mut program, rule, goal);
    }
    let argument = |register: u8, offset| Instruction { offset, ..op(LOAD, register | 1 << 4, 0) };
    program.extend([
        argument(5, 8),
        argument(4, 4),
        op(SHIFT_RIGHT, 3, 16),
        op(AND, 2, 0xffff),
        op(MOVE_REGISTER, 3 | 2 << 4, 0),
        argument(2, 0),
    ]);
    program.reverse();
    if program.len() > LONGEST {
        return Err(Error::config("linux.resources.devices", "has too many rules for one program"));
    }
    Ok(Some(program))
}

fn is_total(rule: &DeviceRule) -> bool {
    (rule.kind, rule.major, rule.minor) == (None, None, None) && letters(rule) == ALL
}

fn letters(rule: &DeviceRule) -> i32 {
    i32::from(rule.mknod) * BPF_DEVCG_ACC_MKNOD
        + i32::from(rule.read) * BPF_DEVCG_ACC_READ
        + i32::from(rule.write) * BPF_DEVCG_ACC_WRITE
}

fn op(code: u8, registers: u8, immediate: i32) -> Instruction {
    Instruction { code, registers, offset: 0, immediate }
}

fn answer(yes: bool) -> [Instruction; 2] {
    [op(EXIT, 0, 0), op(MOVE, 0, yes.into())]
}

/// One rule, from its end: the verdict, which jumps to `goal`, then the conditions.
fn append(program: &mut Vec<Instruction>, rule: &DeviceRule, goal: usize) {
    let next = program.len();
    if rule.allow {
        jump(program, IF_EQUAL, 3, 0, goal);
        program.push(op(AND, 3, !letters(rule)));
    } else {
        jump(program, IF_ANY_BIT, 3, letters(rule), goal);
    }
    let kind = rule.kind.map(|kind| match kind {
        DeviceKind::Block => BPF_DEVCG_DEV_BLOCK,
        DeviceKind::Character => BPF_DEVCG_DEV_CHAR,
        // No device: matches nothing.
        DeviceKind::Fifo => 0,
    });
    let number = |number: Option<u32>| number.map(u32::cast_signed);
    for (register, value) in [(5, number(rule.minor)), (4, number(rule.major)), (2, kind)] {
        if let Some(value) = value {
            jump(program, IF_DIFFERENT, register, value, next);
        }
    }
}

/// A jump to where the program had `goal` instructions: as far as it has grown since.
fn jump(program: &mut Vec<Instruction>, code: u8, register: u8, immediate: i32, goal: usize) {
    // Not more than LONGEST, or compile() refuses the program.
    let offset = i16::try_from(program.len() - goal).unwrap_or(0);
    program.push(Instruction { offset, ..op(code, register, immediate) });
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
