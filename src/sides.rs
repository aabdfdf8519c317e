//! The three processes that make a container, and what each of them holds.
//!
//! | side    | it is                                      | it ends                     |
//! |---------|--------------------------------------------|-----------------------------|
//! | Runtime | `jec` itself, on the host                  | after the container         |
//! | Middle  | its child, on the way into the namespaces  | when it has made Init       |
//! | Init    | Runtime's second child, PID 1 inside       | by becoming the program     |
//!
//! Always the same three, never more: the Middle is the room in which a
//! process can join a pid namespace (only its children live there) or
//! become root of a user namespace before anything is made inside.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::signalfd::SignalFd;

use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::stages::{Run, Stage, baton::Baton, baton::Word};
use crate::state::{Container, States};
use crate::sys::process::{Child, wait};
use crate::sys::signal::{self, READ};
use crate::sys::{attributes, socket};
use crate::{cgroup, filter};

/// What the walker needs of a process.
pub trait Process: Sized {
    /// The function of a stage, if it is this process that runs it.
    fn own(stage: &Stage) -> Option<fn(&mut Self) -> Result<()>>;
    /// The first thing it does when it is its turn for the first time.
    fn arrive(&mut self) -> Result<()> {
        Ok(())
    }
    /// Its end of the baton.
    fn baton(&mut self) -> &mut Baton;
    /// Waits until it is this process's turn.
    fn take_baton(&mut self) -> Result<Word> {
        self.baton().take()
    }
    /// The other side has ended without a word.
    fn unanswered(&self, side: &str) -> Error {
        Error::Died { who: side.into(), how: String::new(), signal: None }
    }
}

/// What a stage needs: the plan, by the condition of its row, or a row before it
/// has put it there.
pub fn needed<T>(thing: Option<T>, name: &str) -> Result<T> {
    thing.ok_or_else(|| Error::differs(name, "what this stage needs", "nothing"))
}

/// Fails where a signal has come that asks jec to end.
pub fn heed(signals: &SignalFd, work: &str) -> Result<()> {
    match signal::next(signals).filter(|number| signal::ends(*number)) {
        None => Ok(()),
        signal @ Some(number) => {
            Err(Error::Died { who: work.into(), how: format!(": signal {number}"), signal })
        }
    }
}

/// What Runtime has made for Init, and Middle passes on.
#[derive(Default)]
pub struct Handed {
    /// The compiled system call filter.
    pub filter: Option<filter::Program>,
    /// Where the console's master goes.
    pub console: Option<OwnedFd>,
    /// The socket at which Init waits to be started, if it is to rest.
    pub gate: Option<OwnedFd>,
}

/// `jec` itself: it has the host's privileges, and cleans up whatever happens.
pub struct Runtime<'a> {
    /// What is to be made.
    pub plan: &'a Plan,
    /// The rows that this run walks.
    pub rows: &'a [&'static Stage],
    /// The host's own /proc, opened before anything else and checked.
    pub proc: Rc<OwnedFd>,
    /// The state directory of this container, once `record` has made it.
    pub container: Option<Container>,
    /// Where states are kept; none for the rows that come before the plan.
    pub states: Option<States>,
    /// Where the cgroup goes, decided before anything is made; none where there is no cgroup v2.
    pub placement: Option<cgroup::Placement<'a>>,
    /// The cgroup, once it exists.
    pub cgroup: Option<cgroup::Cgroup>,
    /// What Init will need, until it has it.
    pub handed: Handed,
    /// The socket that an engine wants the terminal's master through.
    pub console_socket: Option<CString>,
    /// What the master comes through, if it comes to us.
    pub console: Option<OwnedFd>,
    /// The middle process while it lives.
    pub middle: Option<Child>,
    /// The init process.
    pub init: Option<Child>,
    /// The baton, once there is somebody to take turns with.
    pub baton: Baton,
    /// Signals for jec, read as messages.
    pub signals: Option<SignalFd>,
    /// Where to write init's pid, if asked for: absolute.
    pub pid_file: Option<String>,
    /// The socket that an engine wants init's pidfd through.
    pub pidfd_socket: Option<CString>,
    /// The container is removed, and by us: nobody else has to do what comes after it.
    pub removed: bool,
}

/// The process in between: it enters namespaces that only its children live in.
pub struct Middle<'a> {
    /// What is to be made.
    pub plan: &'a Plan,
    /// The rows that this run walks.
    pub rows: &'a [&'static Stage],
    /// The host's own /proc.
    pub proc: Rc<OwnedFd>,
    /// The baton.
    pub baton: Baton,
    /// What it passes on to Init.
    pub handed: Handed,
}

/// PID 1 of the container: everything inside is its work, until it becomes the program.
pub struct Init<'a> {
    /// What is to be made.
    pub plan: &'a Plan,
    /// The host's own /proc: it shows this process, and no mount of the container can cover it.
    pub proc: Rc<OwnedFd>,
    /// The baton.
    pub baton: Baton,
    /// The root of the container, once `propagation` has made it a mount.
    pub root: Option<OwnedFd>,
    /// What Runtime has made for it.
    pub handed: Handed,
    /// The next word comes through the gate.
    pub rests: bool,
    /// The signals that jec was started with ignored, as SigIgn of /proc/self/status, which
    /// `capabilities` reads: it costs 0.03 ms.
    pub ignored: u64,
    /// The program, found by `program`, and its environment, HOME included.
    pub program: Option<(CString, Vec<CString>)>,
}

