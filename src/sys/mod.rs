//! The one door to the kernel: one wrapper for each system call.
//!
//! Nothing outside this folder may name `libc` or write `unsafe`. A wrapper
//! has a safe signature, the kernel's own name, and ends in [`record()`], which
//! remembers name, arguments and result: the text of an error and the text of
//! an `--explain` line are therefore the same text. With the recorder off a
//! call costs one branch more than the bare call.
#![allow(unsafe_code)]

pub mod bpf;
pub mod cgroupfs;
pub mod file;
mod record;

pub use record::{Outcome, Recorder, record};
