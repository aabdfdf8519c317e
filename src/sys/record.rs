//! How a wrapper ends: what `--explain` prints, what an error quotes, what the caller gets.

use std::ffi::CString;
use std::fmt::{Arguments, Display};
use std::io::{self, IsTerminal};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::panic::Location;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::time::Instant;

use nix::errno::Errno;

use super::{file, memory, trace};
use crate::error::{Error, Result};

/// Who listens, of the two below; 0 while the recorder is off.
static EARS: AtomicU8 = AtomicU8::new(0);
/// `--explain`
const EXPLAIN: u8 = 1;
/// `--trace`
const TRACE: u8 = 2;

/// The descriptor that explanations go to.
static SINK: AtomicI32 = AtomicI32::new(-1);

/// The file in memory where moments are noted for `--time`, by all three processes; -1 while
/// nobody asks for them.
static MOMENTS: AtomicI32 = AtomicI32::new(-1);

/// What the moments are counted from. The clock is CLOCK_MONOTONIC in all three processes.
static BEGIN: OnceLock<Instant> = OnceLock::new();

/// Whether that is a terminal, where a stage's name can be bold.
static COLOUR: AtomicBool = AtomicBool::new(false);

/// Ends the wrapper of a call that tells nothing but its success, shown as 0.
#[track_caller]
pub fn record<T>(name: &str, args: Arguments, result: nix::Result<T>) -> Result<()> {
    record_as(name, args, result, |_| 0).map(drop)
}

/// Ends the wrapper of a call that makes a descriptor.
#[track_caller]
pub fn record_fd(name: &str, args: Arguments, result: nix::Result<OwnedFd>) -> Result<OwnedFd> {
    record_as(name, args, result, AsRawFd::as_raw_fd)
}

/// Ends every wrapper: turns an errno into an [`Error`] that names the call and
/// its arguments, and tells the recorder. The arguments are formatted only
/// when someone reads them; `shown` gives what strace would show after the `=`.
#[track_caller]
pub fn record_as<T, S: Display>(
    name: &str,
    args: Arguments,
    result: nix::Result<T>,
    shown: impl FnOnce(&T) -> S,
) -> Result<T> {
    if Recorder::is_on() {
        match &result {
            Ok(value) => Recorder::call(name, args, format_args!("{}", shown(value))),
            Err(errno) => Recorder::call(name, args, format_args!("-1 {errno:?}")),
        }
    }
    result.map_err(|errno| failed(name, args, errno))
}

/// An error has to fit into a message, and a screen: arguments may be megabytes (execve).
fn failed(name: &str, args: Arguments, errno: Errno) -> Error {
    const LONGEST: usize = 1000;
    let mut args = args.to_string();
    if let Some((end, _)) = args.char_indices().nth(LONGEST) {
        args.truncate(end);
        args.push('…');
    }
    Error::Call { name: name.into(), args, errno: errno as i32 }
}

/// The errno inside an error of the standard library.
pub fn errno(error: io::Error) -> Errno {
    Errno::try_from(error).unwrap_or(Errno::EIO)
}

/// Makes a call again for as long as a signal interrupts it.
pub fn again<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// The descriptor that a call has returned.
///
/// # Safety
/// `value` comes from a call that makes a new descriptor, and nobody else takes it.
pub unsafe fn descriptor(value: impl Into<libc::c_long>) -> nix::Result<OwnedFd> {
    let fd = RawFd::try_from(Errno::result(value.into())?).map_err(|_| Errno::EBADF)?;
    // SAFETY: it was made for us just now, and is owned by nobody yet.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The switch and the mouth of the recorder.
pub struct Recorder;

impl Recorder {
    /// From now on every call, of this process and of those it clones, is
    /// written to `sink`, which has to stay open.
    pub fn on(sink: OwnedFd) {
        // NO_COLOR: https://no-color.org
        let colour = sink.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        COLOUR.store(colour, Ordering::Relaxed);
        SINK.store(sink.into_raw_fd(), Ordering::Relaxed);
        EARS.fetch_or(EXPLAIN, Ordering::Relaxed);
    }

    /// The same for the trace, whose observer reads what is told to [`trace`].
    pub fn trace(on: bool) {
        EARS.store(if on { TRACE } else { 0 }, Ordering::Relaxed);
    }

    /// Whether anybody listens.
    pub fn is_on() -> bool {
        EARS.load(Ordering::Relaxed) != 0
    }

    /// No explanation for a while; what is returned goes to [`Self::resume`]. A trace has no gaps.
    pub fn pause() -> u8 {
        EARS.fetch_and(!EXPLAIN, Ordering::Relaxed)
    }

    /// Goes on after [`Self::pause`].
    pub fn resume(ears: u8) {
        EARS.fetch_or(ears, Ordering::Relaxed);
    }

    /// A call, to those who listen. The result is empty before a call that does not return.
    #[track_caller]
    pub fn call(name: &str, args: Arguments, result: Arguments) {
        let ears = EARS.load(Ordering::Relaxed);
        if ears & EXPLAIN != 0 {
            let equals = if result.as_str() == Some("") { "" } else { " = " };
            Self::line(format_args!("    {name}({args}){equals}{result}"));
        }
        if ears & TRACE != 0 {
            trace::call(Location::caller(), name, args, result);
        }
    }

    /// From now on moments are noted.
    pub fn time() -> Result<()> {
        BEGIN.get_or_init(Instant::now);
        MOMENTS.store(memory::file_of(c"moments", b"")?.into_raw_fd(), Ordering::Relaxed);
        Ok(())
    }

    /// Notes that something begins, and who does it. The processes share the place in the file.
    pub fn moment(name: &str, side: &str) {
        if EARS.load(Ordering::Relaxed) & TRACE != 0 {
            trace::border(name, side);
        }
        if let (file @ 0.., Some(begin)) = (MOMENTS.load(Ordering::Relaxed), BEGIN.get()) {
            let line = format!("{name} {side} {}\n", begin.elapsed().as_nanos());
            // SAFETY: the buffer is valid for its length; MOMENTS is open while it is not -1.
            unsafe { libc::write(file, line.as_ptr().cast(), line.len()) };
        }
    }

    /// The lines that were noted; no more will be.
    pub fn moments() -> Result<String> {
        let file = MOMENTS.swap(-1, Ordering::Relaxed);
        file::read_file(file::HERE, &CString::new(format!("/proc/self/fd/{file}"))?, 1 << 20)
    }

    /// The two lines above the calls of a stage: what, and why here.
    pub fn stage(name: &str, side: &str, what: &str, why: &str) {
        if COLOUR.load(Ordering::Relaxed) {
            Self::line(format_args!("\x1b[1m{name}\x1b[0m · \x1b[36m{side}\x1b[0m · {what}"));
            Self::line(format_args!("  \x1b[2m{why}\x1b[0m"));
        } else {
            Self::line(format_args!("{name} · {side} · {what}\n  {why}"));
        }
    }

    /// Writes one line in a single write(2), so that lines of three processes never mix.
    /// A reader that went away costs the explanation, not the container.
    pub fn line(text: Arguments) {
        let sink = SINK.load(Ordering::Relaxed);
        if EARS.load(Ordering::Relaxed) & EXPLAIN != 0 {
            let line = format!("{text}\n");
            // SAFETY: the buffer is valid for its length; SINK is open while it is not -1.
            unsafe { libc::write(sink, line.as_ptr().cast(), line.len()) };
        }
    }
}
