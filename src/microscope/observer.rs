//! The observer: reads what the three processes tell, and writes the lines of the trace.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::calls;
use super::lines::{Event, FORMAT, Line, Place};
use super::names::Names;
use super::state::States;
use crate::error::Result;
use crate::stages::{self, Stage};
use crate::sys::board::{Board, now};
use crate::sys::file;
use crate::sys::signal::{self, READ};
use crate::sys::trace::BETWEEN;

/// A clock that is further off than this is that of a time namespace.
const OTHER_CLOCK: i64 = 1_000_000_000;

/// How often it looks for news without any, before it takes longer and longer naps.
const AWAKE: u32 = 500;

/// What it sleeps between two looks while it is awake.
const NAP: Duration = Duration::from_micros(10);

/// How long after its end a call may be told.
const LATE: Duration = Duration::from_millis(500);

/// What it needs to look and to write.
pub struct Observer {
    board: &'static Board,
    /// The trace.
    file: OwnedFd,
    /// Lines that are in it already.
    lines: u64,
    /// Ends with the last of those who tell.
    lifeline: OwnedFd,
    names: Names,
    states: States,
    /// The borders that were passed, by their numbers.
    borders: HashMap<u64, Place>,
    /// The last of them.
    last: Place,
    last_number: u64,
    /// The border behind which the baton was passed last.
    passed: Option<u64>,
    /// What times are counted from.
    begin: i64,
}

impl Observer {
    /// Has not seen anything yet.
    pub fn new(
        board: &'static Board,
        file: OwnedFd,
        lines: u64,
        lifeline: OwnedFd,
        states: States,
    ) -> Self {
        Self {
            board,
            file,
            lines,
            lifeline,
            names: Names::default(),
            states,
            borders: HashMap::new(),
            last: Place::default(),
            last_number: 0,
            passed: None,
            begin: now(),
        }
    }

    /// What it must not close.
    pub fn descriptors(&self) -> [i32; 2] {
        [self.file.as_raw_fd(), self.lifeline.as_raw_fd()]
    }

    /// Nobody is to wait for it any more.
    pub fn leave(&self) {
        self.board.desert();
    }

    /// Writes the first line.
    pub fn begin(&mut self, jec: i32) -> Result<()> {
        let kernel = self.states.eye.kernel();
        let command = std::env::args_os().skip(1);
        let command = command.map(|word| word.to_string_lossy().into_owned()).collect();
        let version = env!("CARGO_PKG_VERSION");
        let (kernel, clock) = (&*kernel, self.begin);
        let begin = Event::Begin { format: FORMAT, jec: version, kernel, command, pid: jec, clock };
        self.names.process(jec, "runtime");
        self.states.add(jec, "runtime", None);
        self.write("begin", self.begin, begin)
    }

    /// Reads and writes until nobody is left who could tell anything.
    pub fn watch(&mut self) -> Result<()> {
        let mut idle = 0_u32;
        loop {
            if let Some((number, text)) = self.board.take() {
                idle = 0;
                self.hear(number, &text)?;
                self.board.answer();
                continue;
            }
            idle += 1;
            let nap = idle.saturating_sub(AWAKE) / 100;
            if nap == 0 {
                std::thread::sleep(NAP);
                continue;
            }
            let nap = Duration::from_millis(nap.min(20).into());
            let ready = signal::watch(&[(self.lifeline.as_fd(), READ)], Some(nap))?;
            if !ready[0].contains(READ) {
                continue;
            }
            // They have ended; what they had said before is there.
            while let Some((number, text)) = self.board.take() {
                self.hear(number, &text)?;
            }
            if !self.board.skip() {
                return Ok(());
            }
            self.write("lost", now(), Event::Lost {})?;
        }
    }

    fn hear(&mut self, number: u64, text: &str) -> Result<()> {
        let mut fields = text.splitn(3, BETWEEN);
        let (kind, time) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let rest = fields.next().unwrap_or_default();
        // In a time namespace clocks are other ones; the observer's is a few microseconds late.
        let (time, now) = (time.parse().unwrap_or(0), now());
        let time = if (now - time).abs() > OTHER_CLOCK { now } else { time };
        match kind {
            "c" => self.call(time, rest)?,
            "b" => self.border(number, time, rest)?,
            _ => {
                self.look(time)?;
                self.write("end", time, Event::End { code: rest.parse().unwrap_or(0) })?;
            }
        }
        Ok(())
    }

