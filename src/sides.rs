//! The three processes that make a container, and what each of them holds.
//!
//! | side    | it is                                      | it ends                     |
//! |---------|--------------------------------------------|-----------------------------|
//! | Runtime | `jec` itself, on the host                  | after the container         |
//! | Middle  | its child, on the way into the namespaces  | when it has made Init       |
//! | Init    | Runtime's second child, PID 1 inside       | by becoming the program     |
//!
//! Always the same three, never more: the Middle is the room in which a
//! process can join a pid or time namespace (only its children live there) or
//! become root of a user namespace before anything is made inside.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use nix::sys::signalfd::SignalFd;

use crate::cgroup;
use crate::error::{Error, Result};
use crate::filter;
use crate::plan::Plan;
use crate::stages::Stage;
use crate::stages::baton::{Baton, Word};
use crate::state::Container;
use crate::sys::attributes;
use crate::sys::process::{Child, wait};
use crate::sys::signal::{self, READ};

/// The side of a stage: which of the three processes runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `jec` on the host.
    Runtime,
    /// Between the two.
    Middle,
    /// Inside.
    Init,
}

impl Side {
    /// The name in tables and errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Middle => "middle",
            Self::Init => "init",
        }
    }
}

/// What ps(1) calls init until it is the program.
pub const INIT_NAME: &std::ffi::CStr = c"jec:[2:INIT]";

/// What the walker needs of a process.
pub trait Process {
    /// Which of the three it is.
    const SIDE: Side;
    /// The first thing it does when it is its turn for the first time.
    fn arrive(&mut self) -> Result<()>;
    /// Runs a stage of this side.
    fn run(&mut self, stage: &Stage) -> Result<()>;
    /// Waits until it is this process's turn.
    fn take_baton(&mut self) -> Result<Word>;
    /// Lets the other side work.
    fn pass_baton(&mut self) -> Result<()>;
}

/// A child says who it is, for ps(1), and that it ends with jec. Until it is its
/// turn it needs no such order: it hears the end of the socket.
fn arrive(name: &std::ffi::CStr) -> Result<()> {
    attributes::set_name(name)?;
    attributes::die_with_parent()
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
    pub states: Option<crate::state::States>,
    /// Where the cgroup goes, decided before anything is made; none where there is no cgroup v2.
    pub placement: Option<cgroup::Placement>,
    /// The cgroup, once it exists.
    pub cgroup: Option<cgroup::Cgroup>,
    /// The compiled system call filter.
    pub filter: Option<filter::Program>,
    /// Our end of the pair that the console comes through, and the one for Init.
    pub console: Option<(OwnedFd, OwnedFd)>,
    /// The middle process while it lives.
    pub middle: Option<Child>,
    /// The init process.
    pub init: Option<Child>,
    /// Detached mounts made for Init (id-mapped ones), with their place in the mount list.
    pub sources: Vec<OwnedFd>,
    /// What Init sent along with the baton: the listener of a filter.
    pub received: Vec<OwnedFd>,
    /// Number of the process that the other side has made.
    pub told_pid: i32,
    /// The baton; none before `spawn-middle`.
    pub baton: Option<Baton>,
    /// Signals for jec, read as messages.
    pub signals: Option<SignalFd>,
    /// The signal that ended set-up.
    pub interrupted: Option<i32>,
    /// Where to write init's pid, if asked for: absolute.
    pub pid_file: Option<String>,
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
    /// The compiled filter, for Init.
    pub filter: Option<filter::Program>,
    /// The console's socket, for Init.
    pub console: Option<OwnedFd>,
    /// Init's number, to be told with the baton.
    pub init_pid: i32,
}

/// PID 1 of the container: everything inside is its work, until it becomes the program.
pub struct Init<'a> {
    /// What is to be made.
    pub plan: &'a Plan,
    /// The rows that this run walks.
    pub rows: &'a [&'static Stage],
    /// The host's own /proc: it shows this process, and no mount of the container can cover it.
    pub proc: Rc<OwnedFd>,
    /// The baton.
    pub baton: Baton,
    /// The root of the container, once `propagation` has made it a mount.
    pub root: Option<OwnedFd>,
    /// Detached mounts that Runtime made, in the order of the mount list.
    pub sources: Vec<OwnedFd>,
    /// The compiled filter.
    pub filter: Option<filter::Program>,
    /// The listener of the filter, on its way to Runtime.
    pub listener: Option<OwnedFd>,
    /// Where the console's master goes.
    pub console: Option<OwnedFd>,
    /// The program, found by `program`.
    pub program: Option<CString>,
    /// The environment, HOME included.
    pub env: Vec<CString>,
}

impl Init<'_> {
    /// The root of the container.
    pub fn root(&self) -> Result<std::os::fd::BorrowedFd<'_>> {
        self.root
            .as_ref()
            .map(AsFd::as_fd)
            .ok_or_else(|| Error::differs("the root", "a descriptor", "none yet"))
    }
}

