//! The two indexes, and the glossary: made from the chapters, or compared with them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use bookrun::report::escape;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::book::Book;
use crate::source::piece;

/// The page of the glossary.
const GLOSSARY: &str = "glossary";

/// Terms, each with the chapters that have it, in the order of the book.
type Index = BTreeMap<String, BTreeSet<usize>>;

/// The index of system calls, or of kernel files, as HTML.
pub fn page(book: &Book, kind: &str) -> Result<String> {
    let find = match kind {
        "calls" => calls,
        "files" => files,
        _ => anyhow::bail!("there is an index of calls, and one of files"),
    };
    let (mut index, chapters) = (Index::new(), chapters(book));
    for (at, name) in chapters.iter().enumerate() {
        for term in find(&words(book, name)?) {
            index.entry(term).or_default().insert(at);
        }
    }
    let mut html = String::from("<dl class=\"index\">");
    for (term, places) in &index {
        let links: Vec<_> = places
            .iter()
            .map(|at| format!("<a href=\"{0}.html\">{0}</a>", chapters[*at]))
            .collect();
        html += &format!(
            "<div><dt><code>{}</code></dt><dd>{}</dd></div>",
            escape(term),
            links.join(", ")
        );
    }
    Ok(html + "</dl>")
}

/// What is written for readers, in the order of the book, without what comes at its end.
fn chapters(book: &Book) -> Vec<&str> {
    let files = book.summary.iter().filter_map(|entry| entry.file.as_deref());
    files.take_while(|name| *name != "answers").collect()
}

/// All that a chapter says, and the code that it shows.
fn words(book: &Book, name: &str) -> Result<String> {
    let mut text = book.texts.get(name).context("it is written")?.clone();
    for line in book.texts[name].lines() {
        let shown = line.trim().strip_prefix("{{#code ").and_then(|rest| rest.strip_suffix("}}"));
        let Some(shown) = shown else { continue };
        let (path, selector) = shown.split_once(' ').unwrap_or((shown, ""));
        text += &piece(&book.repository, path, selector.trim())?.text;
    }
    Ok(text)
}

/// Of `mount(2)` and of lines like `mount("proc", …) = 0`.
fn calls(text: &str) -> BTreeSet<String> {
    let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("(2)") {
        let before = &text[..at];
        let start = before.rfind(|c| !name(c)).map_or(0, |end| end + 1);
        found.insert(before[start..].trim_start_matches('_').to_owned());
    }
    for line in text.lines().filter(|line| line.starts_with("    ") && line.contains(") = ")) {
        let call = line.trim().split_once('(').map_or("", |(call, _)| call);
        if call.chars().all(name) {
            found.insert(call.to_owned());
        }
    }
    found.retain(|call| call.len() > 1 && call.starts_with(|c: char| c.is_ascii_lowercase()));
    found
}

/// Of /proc and /sys, the number of a process written as PID.
fn files(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, root) in text.match_indices("/proc/").chain(text.match_indices("/sys/")) {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || "/._-}".contains(c)) {
            continue;
        }
        let rest = text[at + root.len()..].replacen("$(cat pid)", "PID", 1);
        let path: String =
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "/._-".contains(*c)).collect();
        let path = path.trim_end_matches(['/', '.', '-', '_']);
        let (first, below) = path.split_once('/').unwrap_or((path, ""));
        let own = ["self", "PID", "thread-self"].contains(&first)
            || !first.is_empty() && first.chars().all(|c| c.is_ascii_digit());
        match (root, own, below) {
            _ if path.is_empty() => {}
            ("/proc/", true, "") => drop(found.insert("/proc/PID".to_owned())),
            ("/proc/", true, below) => drop(found.insert(format!("/proc/PID/{}", numbered(below)))),
            _ => drop(found.insert(format!("{root}{path}"))),
        }
    }
    found
}

/// `fd/7` is an example of `fd/N`.
fn numbered(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        let number = !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        if number { "N" } else { part }
    });
    let path = parts.collect::<Vec<_>>().join("/");
    // What lies beyond an open directory is no file of /proc.
    if path.starts_with("fd/N/") { "fd/N".to_owned() } else { path }
}

/// Terms of the glossary that name no chapter, or one that does not introduce them in italics;
/// and terms out of order.
pub fn glossary(book: &Book) -> Vec<String> {
    let Some(text) = book.texts.get(GLOSSARY) else { return Vec::new() };
    let mut problems = Vec::new();
    let mut last = String::new();
    let lines: Vec<_> = text.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with(": ")) {
        let here = format!("glossary.md:{at}");
        let term = lines[..at].last().map_or("", |term| term.trim());
        if term.to_lowercase() < last {
            problems.push(format!("{here}: {term} stands behind {last}"));
        }
        last = term.to_lowercase();
        // A definition may have more lines.
        let end =
            lines[at..].iter().position(|line| line.is_empty()).map_or(lines.len(), |n| at + n);
        let definition = lines[at..end].join(" ");
        let link = definition.rsplit_once("](").and_then(|(_, rest)| rest.split_once(".md"));
        let introduced = link.and_then(|(chapter, _)| book.texts.get(chapter)).map(|t| italics(t));
        match (introduced, line) {
            (None, _) => problems.push(format!("{here}: {term} has no link to its chapter")),
            (Some(words), _) if !has(&words, term) => {
                problems.push(format!("{here}: that chapter does not introduce *{term}*"));
            }
            _ => {}
        }
    }
    problems
}

fn has(words: &BTreeSet<String>, term: &str) -> bool {
    let term = term.to_lowercase();
    words.contains(&term) || words.contains(&format!("{term}s"))
}

/// What stands in italics, in small letters.
fn italics(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Option<String> = None;
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Start(Tag::Emphasis) => open = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(open) = &mut open {
                    open.push_str(&text);
                }
            }
            Event::End(TagEnd::Emphasis) => {
                found.extend(open.take().map(|text| chapter_word(&text)));
            }
            _ => {}
        }
    }
    found
}

fn chapter_word(text: &str) -> String {
    text.trim_end_matches(['.', ',', ':', ';']).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_in_prose_and_in_what_explain_prints() {
        let found = calls("As mount(2) says, `umount2(2)`.\n    fchdir(8) = 0\nif (a) = 2; f(2)\n");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["fchdir", "mount", "umount2"]);
    }

    #[test]
    fn files_of_any_process_are_one() {
        let found = files(
            "/proc/self/fd/7, `/proc/12/status` /proc/$(cat pid)/uid_map. a/proc/x /sys/fs/cgroup/",
        );
        let found: Vec<_> = found.into_iter().collect();
        assert_eq!(
            found,
            ["/proc/PID/fd/N", "/proc/PID/status", "/proc/PID/uid_map", "/sys/fs/cgroup"]
        );
    }

    #[test]
    fn terms_are_what_stands_in_italics() {
        let words = italics("A *mount namespace*, and **not** `*this*`; *Roots.*");
        assert!(has(&words, "mount namespace") && has(&words, "root") && words.len() == 2);
    }
}
