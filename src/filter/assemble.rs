//! Classic BPF, written from its end.
//!
//! A BPF jump only goes forward, and a conditional one at most 255
//! instructions. So the last instruction is written first: everything a jump
//! can lead to is then already there, its distance known, and an answer that
//! was written a short way off is used again. There are no labels to resolve
//! and no second pass.

use std::collections::BTreeMap;

use seccompiler::sock_filter;

use super::Program;
use crate::error::{Error, Result, ensure};

/// BPF_MAXINSNS of <linux/bpf_common.h>.
const MAX_INSTRUCTIONS: usize = 4096;
/// A conditional jump reaches 255. Up to two long jumps may still be put
/// between it and its targets, hence the distance at which one is needed.
const NEAR: usize = 250;

// Operation codes: <linux/bpf_common.h>.
const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Fields of `struct seccomp_data` (<linux/seccomp.h>): where they are.
#[derive(Debug, Clone, Copy)]
pub enum Field {
    /// `nr`
    Number = 0,
    /// `arch`
    Arch = 4,
}

/// An instruction that was written already, counted from the program's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(usize);

/// Where a range of system call numbers ends up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The program returns this value.
    Return(u32),
    /// The program goes on there, to look at the arguments.
    Goto(Place),
}

/// A program under construction, the last instruction first.
#[derive(Debug, Default)]
pub struct Assembler {
    reversed: Vec<sock_filter>,
    returns: BTreeMap<u32, Place>,
}

impl Assembler {
    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Place {
        self.reversed.push(sock_filter { code, jt, jf, k });
        Place(self.reversed.len() - 1)
    }

    /// How many instructions the next one has to skip to get to `place`.
    fn distance(&self, place: Place) -> usize {
        self.reversed.len() - 1 - place.0
    }

    fn jump(&mut self, place: Place) -> Place {
        // A program that outgrows u32 is refused by `finish` long before.
        let distance = u32::try_from(self.distance(place)).unwrap_or(u32::MAX);
        self.push(JUMP, 0, 0, distance)
    }

    /// `place`, or a long jump to it within reach.
    fn near(&mut self, place: Place) -> Place {
        if self.distance(place) <= NEAR { place } else { self.jump(place) }
    }

    /// An instruction that returns `value`: a near one again, or a new one.
    pub fn returning(&mut self, value: u32) -> Place {
        match self.returns.get(&value) {
            Some(place) if self.distance(*place) <= NEAR => *place,
            _ => {
                let place = self.push(RETURN, 0, 0, value);
                self.returns.insert(value, place);
                place
            }
        }
    }

    fn branch(&mut self, code: u16, value: u32, yes: Place, no: Place) -> Place {
        let (yes, no) = (self.near(yes), self.near(no));
        let short = |distance: usize| u8::try_from(distance).unwrap_or(u8::MAX);
        let (yes, no) = (short(self.distance(yes)), short(self.distance(no)));
        self.push(code, yes, no, value)
    }

    /// Goes to `yes` if the loaded field is `value`, else to `no`.
    pub fn if_equal(&mut self, value: u32, yes: Place, no: Place) -> Place {
        self.branch(JUMP_IF_EQUAL, value, yes, no)
    }

    /// Loads a field for the tests that begin at `then`.
    pub fn load(&mut self, field: Field, then: Place) -> Place {
        if self.distance(then) > 0 {
            self.jump(then);
        }
        self.push(LOAD, 0, 0, field as u32)
    }

    /// A finished piece of program, which never leaves itself but by returning.
    /// It has at least one instruction.
    pub fn block(&mut self, instructions: Program) -> Place {
        self.reversed.extend(instructions.into_iter().rev());
        Place(self.reversed.len() - 1)
    }

    /// A binary search over ranges of the loaded number: `first` holds from 0,
    /// each of the `rest` from its number on.
    ///
    /// Why a search: at load the kernel runs the filter for every number there
    /// is, to remember which ones it always allows. In a chain of comparisons
    /// the average number passes half of the chain, here log2 of the ranges,
    /// and neighbours with one answer are one range.
    pub fn search(&mut self, first: Target, rest: &[(u32, Target)]) -> Place {
        let middle = rest.len() / 2;
        let Some(&(number, target)) = rest.get(middle) else {
            return match first {
                Target::Return(value) => self.returning(value),
                Target::Goto(place) => place,
            };
        };
        let upper = self.search(target, &rest[middle + 1..]);
        let lower = self.search(first, &rest[..middle]);
        self.branch(JUMP_IF_AT_LEAST, number, upper, lower)
    }

    /// The program, in the order of execution.
    pub fn finish(mut self) -> Result<Program> {
        let length = self.reversed.len();
        ensure(length <= MAX_INSTRUCTIONS, || {
            let problem =
                format!("needs {length} instructions, but the kernel takes {MAX_INSTRUCTIONS}");
            Error::config("linux.seccomp.syscalls", problem)
        })?;
        self.reversed.reverse();
        Ok(self.reversed)
    }
}
