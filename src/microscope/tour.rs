//! `jec tour`: an interactive walk through a real run, on the whole terminal.
//!
//! Through a recorded one, stage by stage, forward and back: without root, and where no container
//! could be made. The first of them is in the binary. Or, with `--run`, through one that happens
//! now: it rests before each stage, what is shown is what the kernel says then, and there can be
//! a shell in the process that rests.
//!
//! Read `walk`, what there is to see; `panes`, how it is shown; `screen`, the terminal; `live` and
//! `guide`, the two ends of the line to a run that is made to rest.

pub mod guide;
mod keys;
mod live;
mod panes;
mod screen;
mod sources;
mod table;
mod walk;

use std::cell::Cell;
use std::ffi::{CString, OsString};
use std::io::{Write, stderr, stdin};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use clap::Args;
use nix::sys::signal::Signal;

use crate::error::{Error, Failure, Result, ensure};
use crate::stages::Stage;
use crate::sys::file;
use crate::sys::process::End;
use crate::sys::signal::{self, CONTINUE, READ};
use live::Live;
use screen::Screen;
use walk::{Step, Walk};

/// The trace of the reference container; `tests/reference` makes it anew.
const REFERENCE: &str = include_str!("tour/reference.jsonl");

/// What the page says of it.
const RECORDED: &str = "jec tour: a container that was recorded (a real one: jec tour --run)";

const RUN: &str = "jec tour: a container that is being made, and rests at each stage";

/// `jec tour`
#[derive(Debug, Args)]
#[command(
    override_usage = "jec tour [FILE]\n       jec tour --run [FLAGS] [TARGET] [--] [COMMAND…]",
    after_help = "EXAMPLES:
  jec tour                                      a container that was recorded, for every user
  jec tour trace.jsonl                          what `jec run --trace trace.jsonl` wrote
  jec tour --run --hostname box ./rootfs        a real one, which rests at each stage
Keys: → and ← walk, Tab and the arrows look around, s opens a shell, ? tells all, q leaves."
)]
pub struct TourArgs {
    /// Walk through what `jec run` makes of all that follows; it rests before each stage
    #[arg(long)]
    pub run: bool,
    /// A trace that `jec run --trace FILE` wrote [default: that of a reference container]
    #[arg(value_name = "FILE", allow_hyphen_values = true, trailing_var_arg = true)]
    pub words: Vec<OsString>,
}

/// The last line of the page, where there is nothing else to say.
const KEYS: &str = "→ next   ← back   Tab pane   ↑↓ scroll, choose   / search   ? help   q leave";
const SHELL: &str = "   s shell there   ← back   / search   ? help   q abandon";

/// Where the learner is.
#[derive(Default)]
pub struct Tour {
    title: String,
    walk: Walk,
    live: Option<Live>,
    /// The step, and the call in it.
    at: usize,
    call: usize,
    /// Which of the three panes the arrows move.
    pane: usize,
    /// The first line of the source, where the learner has chosen it, and as it was shown last;
    /// that of the facts.
    source: Option<usize>,
    shown: Cell<usize>,
    scroll: usize,
    /// What is searched, and whether it is being typed.
    search: String,
    is_typing: bool,
    is_helping: bool,
    message: String,
    is_over: bool,
    /// What the run has said and nobody has seen yet.
    said: Vec<u8>,
}

/// Opens the tour.
pub fn run(args: &TourArgs) -> Result<u8, Failure> {
    let mut tour = Tour::open(args)?;
    let mut screen = Screen::new()?;
    if args.run {
        tour.live = Some(Live::begin(std::env::args_os())?);
    } else {
        screen.enter()?;
    }
    let walked = tour.walk(&mut screen);
    drop(screen);
    let code = tour.end();
    walked?;
    Ok(code?)
}

impl Tour {
    fn open(args: &TourArgs) -> Result<Self> {
        let (title, walk) = match &args.words[..] {
            _ if args.run => (RUN.into(), Walk::default()),
            [] => (RECORDED.into(), Walk::read("the reference", REFERENCE)?),
            [path] => {
                let name = path.to_string_lossy().into_owned();
                let path = CString::new(path.as_bytes())?;
                let text = file::read_file(file::HERE, &path, live::LONGEST)?;
                let walk = Walk::read(&name, &text)?;
                let cut = if walk.is_whole { "" } else { " (cut off)" };
                (format!("{name}{cut}: {}", walk.command), walk)
            }
            [_, more, ..] => {
                let problem = "one FILE is enough; the arguments of a run come after --run";
                return Err(Error::config(more.to_string_lossy(), problem));
            }
        };
        Ok(Self { title, walk, ..Self::default() })
    }

