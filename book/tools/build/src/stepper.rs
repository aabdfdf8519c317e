//! The stepper: a part of the trace on a chapter's page, all of it on one page of its own.
//!
//! The page has a table; `theme/stepper.js` makes of it something to walk through, with the
//! data of [`data`], which is one file for all pages.

use std::collections::BTreeMap;

use bookrun::report::escape;
use serde_json::{Value, json};

use crate::trace::{Pair, Section, Step, Trace};

/// What calls have in them so often that it is said once: `~0` in the data.
const WORDS: [&str; 10] = [
    "\", O_PATH, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS) = ",
    "RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS",
    "OPEN_TREE_CLONE|AT_RECURSIVE",
    "/mnt/state",
    "RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS",
    "prctl(PR_CAPBSET_DROP, CAP_",
    "cgroup.subtree_control",
    "(AT_FDCWD, \"/",
    "\", O_DIRECTORY",
    "openat",
];
/// The file with the data, in the built book.
pub const DATA: &str = "trace.js";
/// What script, style and data may weigh together, in bytes, not compressed.
pub const LIMIT: usize = 60_000;
/// The script and the style, in the built book.
pub const PARTS: [&str; 2] = ["theme/stepper.js", "theme/stepper.css"];

/// The stepper of a chapter, or why there is none.
pub fn of(trace: &Trace, chapter: &str, when: &str) -> String {
    let sections: Vec<_> = trace.of(chapter).filter(|section| !section.steps.is_empty()).collect();
    if trace.sections.is_empty() {
        return String::new();
    }
    if sections.is_empty() {
        return format!(
            "<p class=\"no-steps\">There is nothing to step through here: this stage runs {}, and the \
             recorded container had no occasion. The others are in <a href=\"whole-run.html\">the \
             whole run</a>.</p>",
            escape(when)
        );
    }
    widget(chapter, &format!("{chapter}, step by step"), &sections, trace.without.get(chapter))
}

/// All stages.
pub fn whole(trace: &Trace) -> String {
    let sections: Vec<_> =
        trace.sections.iter().filter(|section| !section.steps.is_empty()).collect();
    widget("", "All steps", &sections, None)
}

fn widget(chapter: &str, title: &str, sections: &[&Section], off: Option<&Pair>) -> String {
    let mut rows = String::new();
    let mut number = 0;
    for section in sections {
        let Section { stage, side, what, .. } = section;
        let what = escape(what.as_deref().unwrap_or(""));
        rows += &format!(
            "<tr class=\"{side}\"><th colspan=\"3\" scope=\"rowgroup\">{stage} <span \
             class=\"side\">{side}</span> {what}</th></tr>"
        );
        for step in joined(&section.steps) {
            number += 1;
            rows += &format!("<tr id=\"step={number}\"><td>{number}</td>{}</tr>", cells(&step));
        }
    }
    let off = off.map_or(String::new(), |off| without(chapter, off));
    format!(
        "<section class=\"stepper\" data-chapter=\"{chapter}\" aria-label=\"{title}\"><p \
         class=\"title\">{title}</p>{off}<details class=\"steps\" open><summary>The same as a \
         table</summary><div class=\"wide\"><table><thead><tr><th scope=\"col\">Step</th><th \
         scope=\"col\">System call, or what has changed</th><th scope=\"col\">Made in</th></tr>\
         </thead><tbody>{rows}</tbody></table></div></details></section>"
    )
}

/// States that follow each other are one step.
fn joined(steps: &[Step]) -> Vec<Vec<&Step>> {
    let mut joined: Vec<Vec<&Step>> = Vec::new();
    for step in steps {
        match joined.last_mut() {
            Some(last) if is_state(step) && is_state(last[0]) => last.push(step),
            _ => joined.push(vec![step]),
        }
    }
    joined
}

fn is_state(step: &Step) -> bool {
    matches!(step, Step::State { .. })
}

