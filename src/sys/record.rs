//! The recorder: what `--explain` prints, and what an error quotes.

use std::fmt::{self, Write as _};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use crate::error::{Error, Result};

/// The descriptor that explanations go to; -1 while the recorder is off.
static SINK: AtomicI32 = AtomicI32::new(-1);

/// Whether that is a terminal, where a stage's name can be bold.
static COLOUR: AtomicBool = AtomicBool::new(false);

/// A successful result, as strace would show it after the `=`.
pub trait Outcome {
    /// The text after `=`.
    fn shown(&self) -> String;
}

impl Outcome for () {
    fn shown(&self) -> String {
        "0".into()
    }
}
impl Outcome for OwnedFd {
    fn shown(&self) -> String {
        self.as_raw_fd().to_string()
    }
}
impl Outcome for Option<OwnedFd> {
    fn shown(&self) -> String {
        self.as_ref().map_or("0".into(), Outcome::shown)
    }
}
impl Outcome for Option<super::process::End> {
    fn shown(&self) -> String {
        self.as_ref().map_or("0".into(), ToString::to_string)
    }
}
impl Outcome for i32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}
impl Outcome for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}
impl Outcome for i64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}
impl Outcome for usize {
    fn shown(&self) -> String {
        self.to_string()
    }
}
impl Outcome for std::ffi::CString {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

/// Ends every wrapper: turns an errno into an [`Error`] that names the call and
/// its arguments, and tells the recorder. The arguments are formatted only
/// when someone reads them.
pub fn record<T: Outcome>(
    name: &str,
    args: fmt::Arguments<'_>,
    result: nix::Result<T>,
) -> Result<T> {
    if SINK.load(Ordering::Relaxed) >= 0 {
        let shown = match &result {
            Ok(value) => value.shown(),
            Err(errno) => format!("-1 {errno:?}"),
        };
        Recorder::line(format_args!("    {name}({args}) = {shown}"));
    }
    result.map_err(|errno| Error::Call {
        name: name.into(),
        args: shortened(args.to_string()),
        errno: errno as i32,
    })
}

/// An error has to fit into a message, and a screen: arguments may be megabytes (execve).
fn shortened(args: String) -> String {
    const LONGEST: usize = 1000;
    match args.char_indices().nth(LONGEST) {
        None => args,
        Some((end, _)) => format!("{}…", &args[..end]),
    }
}

/// The switch and the mouth of the recorder.
pub struct Recorder;

impl Recorder {
    /// From now on every call, of this process and of those it clones, is
    /// written to `sink`, which has to stay open.
    pub fn on(sink: OwnedFd) {
        use std::io::IsTerminal;
        use std::os::fd::IntoRawFd;
        // NO_COLOR: https://no-color.org
        let colour = sink.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        COLOUR.store(colour, Ordering::Relaxed);
        SINK.store(sink.into_raw_fd(), Ordering::Relaxed);
    }

    /// Whether anybody listens.
    pub fn is_on() -> bool {
        SINK.load(Ordering::Relaxed) >= 0
    }

    /// The descriptor explanations go to: the walker must not close it early.
    pub fn sink() -> RawFd {
        SINK.load(Ordering::Relaxed)
    }

    /// Silent for a while; what is returned goes to [`Self::resume`].
    pub fn pause() -> RawFd {
        SINK.swap(-1, Ordering::Relaxed)
    }

    /// Goes on after [`Self::pause`].
    pub fn resume(sink: RawFd) {
        SINK.store(sink, Ordering::Relaxed);
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
    pub fn line(text: fmt::Arguments<'_>) {
        let mut line = String::new();
        if writeln!(line, "{text}").is_ok() && Self::is_on() {
            // SAFETY: the buffer is valid for its length; SINK is open while it is not -1.
            unsafe { libc::write(Self::sink(), line.as_ptr().cast(), line.len()) };
        }
    }
}
