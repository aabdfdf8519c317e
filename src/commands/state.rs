//! `jec state`: what the specification wants to be known of a container, as JSON.

use std::io::Write;

use super::{find, open_proc};
use crate::cli::{Global, IdArgs};
use crate::error::{Error, Failure, Result};
use crate::state::Status;

/// Prints the state as it is now (runtime.md, "Query State").
pub fn run(global: &Global, args: &IdArgs) -> Result<u8, Failure> {
    let (_, container) = find(global, &args.id, &open_proc()?)?;
    let mut state = container.state.clone();
    state.status = container.status()?;
    if state.status == Status::Stopped {
        state.pid = 0;
    }
    let text = serde_json::to_string_pretty(&state)
        .map_err(|error| Error::config("state", error.to_string()))?;
    // A reader that has seen enough is no error.
    drop(writeln!(std::io::stdout(), "{text}"));
    Ok(0)
}
