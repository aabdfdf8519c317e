//! Running a hook: a program of whoever wrote the configuration.
//!
//! It gets what the specification gives it and nothing else: its arguments, its
//! own environment, the container's state on standard input, no other
//! descriptor, no signal blocked or ignored. What it says is read while it runs,
//! so that it never waits for a reader, and the last of it is quoted when it
//! fails. A hook that fails, or takes too long, is killed with all it started;
//! when jec is killed, the kernel kills the hook.

use std::convert::Infallible;
use std::io::stderr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signalfd::SignalFd;

use crate::error::{Error, Result};
use crate::plan::Hook;
use crate::sides::{Init, Runtime, heed};
use crate::state::{State, Status};
use crate::sys::process::{self, Child, End};
use crate::sys::signal::{self, READ};
use crate::sys::{Recorder, attributes, file, memory, terminal};

/// As much as a pipe holds (pipe(7)): one read empties it.
const ROOM: usize = 64 * 1024;

/// How much of what a hook has said is quoted.
const QUOTED: usize = 2000;

/// Runs hooks in the container, in order, up to the first that fails.
pub fn inside(init: &Init, hooks: &[Hook], status: Status) -> Result<()> {
    // The number that it has inside, which is what a hook in there needs.
    let state = State::of(init.plan, status, std::process::id().cast_signed());
    hooks.iter().try_for_each(|hook| run(hook, &state, None))
}

/// Runs hooks on the host, in order, up to the first that fails.
pub fn on_host(runtime: &Runtime, hooks: &[Hook], status: Status) -> Result<()> {
    let pid = runtime.init.as_ref().map_or(0, |init| init.pid);
    let state = State::of(runtime.plan, status, pid);
    hooks.iter().try_for_each(|hook| run(hook, &state, runtime.signals.as_ref()))
}

/// Runs one.
fn run(hook: &Hook, state: &State, signals: Option<&SignalFd>) -> Result<()> {
    let text = serde_json::to_vec(state).map_err(|error| refused(hook, error.to_string()))?;
    let input = memory::file_of(c"state", &text)?;
    let (output, theirs) = file::pipe()?;
    let child = process::fork(|| live(hook, &input, &theirs))?;
    drop((input, theirs));
    let mut said = Vec::new();
    let waited = wait(&child, hook, output, &mut said, signals);
    // Until its status is taken, its number, and its group's, is nobody else's.
    let well = waited.is_ok() && process::look(&child)? == End::Exited(0);
    if !well {
        // Itself, too: it may not have come as far as to have a group of its own.
        process::send(&child, signal::KILL)?;
        signal::send(-child.pid, signal::KILL)?;
    }
    let end = process::wait(&child)?;
    waited?;
    if well { Ok(()) } else { Err(failed(hook, end, &said)) }
}

/// The child: becomes the hook, or says why not, behind a NUL byte.
fn live(hook: &Hook, input: &OwnedFd, output: &OwnedFd) -> Infallible {
    if let Err(error) = become_hook(hook, input, output) {
        let mut text = vec![0];
        text.extend(serde_json::to_vec(&error).unwrap_or_default());
        // Who hears nothing still sees the exit status.
        drop(file::write(stderr().as_fd(), &text));
    }
    process::exit_now(127)
}

fn become_hook(hook: &Hook, input: &OwnedFd, output: &OwnedFd) -> Result<()> {
    terminal::redirect(input.as_fd(), output.as_fd())?;
    attributes::die_with_parent()?;
    attributes::setsid()?;
    attributes::close_on_exec_from(3)?;
    // Sixty calls that tell nothing.
    let listening = Recorder::pause();
    signal::reset(signal::ANY)?;
    Recorder::resume(listening);
    process::execve(&hook.path, &hook.args, &hook.env)
}

/// Reads what it says until it ends; an error when its time ends before, or jec's.
fn wait(
    child: &Child,
    hook: &Hook,
    output: OwnedFd,
    said: &mut Vec<u8>,
    signals: Option<&SignalFd>,
) -> Result<()> {
    let name = format!("{} ({:?})", hook.property, hook.path);
    let deadline = hook.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut output = Some(output);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if let (Some(Duration::ZERO), Some(timeout)) = (left, hook.timeout) {
            return Err(refused(hook, format!("did not end within {timeout:?}")));
        }
        let mut watched = vec![(child.pidfd.as_fd(), READ)];
        watched.extend(output.as_ref().map(|output| (output.as_fd(), READ)));
        watched.extend(signals.map(|signals| (signals.as_fd(), READ)));
        let ready = signal::watch(&watched, left)?;
        if let Some(open) = output.take() {
            output = if !ready[1].contains(READ) || hear(&open, said)? { Some(open) } else { None };
        }
        if ready[0].contains(READ) {
            return Ok(());
        }
        signals.map_or(Ok(()), |signals| heed(signals, &name))?;
    }
}

/// Takes what it has said, of which the end is kept; false when it will say nothing more.
fn hear(output: &OwnedFd, said: &mut Vec<u8>) -> Result<bool> {
    let mut buffer = vec![0; ROOM];
    let count = file::read(output.as_fd(), &mut buffer)?;
    said.extend(&buffer[..count]);
    said.drain(..said.len().saturating_sub(QUOTED));
    Ok(count > 0)
}

/// A hook that has ended, and not well: by itself, or before it could begin.
fn failed(hook: &Hook, end: End, said: &[u8]) -> Error {
    // A failed call keeps its errno, for the advice.
    let told = said.strip_prefix(b"\0").and_then(|text| serde_json::from_slice(text).ok());
    if let Some(Error::Call { name, args, errno }) = told {
        return Error::Call { name: format!("{}: {name}", hook.property), args, errno };
    }
    let said = String::from_utf8_lossy(said);
    let said = said.trim();
    let quoted = if said.is_empty() { String::new() } else { format!(", and had said: {said}") };
    refused(hook, format!("failed: {end}{quoted}"))
}

fn refused(hook: &Hook, problem: impl std::fmt::Display) -> Error {
    Error::config(&hook.property, format!("{:?} {problem}", hook.path))
}
