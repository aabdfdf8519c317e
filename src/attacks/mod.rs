//! `jec attack`: what each wall is for, shown by trying to get over it.
//!
//! An attack is a small program in `examples/attacks`, compiled into jec, so that it can be run
//! inside any container without a compiler. Each runs twice: in a container with everything on,
//! where it has to fail as predicted, and in one without what stops it, where it has to succeed.
//! Whether it did is looked at from outside, while it holds still, and not taken from its word.
//!
//! What is attacked is [`programs::host`]: for root a machine of its own inside this one, in new
//! mount, uts, ipc and pid namespaces, with files, processes, keys and a terminal made for it.

mod container;
mod run;

#[path = "../../examples/attacks/mod.rs"]
pub mod programs;

pub use programs::ATTACKS;
pub use run::{AttackArgs, run};
