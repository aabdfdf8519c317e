//! `jec list`: all containers.

use std::io::{self, Write};

use super::open_proc;
use super::state::{Shown, print};
use crate::cli::{Format, Global, ListArgs};
use crate::error::{Error, Failure, Result, unless};
use crate::log;
use crate::state::States;

/// Prints them as a table, as JSON, or their ids only.
pub fn run(global: &Global, args: &ListArgs) -> Result<u8, Failure> {
    let states = States::open(global.root.as_deref(), open_proc()?)?;
    let mut all = Vec::new();
    for id in states.ids()? {
        all.extend(shown(&states, &id)?);
    }
    if args.format == Format::Json && !args.quiet {
        return print(&all);
    }
    // A reader that has seen enough is no error.
    drop(if args.quiet { ids(&all) } else { table(&all) });
    Ok(0)
}

/// None for what somebody removes at this moment, or a crash has left.
fn shown(states: &States, id: &str) -> Result<Option<Shown>> {
    let container = match states.find(id) {
        Err(Error::State { .. }) => return Ok(None),
        other => other?,
    };
    if container.intent.boot.is_empty() {
        log::warn(&format!("{id}: its state is torn; `jec delete --force {id}` removes it"));
        return Ok(None);
    }
    unless(&[nix::errno::Errno::ENOENT], Shown::now(&container))
}

fn ids(all: &[Shown]) -> io::Result<()> {
    all.iter().try_for_each(|shown| writeln!(io::stdout(), "{}", shown.state.id))
}

/// Columns as runc has them: at least 12 wide, 3 apart.
fn table(all: &[Shown]) -> io::Result<()> {
    let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from)];
    rows.extend(all.iter().map(|shown| {
        let state = &shown.state;
        let status = format!("{:?}", state.status).to_lowercase();
        let (id, pid, bundle) = (state.id.clone(), state.pid.to_string(), state.bundle.clone());
        [id, pid, status, bundle, shown.created.clone(), shown.owner.clone()]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len() + 3).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(|column| width(column).max(12));
    rows.iter().try_for_each(|row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(io::stdout(), "{}{}", cells.collect::<String>(), row[5])
    })
}