    fn border(&mut self, number: u64, time: i64, rest: &str) -> Result<()> {
        let (name, side) = rest.split_once(BETWEEN).unwrap_or_default();
        let stage = stages::find(name);
        // What is no stage is jec's own.
        let side = stage.map_or("runtime", |_| side);
        // Init passes nothing on when it has become the program.
        let passes = self.last.stage.is_some() && self.last.name != "exec";
        if passes && side != self.last.side {
            self.hear_of_pass()?;
        }
        self.look(time)?;
        let place = Place { name: name.into(), side: side.into(), stage };
        self.write(
            "stage",
            time,
            Event::Stage {
                stage: name,
                side,
                what: stage.map(|stage| stage.what),
                why: stage.map(Stage::why_here),
                part: stage.map(|stage| stage.part),
                chapter: stage.map(Stage::module),
            },
        )?;
        (self.last, self.last_number) = (place.clone(), number);
        self.borders.insert(number, place);
        Ok(())
    }

    /// Whoever takes the baton may be faster than who has passed it is in telling so: what was
    /// done before the border is to stand before it.
    fn hear_of_pass(&mut self) -> Result<()> {
        let begin = Instant::now();
        while self.passed != Some(self.last_number) && begin.elapsed() < LATE {
            match self.board.take() {
                Some((number, text)) => self.hear(number, &text)?,
                None => std::thread::sleep(NAP),
            }
        }
        Ok(())
    }

    fn call(&mut self, time: i64, rest: &str) -> Result<()> {
        let fields: Vec<_> = rest.splitn(7, BETWEEN).collect();
        let [border, born, path, line, call, result, args] = fields[..] else {
            return self.write("lost", time, Event::Lost {});
        };
        let border = border.parse().ok();
        self.passed = if call == "sendmsg" { border } else { self.passed };
        let place = border.and_then(|border: u64| self.borders.get(&border));
        let place = place.cloned().unwrap_or_default();
        self.meet(call, &place, result);
        // Between its birth and its first stage.
        let (side, child) = match (born, &*place.name) {
            ("true", "spawn-middle") => ("middle", None),
            ("true", "spawn-init") => ("init", None),
            _ => (&*place.side, Some(true).filter(|_| born == "true")),
        };
        let mut args = calls::named(call, args);
        for (name, value) in &mut args {
            *value = self.canonical(call, name, value);
        }
        let errno = result.strip_prefix("-1 ");
        let result = Some(result).filter(|result| errno.is_none() && !result.is_empty());
        let result = result.map(|result| match self.names.of_process(result) {
            Some(name) if ["clone3", "fork", "waitid"].contains(&call) => name.into(),
            _ => calls::value(result),
        });
        // Of an installed crate, the path is absolute.
        let file = path.rfind("/src/").map_or(path, |at| &path[at + 1..]);
        let event = Event::Call {
            stage: &place.name,
            side,
            child,
            call,
            args,
            result,
            errno,
            why: place.stage.map(Stage::why_here),
            file,
            line: line.parse().unwrap_or(0),
            chapter: place.stage.map(Stage::module),
        };
        self.write("call", time, event)
    }

    /// A process that was made gets its name.
    fn meet(&mut self, call: &str, place: &Place, result: &str) {
        let Ok(pid @ 1..) = result.parse::<i32>() else {
            return;
        };
        match (call, &*place.name) {
            ("clone3", "spawn-middle") => {
                self.names.process(pid, "middle");
                self.states.add(pid, "middle", Some("runtime"));
            }
            ("clone3", "spawn-init") => {
                self.names.process(pid, "init");
                self.states.add(pid, "init", Some("middle"));
            }
            ("clone3" | "fork", _) => drop(self.names.further(pid, call)),
            _ => {}
        }
    }

    fn canonical(&self, call: &str, name: &str, value: &Value) -> Value {
        let text = value.to_string();
        let is_process = name == "pid" || (call, name) == ("waitid", "id");
        match value {
            Value::Number(_) if is_process => {
                self.names.of_process(&text).map_or_else(|| value.clone(), Value::from)
            }
            Value::String(text) => self.names.of_text(text).into(),
            _ => value.clone(),
        }
    }

    /// What has changed in the kernel's state since the last border.
    fn look(&mut self, time: i64) -> Result<()> {
        let after = self.last.name.clone();
        for change in self.states.look(&mut self.names) {
            let changed = change
                .changed
                .iter()
                .map(|(key, was, is)| (&**key, Value::from(vec![was.clone(), is.clone()])));
            let event = Event::State {
                of: &change.of,
                from: change.from.as_deref(),
                after: Some(&*after).filter(|after| !after.is_empty()),
                changed: changed.collect(),
            };
            self.write("state", time, event)?;
        }
        Ok(())
    }

    /// One write for a line: whoever is killed leaves whole ones.
    fn write(&mut self, event: &str, time: i64, rest: Event) -> Result<()> {
        let line = Line { event, sequence: self.lines, time: time - self.begin, rest };
        self.lines += 1;
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        file::write(self.file.as_fd(), text.as_bytes())
    }
}
