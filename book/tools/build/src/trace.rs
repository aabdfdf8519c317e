//! The recorded trace of a container, for the stepper.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The trace that the steppers show: tests/reference makes it anew.
const REFERENCE: &str = "src/microscope/tour/reference.jsonl";
/// What differed when a stage was left out.
const WITHOUT: &str = "book/traces/without.json";

/// The trace, stage by stage.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// What was so before the first stage.
    pub before: Vec<Step>,
    /// In the order in which they happened.
    pub sections: Vec<Section>,
    /// By the stage that was left out.
    pub without: BTreeMap<String, Pair>,
}

/// A stage, or what is none: the plan, the time of the program.
#[derive(Debug, Clone, Deserialize)]
pub struct Section {
    /// Its name.
    pub stage: String,
    /// The process that runs it.
    pub side: String,
    /// What it does.
    pub what: Option<String>,
    /// Why it stands there.
    pub why: Option<String>,
    /// Its chapter.
    pub chapter: Option<String>,
    /// What happened.
    #[serde(skip)]
    pub steps: Vec<Step>,
}

/// A line of the trace.
#[derive(Debug, Clone)]
pub enum Step {
    /// A system call.
    Call {
        /// As `--explain` prints it.
        text: String,
        /// Where it differs from that of the stage.
        why: Option<String>,
        /// The file, from the root of the repository.
        file: String,
        /// The line in it, from 1.
        line: usize,
        /// What stands there.
        source: String,
    },
    /// What the kernel says of a process, as far as it has changed.
    State {
        /// runtime, middle, init or program.
        of: String,
        /// The process that it is a copy of.
        from: Option<String>,
        /// What it was, and what it is.
        changed: Vec<(String, Option<String>, Option<String>)>,
    },
}

/// A pair of containers: with the stage, and without.
#[derive(Debug, Clone, Deserialize)]
pub struct Pair {
    stage: String,
    /// What else was said on the command line of both.
    pub options: String,
    /// What the program tried.
    pub attack: String,
    /// What it said with the stage.
    pub with: String,
    /// What it said without.
    pub without: String,
    /// What jec said of leaving the stage out.
    pub warned: String,
    /// What the kernel said of the program, with and without, where that differed.
    pub facts: BTreeMap<String, (Option<String>, Option<String>)>,
}

#[derive(Deserialize)]
struct Made {
    call: String,
    args: Map<String, Value>,
    result: Option<Value>,
    errno: Option<String>,
    why: Option<String>,
    file: String,
    line: usize,
}

#[derive(Deserialize)]
struct State {
    of: String,
    from: Option<String>,
    changed: Map<String, Value>,
}

/// Reads both; without a trace there are no steppers, and the pages say so.
pub fn load(repository: &Path) -> Result<Trace> {
    let mut trace = Trace::default();
    let Ok(text) = fs::read_to_string(repository.join(REFERENCE)) else { return Ok(trace) };
    let mut facts = Facts::new();
    for (at, line) in text.lines().enumerate() {
        take(repository, &mut trace, &mut facts, line)
            .with_context(|| format!("{REFERENCE}:{}", at + 1))?;
    }
    if let Ok(text) = fs::read(repository.join(WITHOUT)) {
        let all: Vec<Pair> = serde_json::from_slice(&text).context(WITHOUT)?;
        trace.without = all.into_iter().map(|one| (one.stage.clone(), one)).collect();
    }
    Ok(trace)
}

/// What the kernel has said, by process and key.
type Facts = BTreeMap<String, BTreeMap<String, String>>;

fn take(repository: &Path, trace: &mut Trace, facts: &mut Facts, line: &str) -> Result<()> {
    let value: Value = serde_json::from_str(line)?;
    let mut step = match value["event"].as_str() {
        Some("stage") => {
            trace.sections.push(serde_json::from_value(value)?);
            return Ok(());
        }
        Some("call") => call(repository, serde_json::from_value(value)?)?,
        Some("state") => state(serde_json::from_value(value)?, facts),
        _ => return Ok(()),
    };
    let Some(section) = trace.sections.last_mut() else {
        trace.before.push(step);
        return Ok(());
    };
    if let Step::Call { why, .. } = &mut step {
        *why = why.take().filter(|why| Some(why) != section.why.as_ref());
    }
    section.steps.push(step);
    Ok(())
}

fn call(repository: &Path, made: Made) -> Result<Step> {
    let Made { call, args, result, errno, why, file, line } = made;
    let words: Vec<_> = args.values().map(word).collect();
    let mut text = format!("{call}({})", words.join(", "));
    match (result, errno) {
        (_, Some(errno)) => text += &format!(" = {errno}"),
        (Some(result), None) => text += &format!(" = {}", word(&result).trim_matches('"')),
        (None, None) => {}
    }
    let path = repository.join(&file);
    let code = fs::read_to_string(&path).with_context(|| file.clone())?;
    let source = code.lines().nth(line.saturating_sub(1)).unwrap_or("").trim().to_owned();
    Ok(Step::Call { text, why, file, line, source })
}

/// Names of the kernel as they are, what else is text in quotes.
fn word(value: &Value) -> String {
    let Some(text) = value.as_str() else { return value.to_string() };
    let name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "_|:".contains(c);
    let is_name = !text.is_empty() && text.chars().all(name) || text.starts_with("0x");
    if is_name { text.to_owned() } else { format!("\"{text}\"") }
}

/// Only what is new: when jec runs from its sealed copy, everything is told once more.
fn state(state: State, facts: &mut Facts) -> Step {
    let State { of, from, changed } = state;
    let parent = if of == "program" { Some("init".to_owned()) } else { from };
    if !facts.contains_key(&of) {
        let copy = parent.as_ref().and_then(|parent| facts.get(parent)).cloned();
        facts.insert(of.clone(), copy.unwrap_or_default());
    }
    let known = facts.entry(of.clone()).or_default();
    let mut different = Vec::new();
    for (key, pair) in changed {
        let new = pair.get(1).and_then(Value::as_str).map(str::to_owned);
        let old = match &new {
            Some(new) => known.insert(key.clone(), new.clone()),
            None => known.remove(&key),
        };
        if old != new {
            different.push((key, old, new));
        }
    }
    Step::State { of, from: parent, changed: different }
}

impl Trace {
    /// Calls whose line in the source makes none: the source was changed after the recording.
    pub fn stale(&self) -> Vec<String> {
        let mut found = Vec::new();
        for step in self.sections.iter().flat_map(|section| &section.steps) {
            let Step::Call { file, line, source, .. } = step else { continue };
            let empty = source.trim_matches(['{', '}', ')', ';', '(']).is_empty();
            if empty || source.starts_with("//") {
                found.push(format!("{REFERENCE} is older than {file}:{line}; see tests/reference"));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// What happened in the stages of a chapter.
    pub fn of<'a>(&'a self, chapter: &'a str) -> impl Iterator<Item = &'a Section> {
        self.sections.iter().filter(move |section| section.chapter.as_deref() == Some(chapter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_stand_without_quotes() {
        for (value, text) in [
            (json!("O_PATH|O_CLOEXEC"), "O_PATH|O_CLOEXEC"),
            (json!("/proc"), "\"/proc\""),
            (json!(""), "\"\""),
            (json!("0x0"), "0x0"),
            (json!(3), "3"),
        ] {
            assert_eq!(word(&value), text);
        }
    }
}
