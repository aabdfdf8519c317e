//! The one door to the kernel: one wrapper for each system call.
//!
//! Nothing outside this folder may name `libc` or write `unsafe`. A wrapper
//! has a safe signature, the kernel's own name, and ends in `record`, which
//! remembers name, arguments and result: the text of an error and the text of
//! an `--explain` line are therefore the same text. With the recorder off a
//! call costs one branch more than the bare call.
#![allow(unsafe_code)]

pub mod arguments;
pub mod attack;
pub mod attributes;
pub mod board;
pub mod bpf;
pub mod constants;
pub mod credentials;
pub mod directory;
pub mod entries;
pub mod file;
#[cfg(all(feature = "pull", target_env = "gnu"))]
pub mod hosts;
pub mod interrupt;
pub mod layers;
pub mod memory;
pub mod mount;
pub mod net;
pub mod netlink;
pub mod process;
pub mod program;
mod record;
pub mod rest;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod syscalls;
pub mod terminal;
pub mod trace;
pub mod xattr;

pub use record::Recorder;
