//! The walker: runs the rows of STAGES, each in its own process, in the order
//! of the list.
//!
//! All three processes walk the same list. Each runs the rows of its own side
//! and, where the side changes between two rows, waits for the baton or passes
//! it. So the order of the list is the order of execution over three
//! processes, and no row needs to know of another.

use std::convert::Infallible;

use super::baton::Word;
use super::{Command, STAGES, Stage};
use crate::error::{Error, Failure};
use crate::plan::Plan;
use crate::sides::Process;
use crate::sys::{Recorder, process};

/// The rows that apply to this plan, for these commands, in order.
pub fn rows(plan: &Plan, commands: &[Command]) -> Vec<&'static Stage> {
    let walked = |stage: &&Stage| commands.contains(&stage.command) && plan.walks(stage);
    STAGES.iter().filter(walked).filter(|stage| (stage.when.applies)(plan)).collect()
}

/// Walks the rows of one side.
pub fn walk<P: Process>(side: &mut P, rows: &[&'static Stage]) -> Result<(), Failure> {
    let mut arrived = false;
    for (at, stage) in rows.iter().enumerate() {
        let Some(run) = P::own(stage) else {
            continue;
        };
        let place = |error| failure(stage, error);
        let foreign = |row: &&Stage| row.side() != stage.side();
        if let Some(before) = rows[..at].last().filter(|before| foreign(before)) {
            take(side, before)?;
        }
        explain(stage);
        if !arrived {
            arrived = true;
            side.arrive().map_err(place)?;
        }
        crate::microscope::stop::around(stage, rows, || run(side)).map_err(place)?;
        if rows.get(at + 1).is_some_and(foreign) {
            side.baton().pass().map_err(place)?;
        }
    }
    Ok(())
}

/// Waits until the row `before`, of another side, is done.
fn take<P: Process>(side: &mut P, before: &Stage) -> Result<(), Failure> {
    match side.take_baton().map_err(|error| failure(before, error))? {
        Word::Go => Ok(()),
        Word::Fail(failure) => Err(failure),
        // The end of the socket after `exec` is its success: it closed on execve.
        Word::Ended if before.name == "exec" => Ok(()),
        Word::Ended => Err(failure(before, side.unanswered(before.side()))),
    }
}

/// Adds the place to an error.
fn failure(stage: &Stage, error: Error) -> Failure {
    Failure { stage: Some(stage.name.into()), error }
}

/// The line of `--explain` above the calls of a stage, and its beginning for `--time`.
fn explain(stage: &Stage) {
    Recorder::moment(stage.name, stage.side());
    if Recorder::is_on() {
        Recorder::stage(stage.name, stage.side(), stage.what, stage.why_here());
    }
}

/// The whole life of Middle, or of Init: its rows, of which Init's last becomes the
/// program. A failure is told to Runtime; the exit status repeats it for the case
/// that a filter already forbids to speak.
pub fn live<P: Process>(mut side: P, rows: &[&'static Stage]) -> Infallible {
    let status = match walk(&mut side, rows) {
        Ok(()) => 0,
        // EPIPE: Runtime is gone, nobody is left to be told.
        Err(failure) => side.baton().fail(&failure).map_or(1, |()| failure.exit_code()),
    };
    process::exit_now(status)
}