    fn walk(&mut self, screen: &mut Screen) -> Result<()> {
        while !self.is_over {
            if screen.is_on {
                screen.draw(|area| panes::page(self, area))?;
            }
            let mut watched = vec![(screen.signals.as_fd(), READ)];
            let run = self.live.as_ref().filter(|live| live.ended.is_none());
            watched.extend(run.iter().flat_map(|live| live.watched()).map(|fd| (fd, READ)));
            let (input, is_live) = (stdin(), run.is_some());
            // While the program or a shell has the terminal, keys are its own.
            watched.extend(screen.is_on.then_some((input.as_fd(), READ)));
            let ready = signal::watch(&watched, None)?;
            let is_ready = |at: usize| ready.get(at).is_some_and(|ready| ready.contains(READ));
            if is_ready(0) {
                Self::signal(screen)?;
            }
            if is_live {
                self.news(screen, [1, 2, 3].map(is_ready))?;
            }
            if screen.is_on && is_ready(if is_live { 4 } else { 1 }) {
                let keys = screen::keys()?;
                self.is_over = keys.is_empty();
                keys.into_iter().try_for_each(|key| self.key(key, screen))?;
            }
        }
        Ok(())
    }

    fn signal(screen: &mut Screen) -> Result<()> {
        let Some(number) = signal::next(&screen.signals) else {
            return Ok(());
        };
        if number == CONTINUE && screen.is_on {
            screen.leave()?;
            screen.enter()?;
        }
        // Where the program has the terminal, its Ctrl-C is for the program.
        let is_ours = screen.is_on || number != Signal::SIGINT as i32;
        let how = format!(": signal {number}");
        let ended = || Error::Died { who: "the tour".into(), how, signal: Some(number) };
        ensure(!(signal::ends(number) && is_ours), ended)
    }

    /// What there is of a run: it has said something, it rests, it has ended.
    fn news(&mut self, screen: &mut Screen, [rests, says, ends]: [bool; 3]) -> Result<()> {
        let Some(live) = &mut self.live else {
            return Ok(());
        };
        if says {
            self.said.extend(live.said()?);
        }
        if rests {
            live.hear()?;
        }
        if ends {
            live.end()?;
        }
        if live.is_passing() {
            return live.go();
        }
        if rests || ends {
            self.arrive()?;
            if !self.is_over {
                screen.enter()?;
            }
        }
        self.tell(screen);
        Ok(())
    }

    /// Shows what has happened so far. The stage at which it rests has not: what was changed since
    /// (by a shell) stands beside what the stage before has changed.
    fn arrive(&mut self) -> Result<()> {
        let Some(live) = &self.live else {
            return Ok(());
        };
        let walk = live.walk();
        // It has ended before there was anything to walk through.
        self.is_over = live.ended.is_some() && walk.is_err();
        if self.is_over {
            return Ok(());
        }
        self.walk = walk?;
        self.message.clear();
        let rests = self.rests().map(|stage| stage.name);
        let steps = &mut self.walk.steps;
        if steps.len() > 1
            && let Some(next) = steps.pop_if(|last| Some(&*last.name) == rests)
            && let Some(last) = steps.last_mut()
        {
            last.facts = next.facts;
            (0..2).for_each(|of| last.changed[of].extend(next.changed[of].iter().cloned()));
        }
        self.go_to(self.walk.steps.len().saturating_sub(1), None);
        Ok(())
    }

    /// What the run says beside its program is for when there is no page on the terminal.
    fn tell(&mut self, screen: &Screen) {
        if !screen.is_on {
            drop(stderr().write_all(&std::mem::take(&mut self.said)));
        }
    }

    /// The end: nothing of a run stays. Its exit status, unless it was given up.
    fn end(&mut self) -> Result<u8> {
        let Some(live) = &mut self.live else {
            return Ok(0);
        };
        let code = live.ended;
        if code.is_none() {
            live.abandon()?;
            live.end()?;
        }
        while let said @ [_, ..] = &*live.said()? {
            self.said.extend(said);
        }
        drop(stderr().write_all(&self.said));
        Ok(code.map_or(0, End::code))
    }

    /// What the learner looks at.
    fn step(&self) -> Option<&Step> {
        self.walk.steps.get(self.at)
    }

    /// The last line of the page.
    fn status(&self) -> String {
        if self.is_typing || !self.message.is_empty() {
            return if self.is_typing {
                format!("search: {}_", self.search)
            } else {
                self.message.clone()
            };
        }
        match self.live.as_ref().map(|live| (live.rests, live.ended)) {
            None => KEYS.into(),
            Some((_, Some(end))) => format!("jec run has ended: {end}; ← back   q leave"),
            Some((None, None)) => "…".into(),
            Some((Some(next), None)) => format!("→ does {}{SHELL}", next.name),
        }
    }

    /// The stage at which a run rests.
    fn rests(&self) -> Option<&'static Stage> {
        self.live.as_ref()?.rests
    }
}
