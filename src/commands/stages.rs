//! `jec stages`: the table that runs everything, as a table to read.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::StagesArgs;
use crate::error::{Error, Failure, Result};
use crate::stages::order::ORDER;
use crate::stages::{STAGES, Stage, find};

/// Prints all stages, or one.
pub fn run(args: &StagesArgs) -> Result<u8, Failure> {
    let stage = args.name.as_deref().map(|name| find(name).ok_or_else(|| unknown(name)));
    let out = &mut io::stdout();
    let printed = match (stage.transpose()?, args.json) {
        (None, true) => writeln!(out, "{}", STAGES.iter().map(object).collect::<Value>()),
        (Some(stage), true) => writeln!(out, "{}", object(stage)),
        (None, false) => table(out),
        (Some(stage), false) => page(out, stage),
    };
    // A reader that has seen enough (`jec stages | head`) is no error.
    drop(printed);
    Ok(0)
}

/// A column for each process; a row stands in the column of the one that runs it.
fn table(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "    {:16}{:16}{:16}what", "RUNTIME", "MIDDLE", "INIT")?;
    let mut part = "";
    for (at, stage) in STAGES.iter().enumerate() {
        if part != stage.part {
            part = stage.part;
            writeln!(out, "\n{part}")?;
        }
        let column = |side| if stage.side() == side { stage.name } else { "" };
        let [runtime, middle, init] = ["runtime", "middle", "init"].map(column);
        writeln!(out, "{:3} {runtime:16}{middle:16}{init:16}{}", at + 1, stage.what)?;
    }
    writeln!(out, "\njec stages NAME explains one.")
}

fn page(out: &mut impl Write, stage: &Stage) -> io::Result<()> {
    writeln!(out, "{}: {}\n", stage.name, stage.what)?;
    for line in stage.doc() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)?;
    let source = format!("src/stages/{}.rs", stage.module().replace('-', "_"));
    let lines = [
        ("side", stage.side()),
        ("part", stage.part),
        ("of", &stage.command.words().join(", ")),
        ("when", stage.when.text),
        ("here", stage.why_here()),
        ("chapter", stage.module()),
        ("source", &source),
    ];
    for (label, line) in lines {
        writeln!(out, "  {label:8}{line}")?;
    }
    for order in ORDER.iter().filter(|order| order.after == stage.name) {
        writeln!(out, "  after   {}: {}", order.before, order.because)?;
    }
    for order in ORDER.iter().filter(|order| order.before == stage.name) {
        writeln!(out, "  before  {}: {}", order.after, order.because)?;
    }
    Ok(())
}

fn object(stage: &Stage) -> Value {
    json!({
        "name": stage.name,
        "side": stage.side(),
        "part": stage.part,
        "commands": stage.command.words(),
        "when": stage.when.text,
        "what": stage.what,
        "whyHere": stage.why_here(),
        "doc": stage.doc().collect::<Vec<_>>().join(" "),
        "chapter": stage.module(),
    })
}

/// There is no such stage.
pub fn unknown(name: &str) -> Error {
    let is_near = |known: &&str| known.contains(name) || name.contains(known);
    let near: Vec<_> = STAGES.iter().map(|stage| stage.name).filter(is_near).collect();
    let hint = match &*near {
        [] => "`jec stages` lists them".into(),
        near => format!("did you mean {}?", near.join(", ")),
    };
    Error::config(format!("{name:?}"), format!("is no stage; {hint}"))
}
