//! What must be true of the chapters. Each problem is a line that says where.

use std::collections::BTreeSet;
use std::fs;

use bookrun::chapter;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::book::Book;
use crate::index;
use crate::stages::{self, Stage};

/// The sections of a chapter on a stage, in their order.
pub const SECTIONS: [&str; 8] = [
    "The problem",
    "Predict",
    "The kernel object",
    "The code",
    "Watch it",
    "Break it",
    "Real world",
    "Exercises",
];

/// The chapter that says for each stage what other runtimes do.
const TOUR: &str = "runtimes";
/// Them, as its tables name them.
const RUNTIMES: [&str; 3] = ["**runc** ", "**crun** ", "**youki** "];

/// No more commands than these of a hundred may be left out.
const NOT_RUN_PERCENT: usize = 2;

/// All problems; with `complete`, chapters that are not written are problems, too.
pub fn problems(book: &Book, complete: bool) -> Vec<String> {
    let mut problems = contents(book);
    book.shown.borrow_mut().clear();
    for (name, text) in &book.texts {
        let here = |problem: String| format!("{name}.md: {problem}");
        problems.extend(book.expand(name).err().map(|error| here(format!("{error:#}"))));
        problems.extend(typed_rust(text).into_iter().map(here));
        problems.extend(words(text).into_iter().map(here));
    }
    for chapter in written(book) {
        problems.extend(sections(book, &chapter));
        problems.extend(unseen(book, &chapter));
    }
    let tour = book.texts.get(TOUR);
    problems.extend(tour.map_or(Vec::new(), |text| untoured(&book.stages, text)));
    problems.extend(not_run(book));
    problems.extend(index::glossary(book));
    problems.extend(book.trace.stale());
    if complete {
        let drafts = book.summary.iter().filter(|entry| entry.file.is_none());
        problems.extend(drafts.map(|entry| format!("SUMMARY.md: {} is not written", entry.title)));
    }
    problems
}

/// The stages that have their chapter.
fn written(book: &Book) -> Vec<String> {
    let chapters = stages::chapters(&book.stages).into_iter().map(|(_, chapter)| chapter);
    chapters.filter(|chapter| book.texts.contains_key(chapter)).collect()
}

/// SUMMARY.md against the table, and against the files that are there.
fn contents(book: &Book) -> Vec<String> {
    let wanted = stages::chapters(&book.stages);
    let parts: BTreeSet<_> = wanted.iter().map(|(part, _)| part).collect();
    let entries = book.summary.iter().filter(|entry| parts.contains(&entry.part));
    let found: Vec<_> =
        entries.map(|entry| (entry.part.clone(), entry.name().to_owned())).collect();
    let mut problems = Vec::new();
    for (part, chapter) in &wanted {
        if !found.contains(&(part.clone(), chapter.clone())) {
            problems.push(format!("SUMMARY.md: {chapter} is missing in part {part}"));
        }
    }
    for (part, chapter) in &found {
        if !wanted.contains(&(part.clone(), chapter.clone())) {
            problems.push(format!("SUMMARY.md: {chapter} is no stage of part {part}"));
        }
    }
    if problems.is_empty() && found != wanted {
        problems.push("SUMMARY.md: not in the order of `jec stages`".into());
    }
    let directory = book.repository.join(chapter::SOURCE);
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let names = names.filter_map(|name| name.strip_suffix(".md").map(str::to_owned));
    let listed = |name: &str| book.summary.iter().any(|entry| entry.file.as_deref() == Some(name));
    let unlisted = names.filter(|name| name != "SUMMARY" && !listed(name));
    problems.extend(unlisted.map(|name| format!("{name}.md is not in SUMMARY.md")));
    problems
}

/// Rust that was typed instead of included.
fn typed_rust(text: &str) -> Vec<String> {
    let blocks = chapter::fenced(text).into_iter();
    let long = blocks
        .filter(|block| block.info.starts_with("rust") && block.text.trim().lines().count() > 2);
    long.map(|block| format!("line {}: Rust typed by hand; include it", block.line)).collect()
}

/// Words that the book does without.
fn words(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut code = false;
    for (event, range) in Parser::new_ext(text, Options::all()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => code = true,
            Event::End(TagEnd::CodeBlock) => code = false,
            Event::Text(prose) if !code => {
                let line = chapter::line_of(text, range.start);
                let prose = prose.to_lowercase().replace("just enough", "");
                let split = prose.split(|c: char| !c.is_alphanumeric());
                let bad = split.filter(|word| ["simply", "just"].contains(word));
                problems.extend(bad.map(|word| format!("line {line}: {word:?}")));
                if prose.trim_end().ends_with('!') || prose.contains("! ") {
                    problems.push(format!("line {line}: an exclamation mark"));
                }
            }
            _ => {}
        }
    }
    problems
}

