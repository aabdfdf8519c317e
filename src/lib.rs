//! jec: just enough containment. A container runtime made to be read.
//!
//! A container is a process that was given its own view of the machine by a
//! few dozen system calls. They are all here, one module for each step, in the
//! order of one table. Read, in this order:
//!
//! 1. [`stages`]: STAGES, the table that runs everything. Each row is a module
//!    with a chapter, a test and an example of the same name.
//! 2. [`sides`]: the three processes that walk the table, Runtime, Middle and
//!    Init; [`stages::baton`] and [`stages::walk`]: how they take turns.
//! 3. the stages themselves, from [`stages::seal`] to [`stages::remove`].
//! 4. [`plan`]: what `config.json`, or the flags of `jec run`, turn into before
//!    anything is made.
//! 5. what the stages use: [`tree`] (a root file system that somebody else
//!    owns), [`cgroup`], [`filter`] (system call filters), [`hooks`], [`state`].
//! 6. [`sys`]: the one door to the kernel, a wrapper for each call. Only there
//!    is `unsafe`.
//! 7. [`commands`]: what the command line does with all that; [`relay`]: the
//!    time while the program runs.
//! 8. [`microscope`]: `jec plan`, `--step`, `--trace` and `jec tour`, which look at all that.
//! 9. [`images`]: where root file systems come from: archives, unpacked without being trusted.
//!
//! Errors are of six kinds ([`error`]); the likely causes of the common ones
//! are in [`advice`]. The names are those of the man pages and of the OCI
//! runtime specification.

pub mod advice;
pub mod attacks;
pub mod cgroup;
pub mod cli;
pub mod commands;
pub mod copy_up;
pub mod dbus;
pub mod error;
pub mod filter;
pub mod hooks;
pub mod images;
pub mod log;
pub mod microscope;
pub mod plan;
pub mod relay;
pub mod sides;
pub mod skip;
pub mod stages;
pub mod state;
pub mod sys;
pub mod tree;
