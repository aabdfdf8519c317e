//! Starting a command, waiting for its end, and the time in between.
//!
//! posix_spawn(3) shares our memory with the child until its execve, so that the
//! size of this program is no part of the time (fork would copy page tables).
//! The clock is CLOCK_MONOTONIC, read just before the spawn and just after the
//! wait: it holds the loader, the work, the exit and the reaping, as for an engine.

use std::ffi::{CStr, CString};
use std::io::{Error, Result};
use std::time::Instant;

/// A command, and a file that it finds open as descriptor [`GIVEN`].
#[derive(Debug, Clone)]
pub struct Line {
    pub words: Vec<CString>,
    pub given: Option<CString>,
}

/// The number of the descriptor that a command may be given.
pub const GIVEN: i32 = 9;

/// How a command, or several, went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    /// From the spawn to the end.
    pub micros: f64,
    /// User and system time of the command and of all children it waited for.
    pub cpu_micros: f64,
    pub failed: bool,
}

impl Line {
    pub fn new<I: IntoIterator<Item = S>, S: AsRef<str>>(words: I) -> Self {
        let words = words.into_iter().map(|word| c(word.as_ref())).collect();
        Self { words, given: None }
    }

    pub fn with(mut self, word: &str) -> Self {
        self.words.push(c(word));
        self
    }

    /// The words as one text, for messages.
    pub fn shown(&self) -> String {
        self.words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    /// Runs it to its end.
    pub fn time(&self) -> Result<Outcome> {
        let begin = Instant::now();
        let pid = self.spawn()?;
        let (status, cpu_micros) = wait(pid)?;
        Ok(Outcome { micros: micros(begin), cpu_micros, failed: status != 0 })
    }

    /// Whether it ends with 0. What it says goes nowhere.
    pub fn succeeds(&self) -> bool {
        self.time().is_ok_and(|outcome| !outcome.failed)
    }

    /// Runs it once more, to hear what it says.
    pub fn complaint(&self) -> String {
        let words = self.words.iter().map(|word| word.to_string_lossy().into_owned());
        let words: Vec<String> = words.collect();
        let heard = std::process::Command::new(&words[0]).args(&words[1..]).output();
        heard.map_or_else(
            |error| error.to_string(),
            |heard| String::from_utf8_lossy(&heard.stderr).trim().replace('\n', "; "),
        )
    }

    /// Starts it with /dev/null for standard input, output and error.
    pub fn spawn(&self) -> Result<i32> {
        let environment = [c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
        let words = pointers(self.words.iter().map(CString::as_c_str));
        let environment = pointers(environment.into_iter());
        let mut pid = 0;
        // SAFETY: an all-zero value is what init fills; all texts and lists outlive the call.
        let result = unsafe {
            let mut actions: libc::posix_spawn_file_actions_t = std::mem::zeroed();
            libc::posix_spawn_file_actions_init(&raw mut actions);
            let mut open = |fd, path: &CStr, how| {
                libc::posix_spawn_file_actions_addopen(&raw mut actions, fd, path.as_ptr(), how, 0)
            };
            open(0, c"/dev/null", libc::O_RDONLY);
            open(1, c"/dev/null", libc::O_WRONLY);
            open(2, c"/dev/null", libc::O_WRONLY);
            if let Some(given) = &self.given {
                open(GIVEN, given, libc::O_RDONLY);
            }
            let result = libc::posix_spawn(
                &raw mut pid,
                words[0],
                &raw const actions,
                std::ptr::null(),
                words.as_ptr().cast(),
                environment.as_ptr().cast(),
            );
            libc::posix_spawn_file_actions_destroy(&raw mut actions);
            result
        };
        if result == 0 { Ok(pid) } else { Err(Error::from_raw_os_error(result)) }
    }
}

/// Starts all, then waits for all: the time is that of the whole.
pub fn at_once(lines: &[Line]) -> Result<Outcome> {
    let begin = Instant::now();
    let pids = lines.iter().map(Line::spawn).collect::<Result<Vec<_>>>()?;
    let mut sum = Outcome::default();
    for pid in pids {
        let (status, cpu_micros) = wait(pid)?;
        sum.cpu_micros += cpu_micros;
        sum.failed |= status != 0;
    }
    Ok(Outcome { micros: micros(begin), ..sum })
}

/// One after the other.
pub fn in_turn(lines: &[Line]) -> Result<Outcome> {
    let begin = Instant::now();
    let mut sum = Outcome::default();
    for line in lines {
        let one = line.time()?;
        sum.cpu_micros += one.cpu_micros;
        sum.failed |= one.failed;
    }
    Ok(Outcome { micros: micros(begin), ..sum })
}

/// wait4(2): the status as the kernel gives it, and the time of the processor in microseconds.
pub fn wait(pid: i32) -> Result<(i32, f64)> {
    let mut status = 0;
    // SAFETY: both results are whole and ours; an all-zero rusage is one.
    let (result, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid, &raw mut status, libc::__WALL, &raw mut usage), usage)
    };
    if result != pid {
        return Err(Error::last_os_error());
    }
    let micros = |time: libc::timeval| time.tv_sec as f64 * 1e6 + time.tv_usec as f64;
    Ok((status, micros(usage.ru_utime) + micros(usage.ru_stime)))
}

fn micros(begin: Instant) -> f64 {
    begin.elapsed().as_nanos() as f64 / 1000.0
}

fn pointers<'a>(texts: impl Iterator<Item = &'a CStr>) -> Vec<*const libc::c_char> {
    texts.map(CStr::as_ptr).chain([std::ptr::null()]).collect()
}

/// A text for the kernel; one with a zero byte is no text of ours.
pub fn c(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}
