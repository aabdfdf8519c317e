//! While the program runs: jec waits, passes signals on, and with a terminal
//! carries bytes between the user's and the container's.
//!
//! With a terminal the user's is made raw: every key goes through as typed,
//! and it is the inner terminal that turns Ctrl-C into SIGINT for whoever is
//! in its foreground. Whatever ends jec, the user gets her terminal back: on
//! the way out jec restores it, and for the case that jec is killed a small
//! process, the keeper, waits for nothing but jec's end.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sched::CloneFlags;
use nix::sys::signalfd::SignalFd;
use nix::sys::termios::Termios;

use crate::error::{Error, Result};
use crate::sides::Runtime;
use crate::sys::process::{self, Child, CloneInto, End, clone3, exit_now, pidfd_send_signal};
use crate::sys::signal::{self, READ, WRITE};
use crate::sys::{attributes, file, socket, terminal};

/// A write of this size to a pipe that poll(2) calls writable does not block (pipe(7), PIPE_BUF).
const CHUNK: usize = 4096;
/// Beyond this the other side has to read first.
const ENOUGH: usize = 64 * 1024;
/// Ctrl-D: what a terminal takes for the end of input.
const END_OF_INPUT: u8 = 4;

/// The container's terminal as jec sees it.
pub struct Terminal {
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

/// The user's terminal while it is raw.
struct UserTerminal {
    modes: Termios,
    keeper: Option<(Child, OwnedFd)>,
}

impl Terminal {
    /// Takes the master that init has sent, if the container has a terminal.
    pub fn of(runtime: &mut Runtime) -> Result<Option<Self>> {
        let Some((ours, theirs)) = runtime.console.take() else {
            return Ok(None);
        };
        drop(theirs);
        let (_, mut received) = socket::receive(ours.as_fd(), 64)?;
        let Some(master) = received.pop() else {
            return Err(Error::differs("the console", "a descriptor", "none"));
        };
        terminal::set_nonblocking(master.as_fd())?;
        let stdin = std::io::stdin();
        let user = terminal::is_terminal(stdin.as_fd())
            .then(|| UserTerminal::raw(stdin.as_fd()))
            .transpose()?;
        let (to_program, to_user) = (VecDeque::new(), VecDeque::new());
        Ok(Some(Self {
            master,
            user,
            to_program,
            to_user,
            input_open: true,
            ends_in_line: false,
            output_open: true,
        }))
    }

    /// The size of the user's terminal becomes that of the container's.
    fn resize(&self) -> Result<()> {
        if self.user.is_some() {
            let size = terminal::size(std::io::stdin().as_fd())?;
            terminal::set_size(self.master.as_fd(), size)?;
        }
        Ok(())
    }

