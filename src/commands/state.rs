//! `jec state`: what the specification wants to be known of a container, as JSON.

use std::io::Write;

use serde::Serialize;

use super::{find, open_proc};
use crate::cli::{Global, IdArgs};
use crate::error::{Error, Failure, Result};
use crate::plan::flags::user::login_name;
use crate::state::{Container, State, Status};
use crate::sys::file;

/// A state as it is now, with what runc tells beside the specification.
#[derive(Serialize)]
pub struct Shown {
    /// What the specification wants.
    #[serde(flatten)]
    pub state: State,
    /// The root file system.
    pub rootfs: String,
    /// When it was created (RFC 3339).
    pub created: String,
    /// Whose it is: a name of /etc/passwd, or a number.
    pub owner: String,
}

impl Shown {
    /// Asks for what may have changed since it was written down (runtime.md, "Query State").
    /// `passwd` is the text of /etc/passwd, where its owner has a name.
    pub fn now(container: &Container, passwd: &str) -> Result<Self> {
        let mut state = container.state.clone();
        state.status = container.status()?;
        if state.status == Status::Stopped {
            state.pid = 0;
        }
        let uid = container.owner()?;
        let owner = login_name(passwd, uid).unwrap_or_else(|| uid.to_string());
        let (rootfs, created) = (container.intent.rootfs.clone(), container.intent.created.clone());
        Ok(Self { state, rootfs, created, owner })
    }
}

/// Prints the state of one.
pub fn run(global: &Global, args: &IdArgs) -> Result<u8, Failure> {
    let (_, container) = find(global, &args.id, &open_proc()?)?;
    let passwd = file::read_file(file::HERE, c"/etc/passwd", 1 << 20).unwrap_or_default();
    print(&Shown::now(&container, &passwd)?)
}

/// Prints JSON for somebody to read.
pub fn print(value: &impl Serialize) -> Result<u8, Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::config("state", error.to_string()))?;
    // A reader that has seen enough is no error.
    drop(writeln!(std::io::stdout(), "{text}"));
    Ok(0)
}