/// The eight sections of a chapter, the folded answer, and the answers at the end of the book.
fn sections(book: &Book, chapter: &str) -> Vec<String> {
    let text = &book.texts[chapter];
    let mut problems = Vec::new();
    let found = headings(text);
    if found != SECTIONS {
        problems.push(format!("{chapter}.md: its sections are {found:?}, not {SECTIONS:?}"));
    }
    if !text.contains("{{#answer") {
        problems.push(format!("{chapter}.md: Predict has no {{{{#answer}}}}"));
    }
    let answers = book.texts.get("answers").map_or(Vec::new(), |text| headings(text));
    if !answers.iter().any(|heading| heading == chapter) {
        problems.push(format!("answers.md: no section {chapter}"));
    }
    problems
}

/// The headings of the second level.
fn headings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = false;
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => {
                open = true;
                found.push(String::new());
            }
            Event::End(TagEnd::Heading(_)) => open = false,
            Event::Text(text) | Event::Code(text) if open => {
                if let Some(last) = found.last_mut() {
                    last.push_str(&text);
                }
            }
            _ => {}
        }
    }
    found
}

/// The lines of a stage's module that no chapter shows.
fn unseen(book: &Book, chapter: &str) -> Vec<String> {
    let module = stages::module(chapter);
    let Ok(text) = fs::read_to_string(book.repository.join(&module)) else {
        return vec![format!("{module} cannot be read")];
    };
    let shown = book.shown.borrow();
    let pieces: Vec<_> = shown.iter().filter(|piece| piece.path == module).collect();
    let seen = |line: usize| pieces.iter().any(|piece| (piece.first..=piece.last).contains(&line));
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let unseen = lines.filter(|(number, line)| !line.is_empty() && !seen(*number));
    unseen.map(|(number, line)| format!("{module}:{number}: no chapter shows: {line}")).collect()
}

/// The stages without a row in the tour's tables, and the rows that are none or at another place.
/// A row has a cell for the stage, perhaps as a link, and one that names all three runtimes.
fn untoured(stages: &[Stage], tour: &str) -> Vec<String> {
    let rows = tour.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let rows = rows.filter(|(_, others)| RUNTIMES.iter().all(|name| others.contains(name)));
    let name = |cell: &str| cell.trim_start_matches('[').split(']').next().map(str::to_owned);
    let found: Vec<_> = rows.filter_map(|(cell, _)| name(cell)).collect();
    let wanted: Vec<_> = stages.iter().map(|stage| stage.name.clone()).collect();
    let missing = wanted.iter().filter(|name| !found.contains(name));
    let mut problems: Vec<_> =
        missing.map(|name| format!("{TOUR}.md: no row for the stage {name}")).collect();
    if problems.is_empty() && found != wanted {
        problems.push(format!("{TOUR}.md: its rows are not those of `jec stages`, in their order"));
    }
    problems
}

fn not_run(book: &Book) -> Vec<String> {
    // A block that cannot be read was reported with its chapter.
    let all = book.all_blocks().unwrap_or_default();
    let blocks: Vec<_> = all.iter().flat_map(|(_, blocks)| blocks).collect();
    let count = |blocks: &[&&bookrun::console::Block]| -> usize {
        blocks.iter().map(|block| block.steps.len()).sum()
    };
    let total = count(&blocks.iter().collect::<Vec<_>>());
    let not = count(&blocks.iter().filter(|block| block.norun.is_some()).collect::<Vec<_>>());
    let too_many = not * 100 > total * NOT_RUN_PERCENT;
    too_many.then(|| format!("{not} of {total} commands are not executed")).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tour_has_a_row_for_each_stage() {
        let stage = |name: &str| Stage { name: name.into(), ..Stage::default() };
        let stages = [stage("seal"), stage("record")];
        let tour = |rows: &str| untoured(&stages, &format!("| jec | the others |\n{rows}"));
        let row = |name: &str| format!("| {name} | **runc** a<br>**crun** b<br>**youki** c |\n");
        let (seal, record) = (row("[seal](seal.md)"), row("record"));
        assert!(tour(&format!("{seal}{record}")).is_empty());
        assert_eq!(tour(&seal), ["runtimes.md: no row for the stage record"]);
        assert_eq!(tour(&format!("{record}{seal}")).len(), 1);
    }
}
