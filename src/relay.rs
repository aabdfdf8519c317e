//! While the program runs: jec waits, passes signals on, and with a terminal
//! carries bytes between the user's and the container's.
//!
//! With a terminal the user's is made raw: every key goes through as typed,
//! and it is the inner terminal that turns Ctrl-C into SIGINT for whoever is
//! in its foreground. Whatever ends jec, the user gets her terminal back: on
//! the way out jec restores it, and for the case that jec is killed a small
//! process, the keeper, waits for nothing but jec's end.

use std::collections::VecDeque;
use std::io::{IsTerminal, stdin};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sched::CloneFlags;
use nix::sys::signalfd::SignalFd;
use nix::sys::termios::Termios;

use crate::error::Result;
use crate::sides::{Runtime, needed};
use crate::sys::process::{self, Child, End, clone3, exit_now, send};
use crate::sys::signal::{self, READ, WRITE};
use crate::sys::{attributes, file, socket, terminal};

/// A write of this size to a pipe that poll(2) calls writable does not block (pipe(7), PIPE_BUF).
const CHUNK: usize = 4096;
/// Beyond this the other side has to read first.
const ENOUGH: usize = 64 * 1024;
/// Ctrl-D: what a terminal takes for the end of input.
const END_OF_INPUT: u8 = 4;

/// The container's terminal as jec sees it.
struct Terminal {
    master: OwnedFd,
    /// The modes to restore; none when standard input is no terminal.
    user: Option<UserTerminal>,
    to_program: VecDeque<u8>,
    to_user: VecDeque<u8>,
    input_open: bool,
    /// What was read last does not end a line.
    ends_in_line: bool,
    output_open: bool,
}

impl Terminal {
    /// Takes the master that init has sent, if the container has a terminal.
    fn of(runtime: &mut Runtime) -> Result<Option<Self>> {
        let Some(ours) = runtime.console.take() else {
            return Ok(None);
        };
        let (_, mut received) = socket::receive(ours.as_fd())?;
        let master = needed(received.pop(), "the console's descriptor")?;
        terminal::set_nonblocking(master.as_fd())?;
        let terminal = Self {
            master,
            user: stdin().is_terminal().then(UserTerminal::raw).transpose()?,
            to_program: VecDeque::new(),
            to_user: VecDeque::new(),
            input_open: true,
            ends_in_line: false,
            output_open: true,
        };
        terminal.resize()?;
        Ok(Some(terminal))
    }

    /// The size of the user's terminal becomes that of the container's.
    fn resize(&self) -> Result<()> {
        if self.user.is_some() {
            terminal::set_size(self.master.as_fd(), terminal::size(stdin().as_fd())?)?;
        }
        Ok(())
    }

    /// From standard input to the program, as far as there is room.
    fn read_input(&mut self) {
        let mut buffer = [0; CHUNK];
        match file::read(stdin().as_fd(), &mut buffer) {
            Ok(0) | Err(_) => {
                self.input_open = false;
                // Behind half a line Ctrl-D only sends that off; the next one is the end (termios(3), VEOF).
                let times = if self.ends_in_line { 2 } else { 1 };
                self.to_program.extend(std::iter::repeat_n(END_OF_INPUT, times));
            }
            Ok(count) => {
                self.to_program.extend(&buffer[..count]);
                self.ends_in_line = !matches!(buffer[count - 1], b'\n' | b'\r');
            }
        }
    }

    /// From the program; false when there is nothing for now.
    fn read_output(&mut self) -> bool {
        let mut buffer = [0; CHUNK];
        // EIO: no process has the slave open any more.
        let Ok(count @ 1..) = file::read(self.master.as_fd(), &mut buffer) else {
            return false;
        };
        if self.output_open {
            self.to_user.extend(&buffer[..count]);
        }
        true
    }

    /// Whoever reads jec's output has gone: the program's output goes nowhere, as with a closed window.
    fn write_output(&mut self) {
        self.output_open &= write_some(std::io::stdout().as_fd(), &mut self.to_user);
    }

    /// What the program has still written before it ended.
    fn drain(&mut self) -> Result<()> {
        while self.read_output() {}
        while self.output_open && !self.to_user.is_empty() {
            signal::watch(&[(std::io::stdout().as_fd(), WRITE)], None)?;
            self.write_output();
        }
        Ok(())
    }
}

/// Writes one chunk. When the other side is gone (false), all that was for it is forgotten.
fn write_some(to: BorrowedFd, bytes: &mut VecDeque<u8>) -> bool {
    let (front, _) = bytes.as_slices();
    match file::write_once(to, &front[..front.len().min(CHUNK)]) {
        Ok(count) => drop(bytes.drain(..count)),
        Err(error) if error.is(Errno::EAGAIN) || error.is(Errno::EINTR) => {}
        Err(_) => {
            bytes.clear();
            return false;
        }
    }
    true
}