    /// From standard input to the program, as far as there is room.
    fn read_input(&mut self) {
        let mut buffer = [0; CHUNK];
        match file::read(std::io::stdin().as_fd(), &mut buffer) {
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

    /// From the program; false when there is nothing more.
    fn read_output(&mut self) -> bool {
        let mut buffer = [0; CHUNK];
        match file::read(self.master.as_fd(), &mut buffer) {
            // EIO: no process has the slave open any more.
            Ok(0) => false,
            Err(error) => error.errno() == Errno::EAGAIN as i32 && self.output_open,
            Ok(count) => {
                if self.output_open {
                    self.to_user.extend(&buffer[..count]);
                }
                true
            }
        }
    }

    /// Whoever reads jec's output has gone: the program's output goes nowhere, as with a closed window.
    fn write_output(&mut self) {
        let sent = write_some(std::io::stdout().as_fd(), &mut self.to_user);
        if !sent {
            self.output_open = false;
            self.to_user.clear();
        }
    }

    fn write_input(&mut self) {
        if !write_some(self.master.as_fd(), &mut self.to_program) {
            self.to_program.clear();
        }
    }

    /// What the program has still written before it ended.
    fn drain(&mut self) -> Result<()> {
        let mut buffer = [0; CHUNK];
        while let Ok(count @ 1..) = file::read(self.master.as_fd(), &mut buffer) {
            self.to_user.extend(&buffer[..count]);
        }
        while self.output_open && !self.to_user.is_empty() {
            let stdout = std::io::stdout();
            signal::watch(&[(stdout.as_fd(), WRITE)], None)?;
            self.write_output();
        }
        Ok(())
    }
}

/// Writes one chunk; false when the other side is gone.
fn write_some(to: BorrowedFd, bytes: &mut VecDeque<u8>) -> bool {
    let (front, _) = bytes.as_slices();
    let chunk = &front[..front.len().min(CHUNK)];
    match file::write_once(to, chunk) {
        Ok(count) => {
            bytes.drain(..count);
            true
        }
        Err(error) => matches!(Errno::from_raw(error.errno()), Errno::EAGAIN | Errno::EINTR),
    }
}

impl UserTerminal {
    fn raw(input: BorrowedFd) -> Result<Self> {
        let modes = terminal::modes(input)?;
        let keeper = keeper(&modes)?;
        let user = Self { modes, keeper: Some(keeper) };
        terminal::make_raw(input, &user.modes)?;
        Ok(user)
    }

    fn restore(&self) -> Result<()> {
        terminal::set_modes(std::io::stdin().as_fd(), &self.modes)
    }
}

impl Drop for UserTerminal {
    fn drop(&mut self) {
        // A terminal that is gone (EIO) needs no restoring.
        drop(self.restore());
        if let Some((child, line)) = self.keeper.take() {
            // A word on the line sends the keeper home without work.
            drop(socket::send(line.as_fd(), b"done", &[]));
            drop(process::wait(&child));
        }
    }
}

/// A process that restores the terminal when jec ends without having said so.
/// It has a session of its own, so that no key and no hang-up ends it first.
fn keeper(modes: &Termios) -> Result<(Child, OwnedFd)> {
    let (ours, theirs) = socket::socketpair()?;
    let mut ours = Some(ours);
    let child = clone3(CloneFlags::empty(), &CloneInto::default(), || {
        drop(ours.take());
        drop(attributes::set_name(c"jec:[TERMINAL]"));
        drop(attributes::setsid());
        let killed = socket::receive(theirs.as_fd(), 16).is_ok_and(|(word, _)| word.is_empty());
        if killed {
            drop(terminal::set_modes(std::io::stdin().as_fd(), modes));
        }
        exit_now(0)
    })?;
    match ours {
        Some(line) => Ok((child, line)),
        None => Err(Error::differs("the keeper's line", "a descriptor", "none")),
    }
}

/// Waits for the program's end.
pub fn wait(runtime: &mut Runtime, mut terminal: Option<Terminal>) -> Result<End> {
    let (Some(init), Some(signals)) = (&runtime.init, &runtime.signals) else {
        return Err(Error::differs("init", "a process", "none"));
    };
    if let Some(terminal) = &terminal {
        terminal.resize()?;
    }
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
    let room = |bytes: &VecDeque<u8>| bytes.len() < ENOUGH;
    let writes = !terminal.to_program.is_empty();
    watched.push(only(terminal.master.as_fd(), room(&terminal.to_user), writes));
    watched.push(only(stdin.as_fd(), terminal.input_open && room(&terminal.to_program), false));
    watched.push(only(stdout.as_fd(), false, terminal.output_open && !terminal.to_user.is_empty()));
    let ready = signal::watch(&watched, None)?;
    drop(watched);
    let idle = ready[2].contains(READ) && !terminal.read_output();
    if ready[2].contains(WRITE) {
        terminal.write_input();
    }
    if ready[3].contains(READ) {
        terminal.read_input();
    }
    if ready[4].contains(WRITE) {
        terminal.write_output();
    }
    // Nobody holds the slave for now: the program may open it again, so look once in a while.
    if idle && ready[0].is_empty() && ready[1].is_empty() {
        signal::watch(&[(init.pidfd.as_fd(), READ)], Some(20))?;
    }
    Ok(ready[0].contains(READ))
}

fn only(fd: BorrowedFd, read: bool, write: bool) -> (BorrowedFd, PollFlags) {
    let mut events = PollFlags::empty();
    events.set(READ, read);
    events.set(WRITE, write);
    (fd, events)
}

/// Passes a signal on, except for those that mean jec itself.
fn deliver(number: i32, init: &Child, terminal: Option<&Terminal>) -> Result<()> {
    match number {
        // The pidfd tells of the end; a closed pipe has been noticed by write(2).
        signal::CHILD | signal::PIPE => Ok(()),
        signal::RESIZED if terminal.is_some() => terminal.map_or(Ok(()), Terminal::resize),
        stop if signal::stops(stop) => pause(init, terminal),
        _ => pass_on(init, number),
    }
}

/// Stopped from outside: the user gets her terminal back, and the container stops as well.
fn pause(init: &Child, terminal: Option<&Terminal>) -> Result<()> {
    let stdin = std::io::stdin();
    let user = terminal.and_then(|terminal| terminal.user.as_ref());
    user.map_or(Ok(()), UserTerminal::restore)?;
    pass_on(init, signal::STOP)?;
    signal::stop_self()?;
    pass_on(init, signal::CONTINUE)?;
    if let (Some(user), Some(terminal)) = (user, terminal) {
        terminal::make_raw(stdin.as_fd(), &user.modes)?;
        terminal.resize()?;
    }
    Ok(())
}

/// ESRCH: it has ended in this moment, and its end is being told.
fn pass_on(init: &Child, number: i32) -> Result<()> {
    match pidfd_send_signal(init.pidfd.as_fd(), number) {
        Err(error) if error.errno() == Errno::ESRCH as i32 => Ok(()),
        other => other,
    }
}