fn cells(step: &[&Step]) -> String {
    let mut states = String::new();
    for step in step {
        match step {
            Step::Call { text, file, line, source, .. } => {
                // A line that is there no more: the audit says so once, and this leads to the file.
                let at = if source.is_empty() { String::new() } else { format!("#L{line}") };
                return format!(
                    "<td><code>{}</code></td><td><a href=\"source/{file}.html{at}\" \
                     title=\"{}\">{}:{line}</a></td>",
                    escape(text),
                    escape(source),
                    file.trim_start_matches("src/")
                );
            }
            Step::State { of, changed, .. } => {
                let side = if of == "runtime" { "host" } else { "container" };
                for (key, old, new) in changed {
                    let old = old
                        .as_ref()
                        .map_or(String::new(), |old| format!("<del>{}</del> ", escape(old)));
                    let new = escape(new.as_deref().unwrap_or("—"));
                    states += &format!("<li>{side}, {of}: {key}: {old}{new}</li>");
                }
            }
        }
    }
    format!("<td colspan=\"2\"><ul>{states}</ul></td>")
}

/// What differed without the stage, and what the attack said.
fn without(chapter: &str, off: &Pair) -> String {
    let Pair { options, attack, with, without, warned, facts, .. } = off;
    let command = |skip: &str, said: &str| {
        let words = [skip, options].into_iter().filter(|words| !words.is_empty());
        let flags: String = words.map(|words| format!("{} ", escape(words))).collect();
        let said = if said.trim().is_empty() { "(it says nothing)" } else { said.trim_end() };
        format!(
            "<div class=\"console\"><pre class=\"command\"><code class=\"nohighlight\" \
             data-prompt=\"# \">jec run {flags}./box -- sh -c '{}'</code></pre><pre \
             class=\"output\" tabindex=\"0\"><samp>{}</samp></pre></div>",
            escape(attack),
            escape(said)
        )
    };
    let skip = format!("--skip {chapter}");
    let warned = warned.lines().find(|line| line.contains(&format!("without {chapter}:")));
    let warned = warned.map_or("", |line| line.trim_start_matches("jec: "));
    let rows: String = facts
        .iter()
        .map(|(key, (one, two))| {
            let cell = |value: &Option<String>| escape(value.as_deref().unwrap_or("—"));
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"changed\">{}</td></tr>",
                escape(key),
                cell(one),
                cell(two)
            )
        })
        .collect();
    format!(
        "<div class=\"without\" data-stage=\"{chapter}\"><p>With the stage, an attempt:</p>{}<p>Without \
         it, the same attempt ({}):</p>{}<p>What the kernel said of the program:</p><div class=\"facts\" \
         tabindex=\"0\" role=\"region\" aria-label=\"With and without {chapter}\"><table><thead><tr><td></td>\
         <th scope=\"col\">With</th><th scope=\"col\">Without</th></tr></thead><tbody>{rows}</tbody></table>\
         </div></div>",
        command("", with),
        escape(warned),
        command(&skip, without)
    )
}

/// The script and the style as they are served: without the indentation and the remarks.
pub fn served(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.filter(|line| !line.starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// All that the script needs, in one file for the book: names are said once, and of a change
/// only what is new, since the rest follows from what was before.
pub fn data(trace: &Trace) -> String {
    let mut files: Vec<&str> = Vec::new();
    let mut places: Vec<(usize, usize, &str)> = Vec::new();
    let mut calls: Vec<Value> = Vec::new();
    let mut stages = Vec::new();
    for section in trace.sections.iter().filter(|section| !section.steps.is_empty()) {
        let mut steps = Vec::new();
        for step in joined(&section.steps) {
            if let Step::Call { text, why, file, line, source } = step[0] {
                let file = index(&mut files, file);
                let place = index(&mut places, (file, *line, source));
                let short = WORDS
                    .iter()
                    .enumerate()
                    .fold(text.clone(), |text, (at, word)| text.replace(word, &format!("~{at}")));
                let mut call = vec![json!(short), json!(place)];
                call.extend(why.as_ref().map(|why| json!(why)));
                steps.push(json!(index(&mut calls, Value::Array(call))));
            } else {
                steps.push(step.into_iter().map(state).collect());
            }
        }
        let Section { stage, side, what, why, chapter, .. } = section;
        stages.push(json!([stage, side, what, why, chapter, steps]));
    }
    let before: Vec<_> = trace.before.iter().map(state).collect();
    let data = json!({"words": WORDS, "files": files, "places": places, "calls": calls, "before": before, "stages": stages});
    format!("window.jecTrace={data};\n")
}

fn state(step: &Step) -> Value {
    let Step::State { of, from, changed } = step else { return Value::Null };
    let new: BTreeMap<_, _> = changed.iter().map(|(key, _, new)| (key, new)).collect();
    json!([of, from, new])
}

fn index<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    all.iter().position(|known| *known == one).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    })
}
