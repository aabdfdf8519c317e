//! The walker: runs the rows of STAGES, each in its own process, in the order
//! of the list.
//!
//! All three processes walk the same list. Each runs the rows of its own side
//! and, where the side changes between two rows, waits for the baton or passes
//! it. So the order of the list is the order of execution over three
//! processes, and no row needs to know of another.

use std::convert::Infallible;

use super::baton::Word;
use super::{Command, Run, STAGES, Stage};
use crate::error::{Error, Failure, Place};
use crate::plan::Plan;
use crate::sides::{Init, Middle, Process, Runtime, Side};
use crate::sys::{Recorder, process};

/// The rows that apply to this plan, for these commands, in order.
pub fn rows(plan: &Plan, commands: &[Command]) -> Vec<&'static Stage> {
    STAGES
        .iter()
        .filter(|stage| commands.iter().any(|command| stage.commands.contains(command)))
        .filter(|stage| (stage.when.applies)(plan))
        .collect()
}

/// Walks the rows of one side. For Middle and Init this is their whole life.
pub fn walk<P: Process>(side: &mut P, rows: &[&'static Stage]) -> Result<(), Failure> {
    let mut arrived = false;
    for (at, stage) in rows.iter().enumerate() {
        if stage.side() != P::SIDE {
            continue;
        }
        let place = |error| failure(stage, error);
        let before = at.checked_sub(1).map(|before| rows[before]);
        if before.is_some_and(|before| before.side() != P::SIDE) {
            take(side, before.unwrap_or(stage))?;
        }
        explain(stage);
        if !arrived {
            arrived = true;
            side.arrive().map_err(place)?;
        }
        side.run(stage).map_err(place)?;
        if rows.get(at + 1).is_some_and(|next| next.side() != P::SIDE) {
            side.pass_baton().map_err(place)?;
        }
    }
    Ok(())
}

/// Waits until the row `before`, of another side, is done.
fn take<P: Process>(side: &mut P, before: &Stage) -> Result<(), Failure> {
    match side.take_baton().map_err(|error| failure(before, error))? {
        Word::Go(_) => Ok(()),
        Word::Fail(failure) => Err(failure),
        // The end of the socket after `exec` is its success: it closed on execve.
        Word::Ended if before.name == "exec" => Ok(()),
        Word::Ended => Err(failure(
            before,
            Error::Died { who: before.side().name().into(), how: String::new() },
        )),
    }
}

/// Adds the place to an error.
fn failure(stage: &Stage, error: Error) -> Failure {
    let place = Place { stage: stage.name.into(), side: stage.side().name().into() };
    Failure { place: Some(place), error }
}

/// The line of `--explain` above the calls of a stage.
fn explain(stage: &Stage) {
    if Recorder::is_on() {
        Recorder::stage(stage.name, stage.side().name(), stage.what, stage.why_here());
    }
}

/// The life of the Middle: its rows, then the end.
pub fn middle(mut middle: Middle) -> Infallible {
    let rows = middle.rows;
    let result = walk(&mut middle, rows);
    end(result, &middle.baton)
}

/// The life of Init: its rows, of which the last becomes the program.
pub fn init(mut init: Init) -> Infallible {
    let rows = init.rows;
    let result = walk(&mut init, rows);
    end(result, &init.baton)
}

/// The end of a child. A failure is told to Runtime; the exit status repeats
/// it for the case that a filter already forbids to speak.
fn end(result: Result<(), Failure>, baton: &super::baton::Baton) -> Infallible {
    let status = match result {
        Ok(()) => 0,
        // EPIPE: Runtime is gone, nobody is left to be told.
        Err(failure) => baton.fail(&failure).map_or(1, |()| failure.exit_code()),
    };
    process::exit_now(status)
}

impl Stage {
    /// The process that runs it.
    pub fn side(&self) -> Side {
        match self.run {
            Run::Runtime(_) => Side::Runtime,
            Run::Middle(_) => Side::Middle,
            Run::Init(_) => Side::Init,
        }
    }
}

/// Walks the rows of Runtime; when a child ended without a word, adds how.
pub fn runtime(runtime: &mut Runtime) -> Result<(), Failure> {
    let rows = runtime.rows;
    walk(runtime, rows).map_err(|mut failure| {
        if matches!(failure.error, Error::Died { .. }) && runtime.interrupted.is_none() {
            failure.error = runtime.how_it_died();
        }
        failure
    })
}
