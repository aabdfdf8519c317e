//! A trace as a walk: a step for each stage, with its calls and what they changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::error::{Error, Result, ensure};
use crate::microscope::calls;
use crate::microscope::diff::change;
use crate::microscope::facts::Facts;
use crate::microscope::lines::FORMAT;
use crate::stages;

use super::sources;

/// A walk.
#[derive(Default)]
pub struct Walk {
    /// The command line that was traced.
    pub command: String,
    /// In their order, over all three processes.
    pub steps: Vec<Step>,
    /// The command had ended when the trace did.
    pub is_whole: bool,
}

/// One stage, or what is none: the making of the plan, the time of the program.
#[derive(Default)]
pub struct Step {
    pub name: String,
    pub side: String,
    pub what: String,
    pub why: String,
    pub part: String,
    pub calls: Vec<Call>,
    /// What the kernel says at its end of jec, and of the process that becomes the program.
    pub facts: [Facts; 2],
    /// What of that has changed in it.
    pub changed: [BTreeSet<String>; 2],
}

/// A system call.
pub struct Call {
    pub side: String,
    pub text: String,
    /// The same with the names of the arguments.
    pub named: String,
    pub file: String,
    pub line: usize,
}

/// What is no row of the table.
const OTHERS: [(&str, &str); 3] = [
    ("plan", "what was asked for is read, and what this machine has"),
    ("program-runs", "the program runs; jec waits for its end"),
    ("end", "jec ends"),
];

impl Walk {
    /// Reads a trace; `name` is that of its file.
    pub fn read(name: &str, text: &str) -> Result<Self> {
        let (mut walk, mut all) = (Self::default(), BTreeMap::new());
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |why: &str| Error::config(format!("{name:?} line {number}"), why);
            let is_last = || number == text.lines().count() && !text.ends_with('\n');
            let torn = || if is_last() { "is torn: " } else { "is no line of a trace: " };
            let line: Value =
                serde_json::from_str(line).map_err(|error| wrong(&format!("{}{error}", torn())))?;
            let event = line["event"].as_str().unwrap_or_default();
            if event == "begin" {
                let format = &line["format"];
                let other = || wrong(&format!("format {format}, but this jec reads {FORMAT}"));
                ensure(*format == FORMAT, other)?;
            }
            ensure(number > 1 || event == "begin", || wrong("is not the begin of a trace"))?;
            walk.add(event, &line, &mut all);
        }
        let none = "no stage in it; jec run --trace FILE writes a trace";
        ensure(!walk.steps.is_empty(), || Error::config(format!("{name:?}"), none))?;
        Ok(walk)
    }

    fn add(&mut self, event: &str, line: &Value, all: &mut BTreeMap<String, Facts>) {
        match event {
            // jec begins anew once it is sealed.
            "begin" => {
                all.clear();
                let words = line["command"].as_array().into_iter().flatten();
                let words: Vec<_> = words.filter_map(Value::as_str).collect();
                self.command = format!("jec {}", words.join(" "));
            }
            "stage" => self.stage(line, all),
            "call" => self.call(line),
            "state" => self.state(line, all),
            other => self.is_whole |= other == "end",
        }
    }

    fn stage(&mut self, line: &Value, all: &BTreeMap<String, Facts>) {
        let mut step = Step::of(line);
        // Its second walk only finds that it is sealed already.
        if self.steps.last().is_some_and(|last| last.name == step.name) {
            return;
        }
        step.facts = both(all);
        self.steps.push(step);
    }

    /// To its stage: what waits for the baton may be told late.
    fn call(&mut self, line: &Value) {
        let file = text(line, "file");
        let step = self.steps.iter_mut().rfind(|step| line["stage"] == *step.name);
        // To rest is no part of it.
        let is_rest = ["src/microscope/", "src/sys/rest.rs"].iter().any(|at| file.starts_with(at));
        let Some(step) = step.filter(|_| !is_rest) else {
            return;
        };
        let [text, named] = [false, true].map(|with_names| shown(line, with_names));
        let number = usize::try_from(line["line"].as_u64().unwrap_or(0)).unwrap_or(0);
        step.calls.push(Call { side: self::text(line, "side"), text, named, file, line: number });
    }

    fn state(&mut self, line: &Value, all: &mut BTreeMap<String, Facts>) {
        let of = change(all, line);
        if self.steps.last().is_some_and(|last| last.name == "kill-all") {
            all.retain(|name, _| name == "runtime");
        }
        let Some(step) = self.steps.last_mut() else {
            return;
        };
        step.facts = both(all);
        // The first look has nothing to compare with.
        if !line["after"].is_null() || !line["from"].is_null() {
            let keys = line["changed"].as_object().into_iter().flatten();
            step.changed[usize::from(of != "runtime")].extend(keys.map(|(key, _)| key.clone()));
        }
    }
}

impl Step {
    /// The module of its stage.
    pub fn file(&self) -> String {
        stages::find(&self.name).map_or(String::new(), sources::path)
    }

    fn of(line: &Value) -> Self {
        let name = text(line, "stage");
        let other = OTHERS.iter().find(|row| row.0 == name).map(|row| row.1.to_owned());
        let what = other.unwrap_or_else(|| text(line, "what"));
        let [side, why, part] = ["side", "why", "part"].map(|key| text(line, key));
        Self { name, side, what, why, part, ..Self::default() }
    }
}

/// Of jec, and of the container's process.
fn both(all: &BTreeMap<String, Facts>) -> [Facts; 2] {
    let of = |name: &&str| all.get(*name).cloned();
    let inside = ["program", "init", "middle"].iter().find_map(of);
    [of(&"runtime").unwrap_or_default(), inside.unwrap_or_default()]
}

fn text(line: &Value, key: &str) -> String {
    line[key].as_str().unwrap_or_default().to_owned()
}

fn shown(line: &Value, with_names: bool) -> String {
    let word = |value: &Value| match value.as_str() {
        Some("") => "\"\"".into(),
        text => text.map_or_else(|| value.to_string(), str::to_owned),
    };
    let (call, args) = (text(line, "call"), &line["args"]);
    let names = calls::names(&call).chain(["?"]).filter(|name| !args[name].is_null());
    let named = |name| if with_names { format!("{name}: ") } else { String::new() };
    let pieces: Vec<_> = names.map(|name| named(name) + &word(&args[name])).collect();
    let result = ["result", "errno"].into_iter().find(|key| !line[key].is_null());
    let result = result.map_or(String::new(), |key| format!(" = {}", word(&line[key])));
    format!("{call}({}){result}", pieces.join(", "))
}
