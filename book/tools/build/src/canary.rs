//! Proves that the checks bite: damages the book in memory, and each damage must be found.

use anyhow::{Context, Result, bail};
use bookrun::console::{self, Block};
use bookrun::report;

use crate::audit;
use crate::book::Book;
use crate::links::Site;

/// xorshift64: reproducible, and good enough to choose lines.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap_or_default()
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

/// What was damaged, and whether that was found; nothing where there is nothing to damage.
type Damage<'a> = dyn Fn(&mut Chance) -> Option<(String, bool)> + 'a;

/// How many damages of each kind.
const EACH: usize = 60;

/// Damages what was executed, what is included, the table of contents and the links.
pub fn run(book: &Book, site: &Site, seed: u64) -> Result<()> {
    let problems = [audit::problems(book, false), site.problems()].concat();
    if !problems.is_empty() {
        bail!("the book itself must be sound first:\n{}", problems.join("\n"));
    }
    let mut chance = Chance(seed | 1);
    let executed = executed(book)?;
    if executed.is_empty() {
        bail!("no chapter was executed as it stands: book/run first");
    }
    let kinds: [(&str, &Damage); 5] = [
        ("a line of output", &|chance| transcript(book, &executed, chance, change_output)),
        ("an exit status", &|chance| transcript(book, &executed, chance, change_exit)),
        ("a command", &|chance| transcript(book, &executed, chance, change_command)),
        ("an include", &|chance| include(book, chance)),
        ("a link", &|chance| link(site, chance)),
    ];
    let mut missed = Vec::new();
    for (kind, damage) in kinds {
        let done: Vec<_> = (0..EACH * 100).filter_map(|_| damage(&mut chance)).take(EACH).collect();
        let found = done.iter().filter(|(_, found)| *found).count();
        println!("canary: {kind}: {found} of {} found", done.len());
        if done.len() < EACH {
            missed.push(format!("{kind}: only {} places to damage", done.len()));
        }
        missed.extend(done.into_iter().filter(|(_, found)| !found).map(|(what, _)| what));
    }
    missed.extend(summary(book));
    if !missed.is_empty() {
        bail!("seed {seed}: not found:\n{}", missed.join("\n"));
    }
    println!("canary: all found (seed {seed})");
    Ok(())
}

/// The chapters whose commands are as the report has them.
fn executed(book: &Book) -> Result<Vec<(String, Vec<Block>)>> {
    let mut chapters = Vec::new();
    for (name, blocks) in book.all_blocks()? {
        let Some(executed) = book.report.get(name) else { continue };
        let blocks_run = blocks.iter().filter(|block| block.norun.is_none()).count();
        if blocks_run > 0 && report::failures(&blocks, &executed.seen).is_empty() {
            chapters.push((name.to_owned(), blocks));
        }
    }
    Ok(chapters)
}

type Change = fn(&str, &Block, &mut Chance) -> Option<(usize, String)>;

/// Damages a console block; reads, and judges the chapter as `book/run` does.
fn transcript(
    book: &Book,
    chapters: &[(String, Vec<Block>)],
    chance: &mut Chance,
    change: Change,
) -> Option<(String, bool)> {
    let (name, blocks) = chance.one_of(chapters)?;
    let block = chance.one_of(blocks).filter(|block| block.norun.is_none())?;
    let text = &book.texts[name];
    let (line, new) = change(text, block, chance)?;
    let damaged: Vec<_> = text
        .lines()
        .enumerate()
        .map(|(at, old)| if at + 1 == line { &*new } else { old })
        .collect();
    let found = match console::blocks(&damaged.join("\n")) {
        Ok(blocks) => !report::failures(&blocks, &book.report[name].seen).is_empty(),
        Err(_) => true,
    };
    Some((format!("{name}.md:{line}: {new}"), found))
}

/// Another letter in a line that has no elision.
fn change_output(text: &str, block: &Block, chance: &mut Chance) -> Option<(usize, String)> {
    let step = chance.one_of(&block.steps)?;
    let skip = step.command.lines().count().max(1);
    let line = step.line + skip + chance.below(step.expected.lines().count());
    let old = text.lines().nth(line - 1)?;
    let literal = !old.trim().is_empty() && !old.contains("[..]") && old.trim() != "...";
    let inside = line < step.line + skip + step.expected.lines().count();
    (literal && inside).then(|| (line, other_letter(old, chance)))
}

