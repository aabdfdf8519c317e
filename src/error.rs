//! The errors of jec: six kinds, each a sentence that names its object.
//!
//! Stage code only uses `?`. The walker adds the stage and the side, so that a
//! failure reads: where, which call with which arguments, which errno, and
//! (where [`crate::advice`] knows it) the likely cause and the command
//! that confirms it.

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::stages::{self, Stage};
use crate::sys::process::End;

/// What can go wrong. Six kinds are enough: the object is in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Error {
    /// A system call failed. `errno` is the kernel's number (errno(3)).
    #[error("{name}({args}) = {}", errno_text(*errno))]
    Call {
        /// The system call, as in section 2 of the man pages.
        name: String,
        /// Its arguments, as `--explain` shows them.
        args: String,
        /// The kernel's error number.
        errno: i32,
    },
    /// The configuration asks for what the specification forbids, or for what
    /// jec does not have. `property` is its path in config.json, or the flag.
    #[error("{property}: {problem}")]
    Config {
        /// Path of the property in config.json, or the flag.
        property: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// This machine cannot do what was asked. Nothing has been made yet.
    #[error("{lacks}\n  cure: {cure}")]
    Machine {
        /// What is missing.
        lacks: String,
        /// How to get it.
        cure: String,
    },
    /// What was read back from the kernel is not what was set.
    #[error("{what}: set to {wanted}, but the kernel says {found}")]
    Differs {
        /// The kernel object.
        what: String,
        /// What jec asked for.
        wanted: String,
        /// What the kernel answered.
        found: String,
    },
    /// The container is not in a state that allows the operation.
    #[error("container {id:?}: {problem}")]
    State {
        /// The container's id.
        id: String,
        /// What does not fit.
        problem: String,
    },
    /// A process of ours ended while another waited for it, or a signal ended the wait.
    #[error("{who} ended before its work was done{how}")]
    Died {
        /// Which process.
        who: String,
        /// How it ended, where that is known: starts with a separator.
        how: String,
        /// The signal that asked jec itself to end.
        signal: Option<i32>,
    },
}

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the configuration: the property's path (or the flag) and the problem.
    pub fn config(property: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Config { property: property.into(), problem: problem.into() }
    }

    /// What this machine lacks, and how to get it.
    pub fn machine(lacks: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::Machine { lacks: lacks.into(), cure: cure.into() }
    }

    /// A read-back that differs from what was set.
    pub fn differs(
        what: impl Into<String>,
        wanted: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Differs { what: what.into(), wanted: wanted.into(), found: found.into() }
    }

    /// An operation that the container's state does not allow.
    pub fn state(id: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::State { id: id.into(), problem: problem.into() }
    }

    /// The errno of a failed system call; 0 for every other kind.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Call { errno, .. } => *errno,
            _ => 0,
        }
    }

    /// The same with what the kernel, or a program, has said of a failed call.
    #[must_use]
    pub fn with_words(mut self, said: &str) -> Self {
        if let (Self::Call { args, .. }, false) = (&mut self, said.trim().is_empty()) {
            *args = format!("{args} [{}]", said.trim());
        }
        self
    }

    /// Whether a system call failed with this errno.
    pub fn is(&self, errno: Errno) -> bool {
        self.errno() == errno as i32
    }
}

/// Fails with what `error` says, unless it is so.
pub fn ensure(is_so: bool, error: impl FnOnce() -> Error) -> Result<()> {
    if is_so { Ok(()) } else { Err(error()) }
}

/// The result; none when the call failed with one of these errnos, which are an answer
/// to whoever names them here.
pub fn unless<T>(errnos: &[Errno], result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if errnos.iter().any(|errno| error.is(*errno)) => Ok(None),
        other => other.map(Some),
    }
}

/// `EBUSY: Device or resource busy`: the name first, since the man pages are indexed by it.
fn errno_text(errno: i32) -> String {
    let errno = Errno::from_raw(errno);
    format!("{errno:?}: {}", errno.desc())
}

/// Whatever the string was for: the kernel's strings end at a NUL byte.
impl From<std::ffi::NulError> for Error {
    fn from(error: std::ffi::NulError) -> Self {
        let text = String::from_utf8_lossy(&error.into_vec()).into_owned();
        Self::config(format!("{text:?}"), "contains a NUL byte")
    }
}

/// An error with the place where it happened: what crosses from process to process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The name of the stage, a row of STAGES; none while the plan is still being made.
    pub stage: Option<String>,
    /// What went wrong there.
    pub error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { stage: None, error }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(stage) = &self.stage else {
            return write!(f, "{}", self.error);
        };
        let side = stages::find(stage).map_or("", Stage::side);
        write!(f, "{stage} ({side}): {}", self.error)?;
        if let Some((cause, check)) = crate::advice::find(stage, &self.error) {
            write!(f, "\n  likely: {cause}\n  check:  {check}")?;
        }
        write!(f, "\n  more:   jec stages {stage}")
    }
}

impl Failure {
    /// The exit status that jec ends with: as in the shell 127 when there is no such program, and
    /// 126 when it was found and execve(2), or the question before it, failed, for whatever
    /// reason; 128 and its number when a signal ended set-up, else 1, as in runc.
    pub fn exit_code(&self) -> u8 {
        let starting = matches!(self.stage.as_deref(), Some("program" | "exec"));
        match &self.error {
            Error::Died { signal: Some(number), .. } => End::Signaled(*number).code(),
            Error::Call { name, .. } if starting && matches!(&**name, "execve" | "faccessat2") => {
                if self.error.is(Errno::ENOENT) {
                    127
                } else {
                    126
                }
            }
            _ => 1,
        }
    }
}
