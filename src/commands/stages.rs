//! `jec stages`: the table that runs everything, as a table to read.

use std::io::Write as _;

use serde_json::json;

use crate::cli::StagesArgs;
use crate::error::{Error, Failure, Result};
use crate::sides::Side;
use crate::stages::order::ORDER;
use crate::stages::{Command, STAGES, Stage, find};

/// Prints all stages, or one.
pub fn run(args: &StagesArgs) -> Result<u8, Failure> {
    let text = match (&args.name, args.json) {
        (None, false) => table(),
        (None, true) => STAGES.iter().map(object).collect::<serde_json::Value>().to_string(),
        (Some(name), json) => {
            let stage = find(name).ok_or_else(|| unknown(name))?;
            if json { object(stage).to_string() } else { page(stage) }
        }
    };
    // A reader that has seen enough (`jec stages | head`) is no error.
    drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
    Ok(0)
}

/// A column for each process; a row stands in the column of the one that runs it.
fn table() -> String {
    let mut lines = vec![format!("{:3} {:16}{:16}{:16}what", "", "RUNTIME", "MIDDLE", "INIT")];
    let mut part = "";
    for (at, stage) in STAGES.iter().enumerate() {
        if part != stage.part {
            part = stage.part;
            lines.push(format!("\n{part}"));
        }
        let column = |side| if stage.side() == side { stage.name } else { "" };
        let (runtime, middle, init) =
            (column(Side::Runtime), column(Side::Middle), column(Side::Init));
        let what = stage.what;
        lines.push(format!("{:3} {runtime:16}{middle:16}{init:16}{what}", at + 1));
    }
    lines.push("\njec stages NAME explains one.".into());
    lines.join("\n")
}

fn page(stage: &Stage) -> String {
    let Stage { name, part, what, doc, when, .. } = stage;
    let source = format!("src/stages/{}.rs", stage.module().replace('-', "_"));
    let labelled = [
        ("side", stage.side().name()),
        ("part", *part),
        ("when", when.text),
        ("here", doc.why_here),
        ("man", doc.man),
        ("spec", doc.spec),
        ("chapter", stage.module()),
        ("source", &*source),
    ];
    let mut lines = vec![format!("{name}: {what}\n")];
    lines.extend(labelled.map(|(label, text)| format!("  {label:8}{text}")));
    let after = ORDER.iter().filter(|order| order.after == *name);
    lines.extend(after.map(|order| format!("  after   {}: {}", order.before, order.because)));
    let before = ORDER.iter().filter(|order| order.before == *name);
    lines.extend(before.map(|order| format!("  before  {}: {}", order.after, order.because)));
    lines.join("\n")
}

fn object(stage: &Stage) -> serde_json::Value {
    json!({
        "name": stage.name,
        "side": stage.side().name(),
        "part": stage.part,
        "commands": stage.commands.iter().map(|command| command.name()).collect::<Vec<_>>(),
        "when": stage.when.text,
        "what": stage.what,
        "whyHere": stage.doc.why_here,
        "man": stage.doc.man,
        "spec": stage.doc.spec,
        "chapter": stage.module(),
    })
}

fn unknown(name: &str) -> Error {
    let names: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
    let near: Vec<_> = names
        .iter()
        .filter(|known| known.contains(name) || name.contains(*known))
        .copied()
        .collect();
    let hint = if near.is_empty() {
        "`jec stages` lists them".into()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    Error::config(format!("{name:?}"), format!("is no stage; {hint}"))
}

impl Command {
    /// The word of the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Create => "create",
            Self::Start => "start",
            Self::Delete => "delete",
        }
    }
}

impl Stage {
    /// The module, chapter, test and example: a stage with two rows has one.
    pub fn module(&self) -> &'static str {
        self.name.strip_suffix("-early").unwrap_or(self.name)
    }
}
