//! The shell at a stop: a child of the process that rests.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use nix::sys::signalfd::SignalFd;

use super::{Stops, Terminal};
use crate::error::{Error, Result};
use crate::sides::heed;
use crate::sys::process::{self, Child, End};
use crate::sys::signal::{self, READ};
use crate::sys::{attributes, file, terminal};

/// As much as is carried at once.
const CHUNK: usize = 4096;

/// Waits for the end of a shell. Where there can be none (no shell in the root, a filter that
/// forbids to make a process), it says so, and a line of input takes its place.
pub(super) fn run(stops: &Stops, prompt: &str) -> Result<End> {
    let signals = signal::as_messages()?;
    let (problem, theirs) = file::pipe()?;
    let child = match process::fork(|| live(stops, &theirs, prompt)) {
        Ok(child) => child,
        Err(error) => return instead(stops, &signals, &error.to_string()),
    };
    drop(theirs);
    let waited = wait(stops, &signals, &child);
    stops.restore()?;
    if waited.is_err() {
        process::send(&child, signal::KILL)?;
    }
    let end = process::wait(&child)?;
    waited?;
    match file::read_all(&problem, c"what went wrong", 1 << 16)? {
        problem if problem.is_empty() => Ok(end),
        problem => instead(stops, &signals, &problem),
    }
}

/// The child: becomes the shell, or says why not. Its end of the pipe closes with execve.
fn live(stops: &Stops, problem: &OwnedFd, prompt: &str) -> Infallible {
    let error = become_shell(stops, prompt).err();
    let text = error.map_or(String::new(), |error| error.to_string());
    let told = file::write(problem.as_fd(), text.as_bytes());
    process::exit_now(if told.is_ok() { 126 } else { 127 })
}

fn become_shell(stops: &Stops, prompt: &str) -> Result<()> {
    attributes::die_with_parent()?;
    let (mut input, mut output) = (stops.streams[0].as_fd(), stops.streams[1].as_fd());
    if let Some(Terminal { slave, .. }) = &stops.terminal {
        attributes::setsid()?;
        terminal::make_controlling(slave.as_fd())?;
        (input, output) = (slave.as_fd(), slave.as_fd());
    }
    terminal::redirect(input, output)?;
    signal::reset(signal::ANY)?;
    let own = std::env::vars_os().filter(|(name, _)| name != "PS1");
    let own = own.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
    let env = own.chain([format!("PS1={prompt}").into_bytes()]);
    let env = env.map(CString::new).collect::<Result<Vec<_>, _>>()?;
    let wanted = std::env::var_os("SHELL").map(|path| CString::new(path.into_vec())).transpose()?;
    if let Some(shell) = wanted.filter(|path| file::executable(path).is_ok()) {
        process::execve(&shell, std::slice::from_ref(&shell), &env)?;
    }
    process::execve(c"/bin/sh", &[c"sh".into()], &env)
}

/// Until the shell has ended; on a terminal, bytes are carried meanwhile.
fn wait(stops: &Stops, signals: &SignalFd, child: &Child) -> Result<()> {
    let input = stops.streams[0].as_fd();
    if let Some(Terminal { modes, .. }) = &stops.terminal {
        let modes = modes.lock().map_err(|_| Error::config("the terminal", "has no modes"))?;
        terminal::make_raw(input, &modes)?;
    }
    let mut has_input = true;
    loop {
        let mut watched = vec![(signals.as_fd(), READ), (child.pidfd.as_fd(), READ)];
        if let Some(Terminal { master, .. }) = &stops.terminal {
            terminal::set_size(master.as_fd(), terminal::size(input)?)?;
            watched.push((master.as_fd(), READ));
            watched.extend(has_input.then_some((input, READ)));
        }
        let ready = signal::watch(&watched, None)?;
        let is_ready = |at: usize| ready.get(at).is_some_and(|ready| ready.contains(READ));
        if is_ready(0) {
            heed(signals, "set-up")?;
        }
        if let Some(Terminal { master, .. }) = &stops.terminal {
            if is_ready(3) {
                has_input = carry(input, master.as_fd())?;
            }
            if is_ready(2) {
                carry(master.as_fd(), stops.streams[1].as_fd())?;
            }
        }
        if is_ready(1) {
            return drain(stops);
        }
    }
}

/// What the shell has still said.
fn drain(stops: &Stops) -> Result<()> {
    let Some(Terminal { master, .. }) = &stops.terminal else {
        return Ok(());
    };
    while signal::watch(&[(master.as_fd(), READ)], Some(Duration::ZERO))?[0].contains(READ) {
        carry(master.as_fd(), stops.streams[1].as_fd())?;
    }
    Ok(())
}

/// Carries what is there; false at the end of it.
fn carry(from: BorrowedFd, to: BorrowedFd) -> Result<bool> {
    let mut buffer = [0; CHUNK];
    let count = file::read(from, &mut buffer)?;
    file::write(to, &buffer[..count])?;
    Ok(count > 0)
}

/// Instead of a shell: a line of input. The end of input, and any line but `exit 1`, goes on.
fn instead(stops: &Stops, signals: &SignalFd, problem: &str) -> Result<End> {
    stops.tell(&format!(
        "no shell here: {problem}\n  look at the process from another terminal; \
        Enter goes on, `exit 1` abandons"
    ))?;
    let (input, mut line) = (stops.streams[0].as_fd(), Vec::new());
    loop {
        let ready = signal::watch(&[(signals.as_fd(), READ), (input, READ)], None)?;
        if ready[0].contains(READ) {
            heed(signals, "set-up")?;
        }
        let mut byte = [0];
        if ready[1].contains(READ) {
            if file::read(input, &mut byte)? == 0 || byte == *b"\n" {
                break;
            }
            line.push(byte[0]);
        }
    }
    Ok(End::Exited(i32::from(line.trim_ascii() == b"exit 1")))
}
