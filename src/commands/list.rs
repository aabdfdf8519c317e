//! `jec list`: all containers.

use std::io::{self, Write};

use super::open_proc;
use super::state::{Shown, print};
use crate::cli::{Format, Global, ListArgs};
use crate::error::{Error, Failure, Result, unless};
use crate::log;
use crate::state::States;
use crate::sys::file;

/// Prints them as a table, as JSON, or their ids only.
pub fn run(global: &Global, args: &ListArgs) -> Result<u8, Failure> {
    let states = States::open(global.root.as_deref(), open_proc()?)?;
    let passwd = file::read_file(file::HERE, c"/etc/passwd", 1 << 20).unwrap_or_default();
    let mut all = Vec::new();
    for id in states.ids()? {
        all.extend(shown(&states, &id, &passwd)?);
    }
    if args.format == Format::Json && !args.quiet {
        return print(&all);
    }
    // A reader that has seen enough is no error.
    let text = if args.quiet { ids(&all) } else { table(&all) };
    drop(io::stdout().write_all(text.as_bytes()));
    Ok(0)
}

/// None for what somebody removes at this moment, or a crash has left.
fn shown(states: &States, id: &str, passwd: &str) -> Result<Option<Shown>> {
    let container = match states.find(id) {
        Err(Error::State { .. }) => return Ok(None),
        other => other?,
    };
    if container.intent.boot.is_empty() {
        log::warn(&format!("{id}: its state is torn; `jec delete --force {id}` removes it"));
        return Ok(None);
    }
    unless(&[nix::errno::Errno::ENOENT], Shown::now(&container, passwd))
}

fn ids(all: &[Shown]) -> String {
    all.iter().map(|shown| shown.state.id.clone() + "\n").collect()
}

/// Columns as runc has them: at least 12 wide, 3 apart.
fn table(all: &[Shown]) -> String {
    let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from)];
    rows.extend(all.iter().map(|shown| {
        let state = &shown.state;
        let status = format!("{:?}", state.status).to_lowercase();
        let (id, pid, bundle) = (state.id.clone(), state.pid.to_string(), state.bundle.clone());
        [id, pid, status, bundle, shown.created.clone(), shown.owner.clone()]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len() + 3).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(|column| width(column).max(12));
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<String>() + &row[5] + "\n"
    };
    rows.iter().map(line).collect()
}
