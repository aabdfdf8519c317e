//! The book as it is written, and the directives in it.
//!
//! A directive stands on a line of its own:
//!
//! - `{{#code PATH [SELECTOR]}}`: a piece of a source file ([`crate::source`]);
//! - `{{#doc PATH}}`: the comment that a module begins with, as prose;
//! - `{{#stage NAME}}`: what the table says of a stage; `{{#stages [PART]}}`: the table;
//! - `{{#svg NAME}}`: the drawing src/images/NAME.svg;
//! - `{{#answer [TITLE]}}` … `{{#end}}`: what is folded until the reader has thought;
//! - `{{#whole-run}}`: the recorded trace of a container, all of it ([`crate::stepper`]);
//! - `{{#index calls}}`, `{{#index files}}`: which chapters have them ([`crate::index`]);
//! - `{{#not-run}}`: the list of commands that are not executed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bookrun::chapter::{self, Entry};
use bookrun::console::{self, Block};
use bookrun::guest::by_block;
use bookrun::report::{self, Report, escape};
use mdbook_preprocessor::book::{Book as Tree, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::index;
use crate::page;
use crate::source::{Piece, piece};
use crate::stages::{self, Stage};
use crate::stepper;
use crate::trace::{self, Trace};

/// Everything that pages are made of.
#[derive(Debug, Clone)]
pub struct Book {
    /// The root of the repository.
    pub repository: PathBuf,
    /// The table.
    pub stages: Vec<Stage>,
    /// The table of contents.
    pub summary: Vec<Entry>,
    /// The chapters, by the names of their files.
    pub texts: BTreeMap<String, String>,
    /// What was executed.
    pub report: Report,
    /// What a container did.
    pub trace: Trace,
    /// The source that was shown, by chapter.
    pub shown: RefCell<Vec<Piece>>,
}

impl Book {
    /// Reads it.
    pub fn load(repository: &Path) -> Result<Self> {
        let summary = chapter::summary(repository)?;
        let names = summary.iter().filter_map(|entry| entry.file.clone());
        let texts = names.map(|name| chapter::read(repository, &name).map(|text| (name, text)));
        Ok(Self {
            repository: repository.to_owned(),
            stages: stages::load()?,
            texts: texts.collect::<Result<_>>()?,
            summary,
            trace: trace::load(repository)?,
            report: report::load(repository)?,
            shown: RefCell::default(),
        })
    }

    /// A chapter as Markdown that mdBook understands.
    pub fn expand(&self, name: &str) -> Result<String> {
        let text = self.texts.get(name).with_context(|| format!("there is no {name}.md"))?;
        let blocks = console::blocks(text)?;
        let executed = self.report.get(name);
        // Only if all is as it was then.
        let executed = executed.filter(|run| report::failures(&blocks, &run.seen).is_empty());
        let seen = executed.map_or(&[][..], |run| &run.seen);
        let seen: Vec<_> = by_block(&blocks, seen).collect();
        let mut out = String::new();
        let (mut at, mut open) = (0, 0);
        for block in chapter::fenced(text) {
            out += &self
                .directives(name, &text[at..block.range.start], &mut open)
                .with_context(|| format!("above line {}", block.line))?;
            match blocks.iter().find(|console| console.fenced == block) {
                Some(console) => {
                    let seen = seen.iter().find(|(block, _)| block.fenced == console.fenced);
                    let seen = seen.map_or(&[][..], |(_, seen)| seen);
                    out += &format!("{}\n", page::console(console, seen));
                }
                None => out += &text[block.range.clone()],
            }
            at = block.range.end;
        }
        out += &self.directives(name, &text[at..], &mut open)?;
        if open != 0 {
            bail!("{{{{#answer}}}} without {{{{#end}}}}");
        }
        if let Some(stage) = self.stages.iter().find(|stage| stage.chapter == name) {
            // After "Watch it".
            let at = out.find("\n## Break it").unwrap_or(out.len());
            let widget = stepper::of(&self.trace, name, &stage.when);
            out.insert_str(at, &format!("\n\n{widget}\n\n"));
        }
        Ok(format!("{out}\n\n{}\n", page::stamp(&blocks, executed)))
    }

    /// Replaces the directives in text that has no fenced block.
    fn directives(&self, chapter: &str, text: &str, open: &mut usize) -> Result<String> {
        let mut out = String::new();
        for line in text.split_inclusive('\n') {
            let inner = line.trim().strip_prefix("{{#").and_then(|rest| rest.strip_suffix("}}"));
            match inner {
                Some(inner) => {
                    let html = self.directive(chapter, inner, open);
                    out += &format!("{}\n", html.with_context(|| line.trim().to_owned())?);
                }
                None if line.contains("{{#") => {
                    bail!("a directive needs a line of its own: {line}")
                }
                None => out += line,
            }
        }
        Ok(out)
    }

    fn directive(&self, chapter: &str, text: &str, open: &mut usize) -> Result<String> {
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        let has_page = |name: &str| self.texts.contains_key(name);
        Ok(match name {
            "code" => page::code(&self.show(rest)?),
            "doc" => page::doc(&self.show(&format!("{rest} doc"))?),
            "stage" if self.stages.iter().any(|stage| stage.chapter == rest) => {
                page::card(&self.stages, rest, has_page)
            }
            "stages" if self.stages.iter().any(|stage| stage.part.starts_with(rest)) => {
                page::table(&self.stages, rest, has_page)
            }
            "svg" => self.drawing(rest)?,
            "answer" => {
                *open += 1;
                let title = if rest.is_empty() { "Answer" } else { rest };
                format!("\n<details class=\"answer\"><summary>{}</summary>\n", escape(title))
            }
            "end" if *open == 0 => bail!("there is nothing to end"),
            "end" => {
                *open -= 1;
                "\n</details>\n".into()
            }
            "index" => index::page(self, rest)?,
            "whole-run" => stepper::whole(&self.trace),
            "not-run" => {
                let all = self.all_blocks()?;
                page::not_run(all.iter().map(|(name, blocks)| (*name, &blocks[..])))
            }
            _ => bail!("no such directive, stage or part, in {chapter}.md"),
        })
    }

    /// The console blocks of all chapters, in the order of the book.
    pub fn all_blocks(&self) -> Result<Vec<(&str, Vec<Block>)>> {
        let files = self.summary.iter().filter_map(|entry| entry.file.as_deref());
        let texts = files.filter_map(|name| Some((name, self.texts.get(name)?)));
        texts.map(|(name, text)| Ok((name, console::blocks(text)?))).collect()
    }

    fn show(&self, words: &str) -> Result<Piece> {
        let (path, selector) = words.split_once(' ').unwrap_or((words, ""));
        let piece = piece(&self.repository, path, selector.trim())?;
        self.shown.borrow_mut().push(piece.clone());
        Ok(piece)
    }

    /// In the page itself, not in an img, so that it takes the colours of the theme.
    fn drawing(&self, name: &str) -> Result<String> {
        let path = format!("{}/images/{name}.svg", chapter::SOURCE);
        let text = fs::read_to_string(self.repository.join(&path)).with_context(|| path.clone())?;
        let start = text.find("<svg").context("it has no <svg")?;
        for (wanted, why) in
            [("role=\"img\"", "role"), ("<title>", "title"), ("viewBox", "viewBox")]
        {
            if !text.contains(wanted) {
                bail!("{path} has no {why}: the drawing needs {wanted}");
            }
        }
        if text.contains("=\"#") || text.contains(":#") {
            bail!("{path}: a fixed colour; use currentColor, or the classes in theme/book.css");
        }
        let lines = text[start..].lines().map(str::trim).filter(|line| !line.is_empty());
        let svg = lines.collect::<Vec<_>>().join(" ");
        Ok(format!("<figure class=\"picture\" tabindex=\"0\">{svg}</figure>"))
    }
}

impl Preprocessor for Book {
    fn name(&self) -> &'static str {
        "jec"
    }

    fn run(&self, _: &PreprocessorContext, mut tree: Tree) -> Result<Tree> {
        let mut failed = Vec::new();
        tree.for_each_mut(|item| {
            let BookItem::Chapter(chapter) = item else { return };
            let path = chapter.path.as_ref().and_then(|path| path.file_stem());
            let Some(name) = path.map(|name| name.to_string_lossy().into_owned()) else { return };
            match self.expand(&name) {
                Ok(text) => chapter.content = text,
                Err(error) => failed.push(format!("{name}.md: {error:#}")),
            }
        });
        if failed.is_empty() { Ok(tree) } else { bail!("{}", failed.join("\n")) }
    }
}