impl Process for Runtime<'_> {
    const SIDE: Side = Side::Runtime;

    fn arrive(&mut self) -> Result<()> {
        Ok(())
    }

    fn run(&mut self, stage: &Stage) -> Result<()> {
        match stage.run {
            crate::stages::Run::Runtime(run) => run(self),
            _ => Ok(()),
        }
    }

    /// The only wait of set-up with three ends: the baton, a signal for jec, or
    /// the end of the middle. Killed between making init and telling of it, it
    /// leaves the socket open in init's hands, and both would wait for ever.
    fn take_baton(&mut self) -> Result<Word> {
        let (Some(baton), Some(signals)) = (&self.baton, &self.signals) else {
            return Ok(Word::Ended);
        };
        let mut watched = vec![(baton.as_fd(), READ), (signals.as_fd(), READ)];
        watched.extend(self.middle.as_ref().map(|middle| (middle.pidfd.as_fd(), READ)));
        let mut middle_ended = false;
        loop {
            let ready = signal::watch(&watched, None)?;
            if ready[0].contains(READ) {
                let (word, received) = baton.take()?;
                self.received.extend(received);
                if let Word::Go(pid) = word {
                    self.told_pid = pid;
                }
                return Ok(word);
            }
            // The second look since its end: what it had said before would be there.
            if middle_ended {
                return Ok(Word::Ended);
            }
            middle_ended = ready.get(2).is_some_and(|middle| middle.contains(READ));
            if let Some(number) = signal::next(signals).filter(|number| signal::ends(*number)) {
                self.interrupted = Some(number);
                return Err(Error::Died {
                    who: "set-up".into(),
                    how: format!(": signal {number}"),
                });
            }
        }
    }

    fn pass_baton(&mut self) -> Result<()> {
        let Some(baton) = &self.baton else {
            return Ok(());
        };
        let sources = std::mem::take(&mut self.sources);
        baton.pass(0, &sources)
    }
}

impl<'a> Runtime<'a> {
    /// Holds nothing yet but what every command has.
    pub fn new(
        plan: &'a Plan,
        rows: &'a [&'static Stage],
        proc: Rc<OwnedFd>,
        states: Option<crate::state::States>,
    ) -> Self {
        Self {
            plan,
            rows,
            proc,
            container: None,
            states,
            placement: None,
            cgroup: None,
            filter: None,
            console: None,
            middle: None,
            init: None,
            sources: Vec::new(),
            received: Vec::new(),
            told_pid: 0,
            baton: None,
            signals: None,
            interrupted: None,
            pid_file: None,
        }
    }

    /// Closes what only set-up and waiting needed. Cleaning up opens files, and
    /// must not fail because too many are open already.
    pub fn let_go(&mut self) {
        (self.baton, self.console, self.placement, self.signals) = (None, None, None, None);
        self.sources.clear();
        self.received.clear();
    }

    /// How the child ended that should have answered.
    pub fn how_it_died(&mut self) -> Error {
        let (who, child) = match (&self.init, &self.middle) {
            (Some(init), _) => ("init", init),
            (None, Some(middle)) => ("the middle process", middle),
            (None, None) => {
                return Error::Died { who: "nobody".into(), how: String::new() };
            }
        };
        let how = match wait(child) {
            Ok(end) => format!(": {end}"),
            Err(error) => format!(", and waiting for it failed: {error}"),
        };
        Error::Died { who: who.into(), how }
    }
}

impl Process for Middle<'_> {
    const SIDE: Side = Side::Middle;

    fn arrive(&mut self) -> Result<()> {
        arrive(c"jec:[1:MIDDLE]")
    }

    fn run(&mut self, stage: &Stage) -> Result<()> {
        match stage.run {
            crate::stages::Run::Middle(run) => run(self),
            _ => Ok(()),
        }
    }

    fn take_baton(&mut self) -> Result<Word> {
        self.baton.take().map(|(word, _)| word)
    }

    fn pass_baton(&mut self) -> Result<()> {
        self.baton.pass(self.init_pid, &[])
    }
}

impl Process for Init<'_> {
    const SIDE: Side = Side::Init;

    fn arrive(&mut self) -> Result<()> {
        arrive(INIT_NAME)
    }

    fn run(&mut self, stage: &Stage) -> Result<()> {
        match stage.run {
            crate::stages::Run::Init(run) => run(self),
            _ => Ok(()),
        }
    }

    fn take_baton(&mut self) -> Result<Word> {
        let (word, received) = self.baton.take()?;
        self.sources.extend(received);
        Ok(word)
    }

    fn pass_baton(&mut self) -> Result<()> {
        let listener: Vec<OwnedFd> = self.listener.take().into_iter().collect();
        self.baton.pass(0, &listener)
    }
}
