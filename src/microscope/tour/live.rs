//! A run that is walked while it happens: `jec run --step --trace`, at whose stops the tour says
//! how to go on. The trace is in memory, and read again at each stop.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{ChildStderr, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::guide::{GO, SHELL};
use super::walk::Walk;
use crate::error::{Error, Result};
use crate::stages::{self, Stage};
use crate::sys::process::{self, Child, End};
use crate::sys::signal::{self, READ};
use crate::sys::{file, memory};

/// What a trace may be long.
pub const LONGEST: usize = 64 << 20;

/// The run, and our ends of its lines.
pub struct Live {
    child: Child,
    from: OwnedFd,
    /// None once it is given up: what it hears then is the end of the line.
    to: Option<OwnedFd>,
    /// What it has to say beside the program; shown when the tour's pages are not.
    errors: ChildStderr,
    trace: CString,
    /// Held, so that the paths which the run was given lead somewhere.
    _held: [OwnedFd; 3],
    /// The stage before which it rests.
    pub rests: Option<&'static Stage>,
    /// The program has begun, and the end has not.
    is_running: bool,
    /// How it has ended.
    pub ended: Option<End>,
}

impl Live {
    /// Begins a run: `line` is jec's whole command line, with `tour --run` in it.
    pub fn begin(line: impl Iterator<Item = OsString>) -> Result<Self> {
        let ((from, theirs), (ours, to)) = (file::pipe()?, file::pipe()?);
        let trace = memory::file_of(c"trace", b"")?;
        let path = |fd: &OwnedFd| format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd());
        let mut command = Command::new("/proc/self/exe");
        command.arg0("jec").stderr(Stdio::piped());
        let mut is_ours = true;
        for word in line.skip(1) {
            match word.to_str() {
                Some("tour") if is_ours => {}
                Some("--run") if is_ours => {
                    is_ours = false;
                    command.args(["run", "--step", "--trace", &path(&trace), "--guide"]);
                    command.args([path(&theirs), path(&ours)]);
                }
                _ => drop(command.arg(word)),
            }
        }
        let failed = |error: std::io::Error| Error::config("jec run", error.to_string());
        let mut child = command.spawn().map_err(failed)?;
        let errors = child.stderr.take().ok_or_else(|| Error::config("jec run", "is silent"))?;
        let pid = child.id().cast_signed();
        let child = Child { pid, pidfd: process::pidfd_open(pid)? };
        let trace_path = CString::new(path(&trace))?;
        let held = [theirs, ours, trace];
        Ok(Self {
            child,
            from,
            to: Some(to),
            errors,
            trace: trace_path,
            _held: held,
            rests: None,
            is_running: false,
            ended: None,
        })
    }

    /// What to watch: news, messages, its end.
    pub fn watched(&self) -> [BorrowedFd<'_>; 3] {
        [self.from.as_fd(), self.errors.as_fd(), self.child.pidfd.as_fd()]
    }

    /// Hears where it rests now.
    pub fn hear(&mut self) -> Result<()> {
        let mut buffer = [0; 256];
        let count = file::read(self.from.as_fd(), &mut buffer)?;
        let text = String::from_utf8_lossy(&buffer[..count]);
        self.rests = stages::find(text.trim_end());
        Ok(())
    }

    /// What it has said.
    pub fn said(&self) -> Result<Vec<u8>> {
        let (mut buffer, entry) = ([0; 4096], [(self.errors.as_fd(), READ)]);
        let is_there = signal::watch(&entry, Some(Duration::ZERO))?[0].contains(READ);
        let count = if is_there { file::read(self.errors.as_fd(), &mut buffer)? } else { 0 };
        Ok(buffer[..count].to_vec())
    }

    /// What has happened so far. The last line may be one that is being written.
    pub fn walk(&self) -> Result<Walk> {
        let text = file::read_file(file::HERE, &self.trace, LONGEST)?;
        Walk::read("trace", text.rsplit_once('\n').map_or("", |(whole, _)| whole))
    }

    pub fn go(&mut self) -> Result<()> {
        self.is_running |= self.rests.is_some_and(|stage| stage.name == "exec");
        self.say(GO)
    }

    /// The user's terminal is the shell's until it rests again.
    pub fn shell(&mut self) -> Result<()> {
        self.say(SHELL)
    }

    fn say(&mut self, word: &[u8]) -> Result<()> {
        self.rests = None;
        self.to.as_ref().map_or(Ok(()), |to| file::write(to.as_fd(), word))
    }

    /// Gives the container up, wherever it is.
    pub fn abandon(&mut self) -> Result<()> {
        self.to = None;
        let is_busy = self.rests.is_none();
        if is_busy { process::send(&self.child, Signal::SIGTERM as i32) } else { Ok(()) }
    }

    /// Takes its exit status; waits for it.
    pub fn end(&mut self) -> Result<End> {
        self.rests = None;
        let end = process::wait(&self.child)?;
        self.ended = Some(end);
        Ok(end)
    }

    /// The program runs: jec does not rest on its way to wait for it.
    pub fn is_passing(&mut self) -> bool {
        let Some(stage) = self.rests.filter(|_| self.is_running) else {
            return false;
        };
        self.is_running = stage.part != stages::END;
        self.is_running
    }
}
