//! The microscope: `--trace FILE`, what jec does and what that does to the kernel's state.
//!
//! FILE gets a line of JSON for each call, with its stage, its arguments by name, its result, the
//! reason and the place in the source; and at each border between two stages what has changed in
//! the state that the kernel keeps of the three processes. `trace.schema.json`, beside this file,
//! describes the lines.
//!
//! To look must not change what is looked at. So the three processes write into memory that they
//! share ([`crate::sys::board`]) and make no call for it; an observer, which is none of them,
//! reads it there, reads the kernel's state from the host's /proc, and writes the file. At a
//! border the process that works waits until the observer has looked. The observer keeps the
//! privileges of whoever called jec, so it sees even what happens behind the filter, up to execve.
//!
//! Beside it: [`plan`], what would be done before anything is, [`stop`], a shell in the process
//! that works, between two stages, and [`tour`], a walk through all that on a terminal.
//!
//! Read `observer`, which writes the `lines`; `state` and `facts`, what is looked at; `calls`, the
//! names of arguments; `names`, those of everything that has a number of its own in each run.

mod calls;
pub mod diff;
mod facts;
mod hosts;
pub mod inspect;
mod lines;
mod mounts;
mod names;
mod observer;
mod page;
pub mod plan;
mod state;
pub mod stop;
pub mod tour;

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, SFlag};

use crate::error::Result;
use crate::log;
use crate::sys::{Recorder, attributes, board, directory, file, process, terminal, trace};
use facts::Eye;
use observer::Observer;
use state::States;

/// The name of the observer, for ps(1).
const NAME: &CStr = c"jec:[TRACE]";

/// Opens FILE and starts the observer: from now on everything is told.
pub fn open(path: &Path, proc: &Rc<OwnedFd>) -> Result<()> {
    // Sealed, jec begins anew, and goes on with the same trace. Only then its file is the root of
    // a mount of its own, or one in memory.
    let goes_on = is_sealed(proc)?;
    let how = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_NOCTTY;
    let how = if goes_on { how } else { how | OFlag::O_TRUNC };
    let path = CString::new(path.as_os_str().as_bytes())?;
    let file = file::openat(file::HERE, &path, how, 0o600)?;
    let lines = if goes_on { lines_of(&path) } else { 0 };
    // The lifeline ends when all who could tell anything have ended, or become other programs.
    let (lifeline, ours) = file::pipe()?;
    let held = board::copy_far(ours.as_fd())?;
    let jec = std::process::id().cast_signed();
    let board = board::make()?;
    let states = States::new(Eye::new(proc.clone(), lifeline.as_fd()));
    let mut observer = Observer::new(board, file, lines, lifeline, states);
    // A child of a child, which ends: the observer is no child of jec, which has only its two.
    let between = process::fork(|| {
        drop(process::fork(|| observe(&mut observer, jec, proc)));
        process::exit_now(0)
    })?;
    process::wait(&between)?;
    // Open for as long as this process lives.
    std::mem::forget(held);
    Recorder::trace(true);
    Ok(())
}

/// Whether this process runs from the copy that `seal` has made.
fn is_sealed(proc: &Rc<OwnedFd>) -> Result<bool> {
    let own = file::readlinkat(proc.as_fd(), c"self/exe")?;
    Ok(own.as_bytes() == b"/" || own.as_bytes().starts_with(b"/memfd:jec"))
}

/// The whole life of the observer.
fn observe(observer: &mut Observer, jec: i32, proc: &Rc<OwnedFd>) -> Infallible {
    // Where it cannot work any more, nobody is to wait for it. The container goes on.
    let worked = leave(observer, proc).and_then(|()| observer.begin(jec));
    let worked = worked.and_then(|()| observer.watch());
    observer.leave();
    process::exit_now(u8::from(worked.is_err()))
}

/// Lets go of everything that belongs to jec: its terminal, its directory, its descriptors.
fn leave(observer: &Observer, proc: &Rc<OwnedFd>) -> Result<()> {
    attributes::set_name(NAME)?;
    attributes::setsid()?;
    directory::enter(proc.as_fd())?;
    let nothing = file::openat(file::HERE, c"/dev/null", OFlag::O_RDWR, 0)?;
    terminal::redirect(nothing.as_fd(), nothing.as_fd())?;
    drop(nothing);
    let [file, lifeline] = observer.descriptors();
    board::close_others(&mut [proc.as_raw_fd(), file, lifeline])
}

/// The end: all that was told is in the file when this returns.
pub fn end(code: u8) {
    stop::end();
    if Recorder::is_on() && board::board().is_some() && !trace::end(code) {
        log::warn("--trace: the file could not be written to its end");
    }
}

/// How many lines are in the file; 0 in one that cannot be read.
fn lines_of(path: &CStr) -> u64 {
    let how = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
    let opened = file::openat(file::HERE, path, how, 0).ok();
    let is_regular =
        |found: &FileStat| found.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits();
    let opened =
        opened.filter(|opened| file::fstat(opened.as_fd()).is_ok_and(|found| is_regular(&found)));
    let text = opened.and_then(|opened| file::read_all(&opened, path, 1 << 20).ok());
    text.map_or(0, |text| text.lines().count() as u64)
}
