//! `jec run --stop-before STAGE`, `--stop-after STAGE`, `--step`: the container rests there, and
//! the learner gets a shell *in that process at that point*, with its namespaces, root, ids,
//! capabilities and filter as they are now.
//!
//! The shell is a child of the process that rests: a program of the host before the pivot, of the
//! container after it. On a terminal it has one of its own (pty(7)), opened before anything is
//! made, so that Ctrl-C is its own affair even where that process has left the session of the
//! user's terminal; the process that rests carries the bytes. Without a terminal it reads its
//! commands from standard input. Its end says how to go on: 0, or anything else to abandon.

mod shell;

use std::io::{IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::termios::Termios;

use super::tour::guide::Guide;
use crate::cli::StopArgs;
use crate::commands::{open_proc, stages};
use crate::error::{Error, Result, ensure};
use crate::stages::{END, Stage, find};
use crate::sys::process::End;
use crate::sys::signal::READ;
use crate::sys::{Recorder, board, file, rest, signal, terminal};

/// How many stages are named on either side of a stop.
const NAMED: usize = 4;

/// Where to rest, and what for: the three processes inherit it.
static STOPS: OnceLock<Stops> = OnceLock::new();

struct Stops {
    before: Option<String>,
    after: Option<String>,
    step: bool,
    /// jec has begun anew from its copy.
    is_sealed: bool,
    /// The host's /proc.
    proc: OwnedFd,
    /// Standard input, output and error of jec.
    streams: [OwnedFd; 3],
    terminal: Option<Terminal>,
    /// `jec tour` says how to go on.
    guide: Option<Guide>,
    /// Holds a byte once somebody has abandoned.
    abandoned: (OwnedFd, OwnedFd),
}

/// The user's terminal as it was, and one for the shells.
struct Terminal {
    modes: Mutex<Termios>,
    master: OwnedFd,
    slave: OwnedFd,
}

impl Terminal {
    fn new() -> Result<Self> {
        let modes = Mutex::new(terminal::modes(std::io::stdin().as_fd())?);
        let master = file::openat(file::HERE, c"/dev/ptmx", OFlag::O_RDWR | OFlag::O_NOCTTY, 0)?;
        terminal::unlock(master.as_fd())?;
        let (master, slave) = (board::copy_far(master.as_fd())?, terminal::peer(master.as_fd())?);
        Ok(Self { modes, master, slave: board::copy_far(slave.as_fd())? })
    }
}

/// Notes where to stop, and keeps what it takes; nothing, where nobody asks for it.
pub fn open(args: &StopArgs) -> Result<()> {
    let named = [&args.stop_before, &args.stop_after].into_iter().flatten();
    named.clone().try_for_each(|name| find(name).map(drop).ok_or_else(|| stages::unknown(name)))?;
    let problem = "by then init is the program; rest before running instead";
    let is_possible = args.stop_after.as_deref() != Some("exec");
    ensure(is_possible, || Error::config("--stop-after exec", problem))?;
    if named.count() == 0 && !args.step {
        return Ok(());
    }
    let (proc, is_terminal) = (open_proc()?, std::io::stdin().is_terminal());
    let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let (ours, theirs) = file::pipe()?;
    let stops = Stops {
        before: args.stop_before.clone(),
        after: args.stop_after.clone(),
        step: args.step,
        guide: Guide::open(&args.guide)?,
        is_sealed: super::is_sealed(&proc)?,
        proc: board::copy_far(proc.as_fd())?,
        streams: [
            board::copy_far(input.as_fd())?,
            board::copy_far(output.as_fd())?,
            board::copy_far(error.as_fd())?,
        ],
        terminal: is_terminal.then(Terminal::new).transpose()?,
        abandoned: (board::copy_far(ours.as_fd())?, board::copy_far(theirs.as_fd())?),
    };
    STOPS.get_or_init(|| stops);
    Ok(())
}

/// Refuses a stop at a row that this container does not have: nobody would ever rest there.
pub fn refuse_absent(args: &StopArgs, rows: &[&Stage]) -> Result<()> {
    let named = [("--stop-before", &args.stop_before), ("--stop-after", &args.stop_after)];
    for (flag, name) in named.into_iter().filter_map(|(flag, name)| Some((flag, name.as_ref()?))) {
        let is_outside = |stage: &Stage| stage.name == "seal" || stage.part == END;
        let is_there =
            rows.iter().any(|row| row.name == name) || find(name).is_some_and(is_outside);
        let problem = "this container does not have that stage: `jec plan` says why";
        ensure(is_there, || Error::config(format!("{flag} {name}"), problem))?;
    }
    Ok(())
}

/// Runs a stage, and rests before it, and after it, where that is asked for.
pub fn around(
    stage: &Stage,
    rows: &[&'static Stage],
    run: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let Some(stops) = STOPS.get() else {
        return run();
    };
    let asked = |name: &Option<String>| name.as_deref() == Some(stage.name);
    // Only the first of the two walks of `seal` seals.
    let is_over = stage.name == "seal" && stops.is_sealed;
    if !is_over && (stops.step || asked(&stops.before)) {
        stops.rest("before", stage, rows)?;
    }
    run()?;
    if asked(&stops.after) { stops.rest("after", stage, rows) } else { Ok(()) }
}

/// Whatever has ended jec: the user's terminal is as it was.
pub fn end() {
    if let Some(stops) = STOPS.get() {
        drop(stops.restore());
    }
}

impl Stops {
    fn rest(&self, when: &str, stage: &Stage, rows: &[&'static Stage]) -> Result<()> {
        if stage.part == END && self.is_abandoned()? {
            return Ok(());
        }
        let ears = Recorder::pause();
        let (blocked, prompt) = (rest::blocked()?, format!("[{when} {}] # ", stage.name));
        let ended = if let Some(guide) = &self.guide {
            let again = || Recorder::moment(stage.name, stage.side());
            let shell = || shell::run(self, &prompt).map(|_| again());
            // Where nobody listens any more, the end goes on without a word.
            let ended = guide.rest(stage.name, shell);
            if stage.part == END { ended.map(|_| End::Exited(0)) } else { ended }
        } else {
            self.tell(&announcement(when, stage, rows, &self.number()))?;
            shell::run(self, &prompt)
        };
        rest::block(&blocked)?;
        Recorder::resume(ears);
        match ended? {
            End::Exited(0) => Ok(()),
            end if stage.part == END => self.tell(&format!("{end}: the end goes on all the same")),
            end => {
                file::write(self.abandoned.1.as_fd(), b"!")?;
                let how = format!(": abandoned {when} {} ({end})", stage.name);
                Err(Error::Died { who: "set-up".into(), how, signal: None })
            }
        }
    }

    /// The number on the host of the process that rests.
    fn number(&self) -> String {
        // From `fds` on nothing of the host's is open.
        let found = file::readlinkat(self.proc.as_fd(), c"self");
        found.map_or("1 inside".into(), |number| number.to_string_lossy().into_owned())
    }

    fn is_abandoned(&self) -> Result<bool> {
        let entry = [(self.abandoned.0.as_fd(), READ)];
        Ok(signal::watch(&entry, Some(Duration::ZERO))?[0].contains(READ))
    }

    /// To whoever called jec, whatever standard error is by now.
    fn tell(&self, text: &str) -> Result<()> {
        file::write(self.streams[2].as_fd(), format!("jec: {text}\n").as_bytes())
    }

    fn restore(&self) -> Result<()> {
        let Some(terminal) = &self.terminal else {
            return Ok(());
        };
        drop(std::io::stdout().flush());
        let modes = terminal.modes.lock();
        modes.map_or(Ok(()), |modes| terminal::set_modes(self.streams[0].as_fd(), &modes))
    }
}

/// What is done, and what is to come.
fn announcement(when: &str, stage: &Stage, rows: &[&'static Stage], number: &str) -> String {
    let (name, side, what) = (stage.name, stage.side(), stage.what);
    let at = rows.iter().position(|row| row.name == name).unwrap_or(0);
    let at = if when == "after" { at + 1 } else { at };
    let names = |rows: &[&Stage]| rows.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
    let (done, left) = rows.split_at(at.min(rows.len()));
    let (early, done) = done.split_at(done.len().saturating_sub(NAMED));
    let (left, late) = left.split_at(left.len().min(NAMED));
    let early = if early.is_empty() { "" } else { "… " };
    let late = if late.is_empty() { "" } else { ", …" };
    format!(
        "at rest {when} {name} ({side}, process {number}): {what}
  done:    {early}{}
  to come: {}{late}
  a shell in that process: `exit 0` goes on, `exit 1` abandons",
        names(done),
        names(left)
    )
}
