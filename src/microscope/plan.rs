//! `jec plan`: what `jec run` with the same flags would do, and why, before anything is done.
//!
//! The rows of STAGES in their order: those that apply with the calls that are known already
//! (`forecast`), the others with the condition that does not hold; or the same as a picture
//! (`picture`). Nothing is made.

mod forecast;
mod picture;

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cgroup::Hierarchy;
use crate::cli::{Global, PlanArgs};
use crate::commands::create::RESTING;
use crate::commands::open_proc;
use crate::commands::run::{FOREGROUND, plan};
use crate::error::{Failure, Result};
use crate::plan::Plan;
use crate::stages::{Command, STAGES, Stage};

/// Columns of a terminal.
const WIDTH: usize = 100;

/// One row, as it would be.
struct Step {
    stage: &'static Stage,
    /// Why it is not walked; none where it is.
    absent: Option<String>,
    /// What is known of its calls.
    calls: Vec<String>,
}

/// Prints what would run.
pub fn run(global: &Global, args: &PlanArgs) -> Result<u8, Failure> {
    let (proc, hierarchy) = (open_proc()?, Hierarchy::look()?);
    let plan = plan((&args.container, &args.making, args.detach), &hierarchy, &proc)?;
    let walked: &[Command] = if args.detach { &RESTING } else { &FOREGROUND };
    let steps = steps(global, &plan, hierarchy, walked)?;
    let title = format!("jec run: container {:?}", plan.id);
    let text = match (args.json, args.dot, args.svg) {
        (true, ..) => format!("{}\n", document(&plan, &steps)),
        (_, true, _) => picture::dot(&title, &steps),
        (_, _, true) => picture::svg(&title, &steps),
        _ => page(&plan, &steps),
    };
    // A reader that has seen enough (`jec plan | head`) is no error.
    drop(io::stdout().write_all(text.as_bytes()));
    Ok(0)
}

/// All rows of the table; what a place for the cgroup there is, is asked as `jec run` does.
fn steps(
    global: &Global,
    plan: &Plan,
    hierarchy: Hierarchy,
    walked: &[Command],
) -> Result<Vec<Step>> {
    let cgroup = hierarchy.place(plan, global.systemd_cgroup)?.map(|placement| placement.path);
    let step = |stage| {
        let absent = absent(stage, plan, walked);
        let calls = match absent {
            None => forecast::calls(stage, plan, &cgroup)?,
            Some(_) => vec![],
        };
        Ok(Step { stage, absent, calls })
    };
    STAGES.iter().map(step).collect()
}

/// Why a row would not be walked.
fn absent(stage: &Stage, plan: &Plan, walked: &[Command]) -> Option<String> {
    // The seal comes before there is a plan, and the end after the program's.
    let always = [Command::Begin, Command::Delete];
    if !always.contains(&stage.command) && !walked.contains(&stage.command) {
        return Some("the container does not rest between create and start: see --detach".into());
    }
    (!(stage.when.applies)(plan)).then(|| format!("not asked for: {}", stage.when.text))
}

fn page(plan: &Plan, steps: &[Step]) -> String {
    let applies = steps.iter().filter(|step| step.absent.is_none()).count();
    let mut out = format!("container {:?}: {applies} of {} stages\n", plan.id, steps.len());
    for warning in &plan.warnings {
        put(&mut out, format_args!("warning: {warning}\n"));
    }
    let mut part = "";
    for (at, step) in steps.iter().enumerate() {
        if part != step.stage.part {
            part = step.stage.part;
            put(&mut out, format_args!("\n{part}\n"));
        }
        entry(&mut out, at + 1, step);
    }
    out.push_str("\nNothing has been made. jec run does it; jec stages NAME explains a stage.\n");
    out
}

fn entry(out: &mut String, number: usize, step: &Step) {
    let Step { stage, absent, calls } = step;
    let (name, side) = (stage.name, stage.side());
    if let Some(reason) = absent {
        put(out, format_args!(" -- {name:17}{side:9}{reason}\n"));
        return;
    }
    put(out, format_args!("{number:3} {name:17}{side:9}{}\n", stage.what));
    let why = format!("why here: {}", stage.why_here());
    for line in std::iter::once(&why).chain(calls) {
        let mut margin = "";
        for piece in wrapped(line, WIDTH - 34) {
            put(out, format_args!("{:30}{margin}{piece}\n", ""));
            margin = "    ";
        }
    }
}

/// Lines of whole words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

fn document(plan: &Plan, steps: &[Step]) -> Value {
    let row = |Step { stage, absent, calls }: &Step| {
        json!({
            "stage": stage.name,
            "side": stage.side(),
            "part": stage.part,
            "what": stage.what,
            "when": stage.when.text,
            "applies": absent.is_none(),
            "reason": absent.as_deref().unwrap_or(stage.why_here()),
            "calls": calls,
        })
    };
    let stages: Value = steps.iter().map(row).collect();
    json!({"id": plan.id, "warnings": plan.warnings, "stages": stages})
}

/// Appends.
fn put(out: &mut String, text: std::fmt::Arguments) {
    out.push_str(&text.to_string());
}
