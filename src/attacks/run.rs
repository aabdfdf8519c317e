//! The command: runs attacks, each in two containers, and prints what came of it.

use std::io::{Write, stdout};
use std::os::fd::{AsFd, OwnedFd};

use clap::Args;
use nix::{sched::CloneFlags, sys::signalfd::SignalFd};
use serde::Serialize;

use super::container::{Ended, attempt};
use super::programs::host::{self, Host, trouble};
use super::programs::{ATTACKS, Attack, openings};
use crate::error::{Error, Failure, Result};
use crate::sys::process::{self, clone3, exit_now};
use crate::sys::signal::{self, READ};
use crate::{log, skip::paint};

/// `jec attack`
#[derive(Debug, Args)]
#[command(after_help = include_str!("help.txt").trim_end())]
pub struct AttackArgs {
    /// The attack
    #[arg(value_name = "NAME", required_unless_present_any = ["all", "list"])]
    pub name: Option<String>,
    /// All attacks
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
    /// Print their names only, one a line
    #[arg(long)]
    pub list: bool,
    /// Attack a container that lacks these stages, or other words of the matrix
    #[arg(long, value_name = "STAGE[,…]", value_delimiter = ',', value_parser = openings::word)]
    pub skip: Vec<String>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// Carry out those too that change, for a moment, what the whole machine goes by
    #[arg(long)]
    pub break_this_machine: bool,
    /// Carry it out, here
    #[arg(long, hide = true, requires = "name")]
    pub inside: bool,
}

/// Prints the list or the matrix; or is the attack itself, inside.
pub fn run(args: &AttackArgs) -> Result<u8, Failure> {
    let named = |attack: &&Attack| args.name.as_ref().is_none_or(|name| name == attack.name);
    let chosen: Vec<_> = ATTACKS.iter().filter(named).collect();
    let problem = "no such attack; `jec attack --list` lists them";
    let first = chosen.first().ok_or_else(|| Error::config("attack", problem))?;
    if args.inside {
        return Ok(first.carry_out());
    }
    if args.list {
        drop(chosen.iter().try_for_each(|attack| writeln!(stdout(), "{}", attack.name)));
        return Ok(0);
    }
    Ok(in_a_machine(|signals| {
        exit_now(matrix(args, &chosen, signals).map_err(Failure::from).unwrap_or_else(|failure| {
            log::error(&failure.to_string());
            failure.exit_code()
        }))
    })?)
}

/// In a process that ends with this one, and with it all that was made for it. What asks this one
/// to end is passed on.
fn in_a_machine(work: impl FnOnce(&SignalFd) -> std::convert::Infallible) -> Result<u8> {
    let signals = signal::as_messages()?;
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWPID;
    let own = if host::is_root() { own } else { CloneFlags::empty() };
    let machine = clone3(own, None, || work(&signals))?;
    loop {
        let watched = [(machine.pidfd.as_fd(), READ), (signals.as_fd(), READ)];
        if signal::watch(&watched, None)?[0].contains(READ) {
            return process::wait(&machine).map(process::End::code);
        }
        let ends = signal::next(&signals).filter(|number| signal::ends(*number));
        ends.map_or(Ok(()), |number| process::send(&machine, number))?;
    }
}

/// Whether all went as predicted, as an exit status.
fn matrix(args: &AttackArgs, chosen: &[&Attack], signals: &SignalFd) -> Result<u8> {
    host::enter().map_err(trouble)?;
    let (_master, caller) = host::terminal()?;
    let mut rows = Vec::new();
    for attack in chosen {
        let row = Row::of(args, attack, (&caller, signals))?;
        if !args.json {
            // A reader that has seen enough (`jec attack --all | head`) is no error.
            drop(writeln!(stdout(), "{}", row.text(&args.skip.join(","))));
        }
        rows.push(row);
    }
    let count = |which: fn(&&Row) -> bool| rows.iter().filter(which).count();
    let (skipped, wrong) = (count(|row| row.skipped.is_some()), count(|row| !row.as_predicted));
    let right = rows.len() - skipped - wrong;
    let sum = format!("{right} as predicted, {wrong} not, {skipped} skipped");
    let json = || serde_json::to_string(&rows).map_err(|error| trouble(error.into()));
    let last = if args.json { json()? } else { sum };
    drop(writeln!(stdout(), "{last}"));
    Ok((wrong > 0).into())
}

/// What came of one attack.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(flatten)]
    attack: &'a Attack,
    skipped: Option<String>,
    with_everything: Option<Ended>,
    without_it: Option<Ended>,
    as_predicted: bool,
}

impl<'a> Row<'a> {
    /// In an experiment (`--skip`) there is one container, and any answer is right, without harm.
    fn of(args: &AttackArgs, attack: &'a Attack, of: (&OwnedFd, &SignalFd)) -> Result<Self> {
        let run = |without: &[&str]| {
            attempt(&mut Host::new(of.0, attack).map_err(trouble)?, attack, without, of.1)
        };
        let skip: Vec<_> = args.skip.iter().map(String::as_str).collect();
        let skipped = host::lacks(attack.needs, args.break_this_machine)?;
        let is_whole = skipped.is_none() && skip.is_empty();
        let with_everything = skipped.is_none().then(|| run(&skip)).transpose()?;
        let without_it = is_whole.then(|| run(&attack.stops())).transpose()?;
        let is_right = |answer: &str| !is_whole || answer == attack.predicted;
        let held = |ended: &Ended| ended.harm.is_none() && is_right(&ended.answer);
        let as_predicted = with_everything.as_ref().is_none_or(held)
            && without_it.as_ref().is_none_or(|open| open.harm.is_some());
        Ok(Self { attack, skipped, with_everything, without_it, as_predicted })
    }

    /// A line for each container.
    fn text(&self, skip: &str) -> String {
        let Attack { name, without, predicted, .. } = self.attack;
        let Some(closed) = &self.with_everything else {
            return format!("{name:17}skipped: {}", self.skipped.as_deref().unwrap_or_default());
        };
        let place = if skip.is_empty() { String::new() } else { format!("without {skip}: ") };
        let verdict = match (&closed.harm, &self.without_it) {
            (Some(harm), _) => paint(&stdout(), 31, &format!("SUCCEEDED: {harm}")),
            (None, None) => paint(&stdout(), 32, "did not succeed"),
            _ if closed.answer == *predicted => paint(&stdout(), 32, "as predicted"),
            _ => paint(&stdout(), 31, &format!("WRONG: {predicted} was predicted")),
        };
        let first = format!("{name:17}{place}{:14}{verdict}", closed.answer);
        let Some(open) = &self.without_it else { return first };
        let wrong = || paint(&stdout(), 31, &format!("WRONG: it did not succeed: {}", open.answer));
        format!("{first}\n  without {without}: {}", open.harm.clone().unwrap_or_else(wrong))
    }
}
