//! The life cycle of a container, timed: jec against its floor and its peers.
//!
//! Read in this order: [`view`], [`bundle`], [`runtimes`] (what is compared);
//! [`process`], [`measure`], [`statistics`] (how); [`memory`], [`calls`],
//! [`scale`] (what else); [`results`], [`markdown`], [`plot`], [`bars`] (what comes out).

mod bars;
mod bundle;
mod calls;
mod filter;
mod markdown;
mod measure;
mod memory;
mod payload;
mod plot;
mod prices;
mod process;
mod results;
mod runtimes;
mod scale;
mod statistics;
mod view;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bundle::Bundles;
use measure::Effort;
use results::Report;
use runtimes::Runtime;

const USAGE: &str = "\
usage: lifecycle --jec FILE --floor FILE [OPTION...] [WORD]

WORD is what to do: measure (the tables), prices (what each part of the floor
costs), scale (little memory, many containers), all three: all; check (compare
with the bars; exit status 1 when a guard fails); render FILE (the tables and
pictures of a report that was written before). Otherwise: measure.

  --rounds N     at most so many rounds (100)
  --seconds N    no new round after so long (150)
  --many N       containers alive at once, for scale and check (1000)
  --only NAME,…  only these runtimes
  --out DIR      where report.json and the pictures go (.)
  --raw          the report as one line of JSON on standard output, and nothing else";

struct Options {
    word: String,
    file: PathBuf,
    jec: PathBuf,
    floor: PathBuf,
    out: PathBuf,
    effort: Effort,
    only: Vec<String>,
    many: usize,
    raw: bool,
}

fn main() -> ExitCode {
    let result = parse().and_then(|options| {
        if options.word == "--help" {
            println!("{USAGE}");
            return Ok(true);
        }
        if options.word == "render" {
            let text = std::fs::read_to_string(&options.file).map_err(|e| e.to_string())?;
            let report = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            return show(&report, &options);
        }
        view::enter().map_err(|error| format!("a view of our own (needs root): {error}"))?;
        let report = work(&options);
        view::leave();
        show(&report?, &options)
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lifecycle: {error}");
            ExitCode::from(2)
        }
    }
}

fn parse() -> Result<Options, String> {
    let effort = Effort { rounds: 100, patience: Duration::from_secs(150) };
    let (none, here) = (PathBuf::new(), PathBuf::from("."));
    let (jec, floor, file) = (none.clone(), none.clone(), none);
    let word = "measure".into();
    let mut options = Options {
        word,
        file,
        jec,
        floor,
        out: here,
        effort,
        only: Vec::new(),
        many: 1000,
        raw: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
        let number = |text: String| text.parse().map_err(|_| format!("{text:?} is no number"));
        match arg.as_str() {
            "--jec" => options.jec = value()?.into(),
            "--floor" => options.floor = value()?.into(),
            "--out" => options.out = value()?.into(),
            "--rounds" => options.effort.rounds = number(value()?)?,
            "--seconds" => options.effort.patience = Duration::from_secs(number(value()?)? as u64),
            "--many" => options.many = number(value()?)?,
            "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
            "--raw" => options.raw = true,
            "measure" | "prices" | "scale" | "all" | "check" | "--help" => options.word = arg,
            "render" => {
                options.file = value()?.into();
                options.word = arg;
            }
            _ => return Err(format!("{arg:?}\n{USAGE}")),
        }
    }
    Ok(options)
}

/// Everything that was asked for, in our view.
fn work(options: &Options) -> Result<Report, String> {
    let mut report = Report { machine: machine(), ..Report::default() };
    let mut bundles = Bundles::make(&options.jec)?;
    let mut runtimes = runtimes::installed(&options.floor, &options.jec);
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|o| o == name);
    runtimes.retain(|runtime| wanted(runtime.name));
    working(&mut runtimes, &mut bundles, &mut report)?;
    let named = runtimes.iter().map(|runtime| (runtime.name.into(), runtime.version.clone()));
    report.runtimes = named.collect();
    let does = |word: &str| options.word == word || options.word == "all";
    if does("measure") || does("check") {
        measure::all(&runtimes, &bundles, options.effort, &mut report)?;
    }
    if does("prices")
        && let Some(floor) = runtimes.iter().find(|runtime| runtime.name == "floor")
    {
        prices::all(floor, &bundles, options.effort, &mut report)?;
    }
    for runtime in runtimes.iter().filter(|runtime| runtime.is_oci()) {
        if does("scale") {
            scale::all(runtime, &bundles, options.many, &mut report)?;
        } else if does("check") && runtime.name == "jec" {
            scale::thousand(runtime, &bundles, options.many, &mut report)?;
        }
    }
    Ok(report)
}

/// Drops those that cannot start our bundle here, and leaves the device rules
/// out of it when not all can have them: everybody has to do the same work.
fn working(
    runtimes: &mut Vec<Runtime>,
    bundles: &mut Bundles,
    report: &mut Report,
) -> Result<(), String> {
    let fails = |runtime: &Runtime, bundles: &Bundles| -> Result<Option<String>, String> {
        let line = runtime.run(0, true, bundles)?;
        let problem = (!line.succeeds()).then(|| line.complaint());
        if problem.is_some() && runtime.is_oci() {
            runtime.line().with("delete").with("--force").with("run-0-profile").succeeds();
        }
        Ok(problem)
    };
    for runtime in runtimes.iter().filter(|runtime| runtime.is_oci()) {
        if let Some(problem) = fails(runtime, bundles)? {
            bundles.device_rules = false;
            let name = runtime.name;
            report.notes.push(format!("no device rules, since {name} cannot have them: {problem}"));
            break;
        }
    }
    let mut kept = Vec::new();
    for runtime in std::mem::take(runtimes) {
        match fails(&runtime, bundles)? {
            None => kept.push(runtime),
            Some(problem) => report.notes.push(format!("{} left out: {problem}", runtime.name)),
        }
    }
    *runtimes = kept;
    Ok(())
}

fn machine() -> Vec<(String, String)> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.unwrap_or_default().trim_start_matches([':', '\t', ' ']).to_owned();
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
    vec![
        ("kernel".into(), read("/proc/sys/kernel/osrelease").trim().into()),
        ("processors".into(), format!("{count} × {model}")),
        ("load before".into(), load),
    ]
}

/// Tables on standard output, report.json and pictures in a directory; or the bars.
fn show(report: &Report, options: &Options) -> Result<bool, String> {
    let text = |error: std::io::Error| format!("{}: {error}", options.out.display());
    let json = serde_json::to_string(report).map_err(|error| error.to_string())?;
    if options.raw {
        println!("{json}");
        return Ok(true);
    }
    if options.word != "check" {
        print!("{}", markdown::report(report));
        plot::write(report, Path::new(&options.out)).map_err(text)?;
    }
    std::fs::write(options.out.join("report.json"), json).map_err(text)?;
    Ok(options.word != "check" || bars::check(report))
}
