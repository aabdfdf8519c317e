//! The commands, a file each, and what they share.

pub mod create;
pub mod delete;
pub mod diff;
pub mod events;
pub mod exec;
pub mod features;
pub mod image;
pub mod image_changes;
pub mod init;
pub mod inspect;
pub mod kill;
pub mod list;
pub mod pause;
pub mod ps;
pub mod pull;
pub mod run;
pub mod spec;
pub mod stages;
pub mod start;
pub mod state;
pub mod time;
pub mod unpack;
pub mod update;

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use crate::cgroup::Hierarchy;
use crate::cli::{ContainerFlags, Global};
use crate::error::{Error, Result, ensure};
use crate::plan::check_id;
use crate::plan::flags::Machine;
use crate::state::{Container, States};
use crate::sys::constants::PROC_SUPER_MAGIC;
use crate::sys::file;

/// The host's /proc, held from the beginning, and proved to be one: whatever
/// is mounted later, by the container or over it, this stays what it is.
pub fn open_proc() -> Result<Rc<OwnedFd>> {
    let proc = file::openat(file::HERE, c"/proc", file::PLACE, 0)?;
    let magic = file::filesystem_magic(proc.as_fd())?;
    let lacks = || format!("/proc is no proc file system (magic {magic:#x})");
    ensure(magic == PROC_SUPER_MAGIC, || Error::machine(lacks(), "mount -t proc proc /proc"))?;
    Ok(Rc::new(proc))
}

/// A container that exists, and where all are kept.
pub fn find(global: &Global, id: &str, proc: &Rc<OwnedFd>) -> Result<(States, Container)> {
    check_id(id)?;
    let states = States::open(global.root.as_deref(), proc.clone())?;
    let container = states.find(id)?;
    Ok((states, container))
}

/// What the flags depend on: this machine, with those controllers that a cgroup of ours may
/// have and that the default limits need.
pub fn machine(flags: &ContainerFlags, hierarchy: &Hierarchy) -> Result<Machine> {
    let pure = !matches!(hierarchy, Hierarchy::Absent);
    let mut machine = Machine::look(flags, hierarchy.usable(&["memory", "pids"])?, pure)?;
    // Once sealed, jec's file has no path any more; `seal` left it as the first argument.
    let first = std::env::args_os().next().map(std::path::PathBuf::from);
    machine.binary = first.filter(|path| path.is_absolute()).unwrap_or(machine.binary);
    Ok(machine)
}
