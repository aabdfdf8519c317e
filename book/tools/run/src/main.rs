//! bookrun: executes the console blocks of the book, each chapter in a fresh lab machine.
//!
//!   bookrun                      all chapters
//!   bookrun --chapter NAME...    only these
//!   bookrun --bless              write the real output into the chapters
//!   bookrun --jobs N             so many machines at a time (default 2)
//!
//! Leaves target/book/report.json and report.xml (JUnit).

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::time::Instant;
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};
use bookrun::console::Block;
use bookrun::lab::Frozen;
use bookrun::report::{Executed, Failure, Report};
use bookrun::{chapter, console, guest, judge, report};

struct Options {
    chapters: Vec<String>,
    bless: bool,
    jobs: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bookrun: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments == ["guest"] {
        println!("{}", guest::run()?);
        return Ok(true);
    }
    let options = options(arguments)?;
    let repository = env::current_dir()?;
    let begin = Instant::now();
    let names = chapters(&repository, &options.chapters)?;
    let machine = Frozen::new(&repository)?;
    println!("book: a machine is ready, after {} s", begin.elapsed().as_secs());
    let executed = execute(&repository, &machine, &names, options.jobs);
    let mut report = report::load(&repository)?;
    let (mut results, mut typed) = (Vec::new(), 0);
    for (name, result) in executed {
        typed += result.as_ref().map_or(1, |executed| executed.seen.len());
        let failures = keep(&repository, &name, result, options.bless, &mut report)?;
        results.push((name, failures));
    }
    report::save(&repository, &report, &results)?;
    let failed: usize = results.iter().map(|(_, failures)| failures.len()).sum();
    println!("book: {} chapters, {typed} commands in {} s", names.len(), begin.elapsed().as_secs());
    for (name, seen) in report::slowest(&report, &names) {
        let line = seen.command.lines().next().unwrap_or_default();
        println!("slow: {}.{:03} s, {name}: {line}", seen.ms / 1000, seen.ms % 1000);
    }
    println!("{} passed, {failed} failed", typed.saturating_sub(failed));
    Ok(failed == 0)
}

fn options(arguments: Vec<String>) -> Result<Options> {
    let mut options = Options { chapters: Vec::new(), bless: false, jobs: 2 };
    let mut arguments = arguments.into_iter();
    while let Some(word) = arguments.next() {
        let (word, own) = match word.split_once('=') {
            Some((word, value)) => (word.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        let mut value = || {
            own.clone()
                .or_else(|| arguments.next())
                .with_context(|| format!("{word} needs a value"))
        };
        match &*word {
            "--chapter" => options.chapters.push(value()?),
            "--bless" => options.bless = true,
            "--jobs" => options.jobs = value()?.parse().context("--jobs takes a number")?,
            _ => bail!("{word:?}? bookrun [--chapter NAME]... [--bless] [--jobs N]"),
        }
    }
    Ok(options)
}

/// The chapters that have something to execute, all or those that were asked for.
fn chapters(repository: &Path, wanted: &[String]) -> Result<Vec<String>> {
    let entries = chapter::summary(repository)?;
    let mut names: Vec<String> = entries.into_iter().filter_map(|entry| entry.file).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(name)) {
        bail!("SUMMARY.md has no chapter {unknown}");
    }
    names.retain(|name| wanted.is_empty() || wanted.contains(name));
    let mut with_commands = Vec::new();
    for name in names {
        if !guest::script(&read(repository, &name)?).is_empty() {
            with_commands.push(name);
        }
    }
    Ok(with_commands)
}

fn read(repository: &Path, name: &str) -> Result<Vec<Block>> {
    console::blocks(&chapter::read(repository, name)?).with_context(|| format!("{name}.md"))
}

type Results = Vec<(String, Result<Executed>)>;

/// All of them, a few at a time, in the order of the book.
fn execute(repository: &Path, machine: &Frozen, names: &[String], jobs: usize) -> Results {
    let queue: Mutex<VecDeque<_>> = Mutex::new(names.iter().enumerate().collect());
    let done = Mutex::new(Vec::new());
    let commit = commit(repository);
    let work = || {
        // A lock is poisoned by a panic only, and that ends the program.
        while let Some((at, name)) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) {
            let result = one(repository, machine, name, &commit);
            if let Ok(executed) = &result {
                println!("{name}: {} commands, {} s", executed.seen.len(), executed.seconds);
            }
            if let Ok(mut done) = done.lock() {
                done.push((at, (name.clone(), result)));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, names.len().max(1)) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn one(repository: &Path, machine: &Frozen, name: &str, commit: &str) -> Result<Executed> {
    let begin = Instant::now();
    let script = guest::script(&read(repository, name)?);
    let told = machine.execute(script)?;
    let seconds = begin.elapsed().as_secs();
    Ok(Executed { kernel: told.kernel, commit: commit.to_owned(), seconds, seen: told.seen })
}

/// Judges a chapter, blesses it where that was asked for, and puts it into the report.
fn keep(
    repository: &Path,
    name: &str,
    result: Result<Executed>,
    bless: bool,
    report: &mut Report,
) -> Result<Vec<Failure>> {
    let executed = match result {
        Ok(executed) => executed,
        Err(error) => {
            println!("FAILED {name}: {error:#}");
            let problem = format!("{error:#}");
            return Ok(vec![Failure { line: 1, command: "the machine".into(), problem }]);
        }
    };
    let path: PathBuf = repository.join(chapter::SOURCE).join(format!("{name}.md"));
    let mut blocks = read(repository, name)?;
    if bless {
        let old = fs::read_to_string(&path)?;
        let new = judge::bless(&old, &blocks, &executed.seen)?;
        if new != old {
            fs::write(&path, new)?;
            println!("blessed {}", path.display());
        }
        blocks = read(repository, name)?;
    }
    let failures = report::failures(&blocks, &executed.seen);
    for Failure { line, command, problem } in &failures {
        println!("\nFAILED {}/{name}.md:{line}\n  $ {command}\n{problem}", chapter::SOURCE);
    }
    report.insert(name.to_owned(), executed);
    Ok(failures)
}

/// What the machine got to run; "unknown" where there is no git.
fn commit(repository: &Path) -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"]).current_dir(repository);
    let output = git.output().ok().filter(|output| output.status.success());
    output.map_or("unknown".into(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}
