//! `jec run --time`: what each step of a container's life took.
//!
//! At any moment one of the three processes works, so a step ends where the next
//! one begins, and handing the baton over belongs to the step before.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::RunArgs;
use crate::error::{Error, Failure, Result, ensure};
use crate::plan::Plan;
use crate::sys::Recorder;
use crate::sys::constants::CLONE_NEWTIME;

/// The longest bar, in letters.
const WIDTH: u128 = 40;

/// Does what `jec run` does, and with `--time` tells what each step took.
pub fn told(args: &RunArgs, life: impl FnOnce() -> Result<u8, Failure>) -> Result<u8, Failure> {
    if !args.time {
        return life();
    }
    Recorder::time()?;
    let code = life()?;
    Recorder::moment("end", "runtime");
    show(args.json)?;
    Ok(code)
}

/// Init reads the clock of the namespace that it is in.
pub fn refuse_other_clocks(args: &RunArgs, plan: &Plan) -> Result<()> {
    let namespaces = &plan.namespaces;
    let joins = namespaces.joined.iter().any(|(kind, _)| *kind == CLONE_NEWTIME);
    let has_one = joins || namespaces.makes(CLONE_NEWTIME);
    let problem = "the clocks of a time namespace are other ones than jec's";
    ensure(!args.time || !has_one, || Error::config("--time", problem))
}

/// Prints what was noted: a bar for each step, or JSON.
fn show(as_json: bool) -> Result<()> {
    let text = Recorder::moments()?;
    let moments: Vec<_> = text.lines().filter_map(moment).collect();
    let steps: Vec<_> =
        moments.windows(2).map(|pair| (pair[0], pair[1].2.saturating_sub(pair[0].2))).collect();
    let shown = if as_json {
        let step = |((name, side, begin), took): &((&str, &str, u128), u128)| {
            let (begin, took) = (micro(*begin), micro(*took));
            json!({"stage": name, "side": side, "beginMicroseconds": begin, "microseconds": took})
        };
        format!("{}\n", steps.iter().map(step).collect::<Value>())
    } else {
        // The program's own time is not jec's: it has no bar.
        let of_jec = |name: &str| name != "program-runs";
        let longest = steps.iter().filter(|(at, _)| of_jec(at.0)).map(|(_, took)| *took).max();
        let line = |((name, side, _), took): &((&str, &str, u128), u128)| {
            let length = took * WIDTH / longest.unwrap_or(1).max(1);
            let length = if of_jec(name) { usize::try_from(length).unwrap_or(0) } else { 0 };
            let (took, bar) = (micro(*took) / 1000.0, "█".repeat(length));
            format!("{name:16}{side:8}{took:9.3} ms  {bar}").trim_end().to_owned() + "\n"
        };
        steps.iter().map(line).collect()
    };
    // A reader that has seen enough is no error.
    drop(std::io::stderr().write_all(shown.as_bytes()));
    Ok(())
}

/// A line of name, side, nanoseconds.
fn moment(line: &str) -> Option<(&str, &str, u128)> {
    let mut words = line.split(' ');
    Some((words.next()?, words.next()?, words.next()?.parse().ok()?))
}

#[allow(clippy::cast_precision_loss)] // to be read, or drawn
fn micro(nanoseconds: u128) -> f64 {
    nanoseconds as f64 / 1000.0
}
