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
//! letters r, w, m on its own. That is settled here, once for each device that
//! a rule names, so that the program only looks the device up: it asks for the
//! kind, then for the major, then for the minor, and then knows which letters
//! are allowed. Asked one rule after the other (99 instructions for the
//! default rules, now 27), the kernel's verifier took five times as long: 0.6 ms
//! more for each start.
//!
//! ```text
//!       r2 = kind   r3 = access   r4 = major   r5 = minor
//!       if r2 == c goto c         only what the rules name
//!       goto rest
//!    c: if r4 == 1 goto c1
//!       if r4 == 136 goto yes
//! rest: if r3 & ~letters goto no
//!       goto yes
//!   c1: if r5 == 3 goto yes
//!       ...
//!   no: r0 = 0; exit              a letter that no rule allows
//!  yes: r0 = 1; exit
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use nix::errno::Errno;

use crate::error::{Error, Result, ensure, unless};
use crate::plan::{DeviceKind, DeviceRule, Plan};
use crate::sys::bpf::{self, Instruction};
use crate::sys::credentials;

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
    let has_user = plan.namespaces.has_user();
    ensure(loaded.is_some() || has_user || !credentials::in_the_initial_user_namespace()?, || {
        let lacks = "the kernel takes no device program from this process (bpf(2): EPERM), \
            so linux.resources.devices would deny nothing";
        let cure = "give jec CAP_BPF and CAP_NET_ADMIN, or the container a user namespace";
        Error::machine(lacks, cure)
    })?;
    Ok(loaded)
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
const JUMP: u8 = 0x05; // BPF_JMP | BPF_JA
const IF_ANY_BIT: u8 = 0x46; // BPF_JMP32 | BPF_JSET | BPF_K
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

/// BPF_MAXINSNS: what every kernel takes from everybody who may load at all.
const LONGEST: usize = 4096;
/// Fewer than that many rules are compiled in a moment, whatever they are.
const MOST_RULES: usize = 800;

/// What a rule can name, in the order in which the program asks: the register, and the value.
type Field = (u8, fn(&DeviceRule) -> Option<i32>);
const FIELDS: [Field; 3] = [
    (2, |rule| rule.kind.map(number)),
    (4, |rule| rule.major.map(u32::cast_signed)),
    (5, |rule| rule.minor.map(u32::cast_signed)),
];

/// The program for these rules; none when they allow everything.
fn compile(rules: &[DeviceRule]) -> Result<Option<Vec<Instruction>>> {
    let too_many =
        || Error::config("linux.resources.devices", "has too many rules for one program");
    ensure(rules.len() <= MOST_RULES, too_many)?;
    let mut program = Program::default();
    let begin = program.look_up(&rules.iter().collect::<Vec<_>>(), &FIELDS);
    if rules.is_empty() || program.answers.keys().eq([&ALL]) {
        return Ok(None);
    }
    program.go(begin);
    let argument = |register: u8, offset| Instruction { offset, ..op(LOAD, register | 1 << 4, 0) };
    let mut reversed = program.reversed;
    reversed.extend([
        argument(5, 8),
        argument(4, 4),
        op(SHIFT_RIGHT, 3, 16),
        op(AND, 2, 0xffff),
        op(MOVE_REGISTER, 3 | 2 << 4, 0),
        argument(2, 0),
    ]);
    reversed.reverse();
    ensure(reversed.len() <= LONGEST, too_many).map(|()| Some(reversed))
}

/// A program under construction, the last instruction first: so every distance is known.
#[derive(Default)]
struct Program {
    reversed: Vec<Instruction>,
    /// Where it is answered, for each set of letters that is allowed.
    answers: BTreeMap<i32, usize>,
}

impl Program {
    /// Looks a device up in the fields that are left. Where that begins: how many instructions
    /// the program had then.
    fn look_up(&mut self, rules: &[&DeviceRule], fields: &[Field]) -> usize {
        let Some(((register, value), fields)) = fields.split_first() else {
            let after = |allowed, rule: &&DeviceRule| {
                if rule.allow { allowed | letters(rule) } else { allowed & !letters(rule) }
            };
            return self.answer(rules.iter().fold(0, after));
        };
        let fitting = |wanted: Option<i32>| -> Vec<_> {
            let fits = |rule: &&&DeviceRule| value(rule).is_none_or(|own| Some(own) == wanted);
            rules.iter().filter(fits).copied().collect()
        };
        let named: BTreeSet<_> = rules.iter().filter_map(|rule| value(rule)).collect();
        let goals = named.iter().map(|value| self.look_up(&fitting(Some(*value)), fields));
        let goals: Vec<_> = goals.collect();
        let others = self.look_up(&fitting(None), fields);
        if goals.iter().all(|goal| *goal == others) {
            return others;
        }
        self.go(others);
        let special = named.iter().zip(goals).filter(|(_, goal)| *goal != others);
        special.for_each(|(value, goal)| self.jump(IF_EQUAL, *register, *value, goal));
        self.reversed.len()
    }

    /// The answer where these letters are allowed.
    fn answer(&mut self, allowed: i32) -> usize {
        if let Some(place) = self.answers.get(&allowed) {
            return *place;
        }
        if allowed == 0 || allowed == ALL {
            self.reversed.extend([op(EXIT, 0, 0), op(MOVE, 0, (allowed == ALL).into())]);
        } else {
            let (no, yes) = (self.answer(0), self.answer(ALL));
            self.go(yes);
            self.jump(IF_ANY_BIT, 3, ALL & !allowed, no);
        }
        self.answers.insert(allowed, self.reversed.len());
        self.reversed.len()
    }

    /// Goes on at `goal`, which is where the next instruction would be, or elsewhere.
    fn go(&mut self, goal: usize) {
        if goal != self.reversed.len() {
            self.jump(JUMP, 0, 0, goal);
        }
    }

    /// A jump to where the program had `goal` instructions: as far as it has grown since.
    fn jump(&mut self, code: u8, register: u8, immediate: i32, goal: usize) {
        // Not more than LONGEST, or compile() refuses the program.
        let offset = i16::try_from(self.reversed.len() - goal).unwrap_or(0);
        self.reversed.push(Instruction { offset, ..op(code, register, immediate) });
    }
}

/// How the kernel numbers the kinds. A fifo is no device: its rules match nothing.
fn number(kind: DeviceKind) -> i32 {
    i32::from(kind == DeviceKind::Block) * BPF_DEVCG_DEV_BLOCK
        + i32::from(kind == DeviceKind::Character) * BPF_DEVCG_DEV_CHAR
}

fn letters(rule: &DeviceRule) -> i32 {
    i32::from(rule.mknod) * BPF_DEVCG_ACC_MKNOD
        + i32::from(rule.read) * BPF_DEVCG_ACC_READ
        + i32::from(rule.write) * BPF_DEVCG_ACC_WRITE
}

fn op(code: u8, registers: u8, immediate: i32) -> Instruction {
    Instruction { code, registers, offset: 0, immediate }
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
