//! bookbuild: makes the book, and checks it.
//!
//!   bookbuild build              book/book/, with mdBook and our directives
//!   bookbuild audit [--complete] what must be true of chapters, pages and links
//!   bookbuild canary [SEED]      damages the book; each damage must be found
//!   bookbuild summary            prints what SUMMARY.md says of the stages, all as drafts
//!
//! The variable JEC names the program whose stages these are.

mod audit;
mod book;
mod canary;
mod index;
mod links;
mod page;
mod site;
mod source;
mod stages;
mod stepper;
mod trace;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;

use crate::book::Book;
use crate::links::Site;

/// Where the pages go, from the root of the repository.
const OUT: &str = "book/book";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("book: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let repository = env::current_dir()?;
    match words[..] {
        ["build"] => build(&repository),
        ["audit"] => check(&repository, false),
        ["audit", "--complete"] => check(&repository, true),
        ["canary"] => canary(&repository, canary::seed()?),
        ["canary", seed] => canary(&repository, seed.parse().context("a seed is a number")?),
        ["summary"] => summary(),
        _ => bail!("bookbuild build | audit [--complete] | canary [SEED] | summary"),
    }
}

fn build(repository: &Path) -> Result<()> {
    let book = Book::load(repository)?;
    let data = stepper::data(&book.trace);
    let mut mdbook = MDBook::load(repository.join("book"))?;
    mdbook.with_preprocessor(book);
    mdbook.build()?;
    let out = repository.join(OUT);
    fs::write(out.join(stepper::DATA), &data)?;
    let mut weight = data.len();
    for part in stepper::PARTS {
        let text = stepper::served(&fs::read_to_string(out.join(part)).context(part)?);
        fs::write(out.join(part), &text)?;
        weight += text.len();
    }
    if weight > stepper::LIMIT {
        bail!("script, style and data of the stepper: {weight} bytes of {}", stepper::LIMIT);
    }
    let sources = site::write(repository, &out)?;
    println!("book: script, style and data of the stepper: {weight} bytes, not compressed");
    println!("book: {OUT}/index.html, with {sources} pages of source");
    Ok(())
}

fn check(repository: &Path, complete: bool) -> Result<()> {
    let book = Book::load(repository)?;
    let mut problems = audit::problems(&book, complete);
    problems.extend(Site::load(&repository.join(OUT)).context("book/build first")?.problems());
    let drafts = book.summary.iter().filter(|entry| entry.file.is_none()).count();
    let blocks = book.all_blocks().unwrap_or_default();
    let commands: usize =
        blocks.iter().flat_map(|(_, blocks)| blocks).map(|block| block.steps.len()).sum();
    let written = book.texts.len();
    println!("audit: {written} chapters written, {drafts} to be written, {commands} commands");
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{} problems:\n{}", problems.len(), problems.join("\n"))
}

fn canary(repository: &Path, seed: u64) -> Result<()> {
    let book = Book::load(repository)?;
    canary::run(&book, &Site::load(&repository.join(OUT)).context("book/build first")?, seed)
}

fn summary() -> Result<()> {
    let mut last = String::new();
    for (part, chapter) in stages::chapters(&stages::load()?) {
        if part != last {
            println!("\n# {part}\n");
            last = part;
        }
        println!("- [{chapter}]()");
    }
    Ok(())
}
