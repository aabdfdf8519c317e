//! The chapters of the book, and the fenced blocks in them.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Where the text is, from the root of the repository.
pub const SOURCE: &str = "book/src";

/// An entry of SUMMARY.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The title of the part it stands in, empty before the first.
    pub part: String,
    /// What the list shows.
    pub title: String,
    /// The file's name without `.md`; none for a draft.
    pub file: Option<String>,
}

impl Entry {
    /// The stage it is about, if it is about one: a draft's title, or the file's name.
    pub fn name(&self) -> &str {
        self.file.as_deref().unwrap_or(&self.title)
    }
}

/// The entries of SUMMARY.md, in its order.
pub fn summary(repository: &Path) -> Result<Vec<Entry>> {
    let path = repository.join(SOURCE).join("SUMMARY.md");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(entries(&text))
}

fn entries(text: &str) -> Vec<Entry> {
    let mut part = String::new();
    let mut entries = Vec::new();
    for line in text.lines().skip(1) {
        if let Some(title) = line.strip_prefix("# ") {
            title.clone_into(&mut part);
        }
        let link = line.trim_start().trim_start_matches("- ").strip_prefix('[');
        let Some((title, target)) = link.and_then(|link| link.split_once("](")) else { continue };
        let file = target.trim_end_matches(')').strip_suffix(".md").map(str::to_owned);
        entries.push(Entry { part: part.clone(), title: title.to_owned(), file });
    }
    entries
}

/// The text of a chapter.
pub fn read(repository: &Path, name: &str) -> Result<String> {
    let path = repository.join(SOURCE).join(format!("{name}.md"));
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// A fenced block of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fenced {
    /// The words after the fence.
    pub info: String,
    /// What stands between the fences.
    pub text: String,
    /// The line of the opening fence, from 1.
    pub line: usize,
    /// All of it, in bytes of the chapter.
    pub range: Range<usize>,
}

/// All fenced blocks of a chapter.
pub fn fenced(markdown: &str) -> Vec<Fenced> {
    let mut found = Vec::new();
    let mut open: Option<Fenced> = None;
    for (event, range) in Parser::new_ext(markdown, Options::all()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let line = line_of(markdown, range.start);
                open = Some(Fenced { info: info.to_string(), text: String::new(), line, range });
            }
            Event::Text(text) => {
                if let Some(block) = &mut open {
                    block.text.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => found.extend(open.take()),
            _ => {}
        }
    }
    found
}

/// The line of a byte, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_parts_chapters_and_drafts() {
        let found =
            entries("# Summary\n\n[Hello](hello.md)\n\n# I Prepare\n\n- [Seal](seal.md)\n- [x]()");
        let names: Vec<_> = found.iter().map(|entry| (&*entry.part, entry.name())).collect();
        assert_eq!(names, [("", "hello"), ("I Prepare", "seal"), ("I Prepare", "x")]);
        assert_eq!(found[2].file, None);
    }

    #[test]
    fn fenced_blocks_know_their_line_and_their_words() {
        let found =
            fenced("text\n\n```console user=root\n# id\n```\n\n- a list\n\n  ```sh\n  x\n  ```\n");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].line, &*found[0].info), (3, "console user=root"));
        assert_eq!((found[1].line, &*found[1].text), (9, "x\n"));
    }
}