/// The user's terminal while it is raw.
struct UserTerminal {
    modes: Termios,
    keeper: Child,
}

impl UserTerminal {
    /// The keeper restores the terminal when jec ends without having killed it. It has
    /// a session of its own, so that no key and no hang-up ends it first.
    fn raw() -> Result<Self> {
        let modes = terminal::modes(stdin().as_fd())?;
        let jec = process::pidfd_open(std::process::id().cast_signed())?;
        let keeper = clone3(CloneFlags::empty(), None, || {
            drop(attributes::set_name(c"jec:[TERMINAL]"));
            drop(attributes::setsid());
            drop(signal::watch(&[(jec.as_fd(), READ)], None));
            drop(terminal::set_modes(stdin().as_fd(), &modes));
            exit_now(0)
        })?;
        let user = Self { modes, keeper };
        terminal::make_raw(stdin().as_fd(), &user.modes)?;
        Ok(user)
    }
}

impl Drop for UserTerminal {
    fn drop(&mut self) {
        // A terminal that is gone (EIO) needs no restoring.
        drop(terminal::set_modes(stdin().as_fd(), &self.modes));
        drop(send(&self.keeper, signal::KILL).and_then(|()| process::wait(&self.keeper)));
    }
}

/// Waits for the program's end.
pub fn wait(runtime: &mut Runtime) -> Result<End> {
    let mut terminal = Terminal::of(runtime)?;
    let (init, signals) = (runtime.init()?, needed(runtime.signals.as_ref(), "the signals")?);
    loop {
        if let Some(end) = process::wait_now(init)? {
            if let Some(terminal) = &mut terminal {
                terminal.drain()?;
            }
            return Ok(end);
        }
        if carry(signals, init, terminal.as_mut())? {
            while let Some(number) = signal::next(signals) {
                deliver(number, init, terminal.as_ref())?;
            }
        }
    }
}

/// Waits for something to do and carries bytes; true when signals have come.
fn carry(signals: &SignalFd, init: &Child, terminal: Option<&mut Terminal>) -> Result<bool> {
    let mut watched = vec![(signals.as_fd(), READ), (init.pidfd.as_fd(), READ)];
    let Some(terminal) = terminal else {
        return Ok(signal::watch(&watched, None)?[0].contains(READ));
    };
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let has_room = |bytes: &VecDeque<u8>| bytes.len() < ENOUGH;
    let only = |events: PollFlags, wanted: bool| if wanted { events } else { PollFlags::empty() };
    let master =
        only(READ, has_room(&terminal.to_user)) | only(WRITE, !terminal.to_program.is_empty());
    watched.extend([
        (terminal.master.as_fd(), master),
        (stdin.as_fd(), only(READ, terminal.input_open && has_room(&terminal.to_program))),
        (stdout.as_fd(), only(WRITE, !terminal.to_user.is_empty())),
    ]);
    let ready = signal::watch(&watched, None)?;
    let idle = ready[2].contains(READ) && !terminal.read_output();
    if ready[2].contains(WRITE) {
        write_some(terminal.master.as_fd(), &mut terminal.to_program);
    }
    if ready[3].contains(READ) {
        terminal.read_input();
    }
    if ready[4].contains(WRITE) {
        terminal.write_output();
    }
    // Nobody holds the slave for now: the program may open it again, so look once in a while.
    if idle && ready[0].is_empty() && ready[1].is_empty() {
        signal::watch(&[(init.pidfd.as_fd(), READ)], Some(Duration::from_millis(20)))?;
    }
    Ok(ready[0].contains(READ))
}

/// Passes a signal on, except for those that mean jec itself.
fn deliver(number: i32, init: &Child, terminal: Option<&Terminal>) -> Result<()> {
    match (number, terminal) {
        // The pidfd tells of the end; a closed pipe has been noticed by write(2).
        (signal::CHILD | signal::PIPE, _) => Ok(()),
        (signal::RESIZED, Some(terminal)) => terminal.resize(),
        _ if signal::stops(number) => pause(init, terminal),
        _ => send(init, number),
    }
}

/// Stopped from outside: the user gets her terminal back, and the container stops as well.
fn pause(init: &Child, terminal: Option<&Terminal>) -> Result<()> {
    let user = terminal.and_then(|terminal| terminal.user.as_ref());
    user.map_or(Ok(()), |user| terminal::set_modes(stdin().as_fd(), &user.modes))?;
    send(init, signal::STOP)?;
    // This process, as Ctrl-Z would: until SIGCONT.
    signal::send(std::process::id().cast_signed(), signal::STOP)?;
    send(init, signal::CONTINUE)?;
    user.map_or(Ok(()), |user| terminal::make_raw(stdin().as_fd(), &user.modes))?;
    terminal.map_or(Ok(()), Terminal::resize)
}
