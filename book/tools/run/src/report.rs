//! What was executed, kept for the pages and for continuous integration.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::console::Block;
use crate::guest::{Seen, by_block};
use crate::judge;

/// Where it is kept, from the root of the repository.
pub const REPORT: &str = "target/book/report.json";
/// The same for machines that read JUnit.
pub const JUNIT: &str = "target/book/report.xml";

/// All chapters that were ever executed here, each as it was the last time.
pub type Report = BTreeMap<String, Executed>;

/// A chapter's execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Executed {
    /// The kernel.
    pub kernel: String,
    /// `git describe` of the repository.
    pub commit: String,
    /// How long it took, boot included.
    pub seconds: u64,
    /// Each command.
    pub seen: Vec<Seen>,
}

/// A step that is not as the page says.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its line in the chapter.
    pub line: usize,
    /// What was typed.
    pub command: String,
    /// What is wrong.
    pub problem: String,
}

/// The last report; an empty one where there is none.
pub fn load(repository: &Path) -> Result<Report> {
    match fs::read(repository.join(REPORT)) {
        Ok(text) => serde_json::from_slice(&text).context(REPORT),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Report::new()),
        Err(error) => Err(error).context(REPORT),
    }
}

/// Compares what was seen with what the page says now.
pub fn failures(blocks: &[Block], seen: &[Seen]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (block, seen) in by_block(blocks, seen) {
        for (at, step) in block.steps.iter().enumerate() {
            let problem = match seen.get(at) {
                Some(seen) => judge::problem(block, at, seen),
                None => Some("it was never executed".to_owned()),
            };
            let command = step.command.clone();
            failures.extend(problem.map(|problem| Failure { line: step.line, command, problem }));
        }
    }
    failures
}

/// The commands of these chapters that took longest, where writers can save time.
pub fn slowest<'a>(report: &'a Report, names: &[String]) -> Vec<(&'a str, &'a Seen)> {
    let ran = report.iter().filter(|(name, _)| names.contains(name));
    let seen = ran.flat_map(|(name, run)| run.seen.iter().map(move |seen| (&**name, seen)));
    let mut slow: Vec<_> = seen.filter(|(_, seen)| seen.ms >= 1000).collect();
    slow.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.ms));
    slow.truncate(5);
    slow
}

/// Writes both forms.
pub fn save(repository: &Path, report: &Report, chapters: &[(String, Vec<Failure>)]) -> Result<()> {
    let path = repository.join(REPORT);
    fs::create_dir_all(path.parent().context("it has a parent")?)?;
    fs::write(&path, serde_json::to_vec_pretty(report)?).context(REPORT)?;
    fs::write(repository.join(JUNIT), junit(report, chapters)).context(JUNIT)
}

fn junit(report: &Report, chapters: &[(String, Vec<Failure>)]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (name, failures) in chapters {
        let Some(executed) = report.get(name) else { continue };
        let (tests, failed) = (executed.seen.len(), failures.len());
        let seconds = executed.seconds;
        let head =
            format!("name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" time=\"{seconds}\"");
        push(&mut xml, format_args!("  <testsuite {head}>\n"));
        for seen in &executed.seen {
            let time = seen.ms / 1000;
            let command = escape(&seen.command);
            push(
                &mut xml,
                format_args!(
                    "    <testcase classname=\"{name}\" name=\"{command}\" time=\"{time}.{:03}\"/>\n",
                    seen.ms % 1000
                ),
            );
        }
        for Failure { line, command, problem } in failures {
            let (command, problem) = (escape(command), escape(problem));
            push(
                &mut xml,
                format_args!(
                    "    <testcase classname=\"{name}\" name=\"line {line}: {command}\"><failure>{problem}</failure></testcase>\n"
                ),
            );
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn push(xml: &mut String, text: std::fmt::Arguments) {
    // Writing to a String cannot fail.
    xml.write_fmt(text).unwrap_or_default();
}

/// Text for XML and HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            other if other.is_control() && other != '\t' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