fn change_command(text: &str, block: &Block, chance: &mut Chance) -> Option<(usize, String)> {
    let step = chance.one_of(&block.steps)?;
    let old = text.lines().nth(step.line - 1)?;
    Some((step.line, other_letter(old, chance)))
}

fn change_exit(text: &str, block: &Block, chance: &mut Chance) -> Option<(usize, String)> {
    let line = block.fenced.line;
    let old = text.lines().nth(line - 1)?;
    let words = old.split(' ').filter(|word| !word.starts_with("exit="));
    let status = block.exit + 1 + i32::try_from(chance.below(100)).ok()?;
    Some((line, format!("{} exit={status}", words.collect::<Vec<_>>().join(" "))))
}

fn other_letter(text: &str, chance: &mut Chance) -> String {
    let letters: Vec<_> =
        text.char_indices().filter(|(_, letter)| !letter.is_whitespace()).collect();
    let Some((at, letter)) = chance.one_of(&letters) else { return format!("{text}x") };
    let new = if *letter == 'q' { 'z' } else { 'q' };
    format!("{}{new}{}", &text[..*at], &text[at + letter.len_utf8()..])
}

/// Damages a directive, or takes away a piece of a module.
fn include(book: &Book, chance: &mut Chance) -> Option<(String, bool)> {
    let names: Vec<_> = book.texts.keys().collect();
    let name = *chance.one_of(&names)?;
    let text = &book.texts[name];
    let is_include = |line: &str| {
        ["{{#code src/stages/", "{{#svg ", "{{#stage "].iter().any(|d| line.starts_with(d))
    };
    let lines: Vec<_> = text.lines().collect();
    let places: Vec<_> = (0..lines.len()).filter(|at| is_include(lines[*at])).collect();
    let at = *chance.one_of(&places)?;
    let inside = &lines[at][3..lines[at].len() - 2];
    let new = format!("{{{{#{}}}}}", other_letter(inside, chance));
    let mut damaged = book.clone();
    let changed: Vec<_> =
        lines.iter().enumerate().map(|(line, old)| if line == at { &*new } else { old }).collect();
    damaged.texts.insert(name.clone(), changed.join("\n"));
    let found = !audit::problems(&damaged, false).is_empty();
    Some((format!("{name}.md:{}: {new}", at + 1), found))
}

/// Damages a link of a built page.
fn link(site: &Site, chance: &mut Chance) -> Option<(String, bool)> {
    let pages: Vec<_> = site.pages.keys().filter(|page| !page.starts_with("source")).collect();
    let page = *chance.one_of(&pages)?;
    let html = &site.pages[page];
    let links: Vec<_> = html.match_indices(" href=\"").map(|(at, mark)| at + mark.len()).collect();
    let at = *chance.one_of(&links)?;
    let old = html[at..].split('"').next()?;
    if old.contains("://") || old == "#" {
        return None;
    }
    let mut damaged = site.clone();
    damaged
        .pages
        .insert(page.clone(), format!("{}q{}", &html[..at + old.len()], &html[at + old.len()..]));
    Some((format!("{}: {old}q", page.display()), !damaged.problems().is_empty()))
}

/// A chapter that is missing, one too many, two that changed places.
fn summary(book: &Book) -> Vec<String> {
    let places: Vec<_> =
        (0..book.summary.len()).filter(|at| !book.summary[*at].part.is_empty()).collect();
    let mut missed = Vec::new();
    for pair in places.windows(2) {
        let [one, two] = pair else { continue };
        if book.stages.iter().all(|stage| stage.chapter != book.summary[*one].name())
            || book.stages.iter().all(|stage| stage.chapter != book.summary[*two].name())
        {
            continue;
        }
        let (mut without, mut twice, mut swapped) = (book.clone(), book.clone(), book.clone());
        without.summary.remove(*one);
        twice.summary.insert(*one, book.summary[*one].clone());
        swapped.summary.swap(*one, *two);
        for (what, damaged) in [("without", without), ("twice", twice), ("swapped", swapped)] {
            if audit::problems(&damaged, false).is_empty() {
                missed.push(format!("SUMMARY.md {what} {}", book.summary[*one].name()));
            }
        }
    }
    missed
}

/// The seed of this moment.
pub fn seed() -> Result<u64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.context("the clock")?.as_nanos() & u128::from(u64::MAX)).context("the clock")
}