impl Process for Runtime<'_> {
    fn own(stage: &Stage) -> Option<fn(&mut Self) -> Result<()>> {
        if let Run::Runtime(run) = stage.run { Some(run) } else { None }
    }

    fn baton(&mut self) -> &mut Baton {
        &mut self.baton
    }

    /// The only wait of set-up with three ends: the baton, a signal for jec, or
    /// the end of the middle. Killed between making init and telling of it, it
    /// leaves the socket open in init's hands, and both would wait for ever.
    fn take_baton(&mut self) -> Result<Word> {
        let signals = needed(self.signals.as_ref(), "the descriptor of signals")?;
        let mut middle_ended = false;
        loop {
            let both = [self.baton.socket()?, signals.as_fd()];
            let middle = self.middle.as_ref().map(|middle| middle.pidfd.as_fd());
            let watched: Vec<_> = both.into_iter().chain(middle).map(|fd| (fd, READ)).collect();
            let ready = signal::watch(&watched, None)?;
            if ready[0].contains(READ) {
                return self.baton.take();
            }
            // The second look since its end: what it had said before would be there.
            if middle_ended {
                return Ok(Word::Ended);
            }
            middle_ended = ready.get(2).is_some_and(|middle| middle.contains(READ));
            heed(signals, "set-up")?;
        }
    }

    /// Tells how the child ended that should have answered.
    fn unanswered(&self, side: &str) -> Error {
        let init = self.init.as_ref().map(|init| ("init", init));
        let middle = self.middle.as_ref().map(|middle| ("the middle process", middle));
        let (who, how) = match init.or(middle).map(|(who, child)| (who, wait(child))) {
            None => (side, String::new()),
            Some((who, Ok(end))) => (who, format!(": {end}")),
            // After `create` it is not our child.
            Some((who, Err(error))) if error.is(Errno::ECHILD) => (who, String::new()),
            Some((who, Err(error))) => (who, format!(", and waiting for it failed: {error}")),
        };
        Error::Died { who: who.into(), how, signal: None }
    }
}

impl<'a> Runtime<'a> {
    /// Holds nothing yet but what every command has.
    pub fn new(
        plan: &'a Plan,
        rows: &'a [&'static Stage],
        proc: Rc<OwnedFd>,
        states: Option<States>,
    ) -> Self {
        Self {
            plan,
            rows,
            proc,
            container: None,
            states,
            placement: None,
            cgroup: None,
            handed: Handed::default(),
            console_socket: None,
            console: None,
            middle: None,
            init: None,
            baton: Baton::default(),
            signals: None,
            pid_file: None,
            pidfd_socket: None,
            removed: false,
        }
    }

    /// The state directory of this container.
    pub fn container(&mut self) -> Result<&mut Container> {
        needed(self.container.as_mut(), "the state directory")
    }

    /// The init process.
    pub fn init(&self) -> Result<&Child> {
        needed(self.init.as_ref(), "init")
    }

    /// Closes what only set-up and waiting needed. Cleaning up opens files, and
    /// must not fail because too many are open already.
    pub fn let_go(&mut self) {
        (self.baton, self.handed) = (Baton::default(), Handed::default());
        (self.console, self.placement, self.signals) = (None, None, None);
    }
}

impl Process for Middle<'_> {
    fn own(stage: &Stage) -> Option<fn(&mut Self) -> Result<()>> {
        if let Run::Middle(run) = stage.run { Some(run) } else { None }
    }

    /// It says who it is, for ps(1), and that it ends with jec. Until it is its
    /// turn it needs no such order: it hears the end of the socket.
    fn arrive(&mut self) -> Result<()> {
        attributes::set_name(c"jec:[1:MIDDLE]")?;
        attributes::die_with_parent()
    }

    fn baton(&mut self) -> &mut Baton {
        &mut self.baton
    }
}

impl Process for Init<'_> {
    fn own(stage: &Stage) -> Option<fn(&mut Self) -> Result<()>> {
        if let Run::Init(run) = stage.run { Some(run) } else { None }
    }

    fn baton(&mut self) -> &mut Baton {
        &mut self.baton
    }

    /// Behind the gate it is another jec that takes turns with us.
    fn take_baton(&mut self) -> Result<Word> {
        if self.rests {
            let gate = needed(self.handed.gate.as_ref(), "the gate")?;
            self.baton = Baton::over(socket::accept(gate.as_fd())?);
            self.rests = false;
        }
        self.baton.take()
    }
}

impl Init<'_> {
    /// The root of the container.
    pub fn root(&self) -> Result<BorrowedFd<'_>> {
        needed(self.root.as_ref(), "the root").map(AsFd::as_fd)
    }
}
