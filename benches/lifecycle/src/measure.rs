//! Rounds: in each, everything is done once by everybody.
//!
//! Within a round the runtimes of one operation follow one another directly, in
//! an order that is drawn anew each time. So what disturbs the machine for
//! longer than a moment disturbs the two halves of a pair alike, and nobody
//! always comes after the same other.

use std::time::{Duration, Instant};

use crate::bundle::{Bundles, Purpose};
use crate::process::{self, Line, Outcome};
use crate::results::{Report, Series};
use crate::runtimes::{Operation, Runtime};
use crate::{calls, memory};

/// How often, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// At most so many rounds.
    pub rounds: usize,
    /// No new round after this time; but never fewer than [`LEAST`].
    pub patience: Duration,
}

impl Effort {
    /// Whether the time is up, and there are rounds enough.
    pub fn is_spent(self, round: usize, begin: Instant) -> bool {
        round >= WARM_UP + LEAST && begin.elapsed() > self.patience
    }
}

/// Rounds that are thrown away: caches fill, modules load.
pub const WARM_UP: usize = 2;
/// Fewer make no interval.
pub const LEAST: usize = 6;

/// One operation of one runtime.
struct Task {
    lines: Vec<Line>,
    series: Series,
}

/// All operations of all runtimes, in rounds.
pub fn all(
    runtimes: &[Runtime],
    bundles: &Bundles,
    effort: Effort,
    report: &mut Report,
) -> Result<(), String> {
    let residents = Residents::start(runtimes, bundles)?;
    let mut groups = groups(runtimes, bundles, report)?;
    let (begin, count) = (Instant::now(), effort.rounds);
    eprintln!("lifecycle: {count} rounds, or {} seconds", effort.patience.as_secs());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..WARM_UP + effort.rounds {
        if effort.is_spent(round, begin) {
            break;
        }
        for group in &mut groups {
            random.shuffle(group);
            for task in group {
                let outcome = once(task)?;
                if round >= WARM_UP {
                    task.series.micros.push(outcome.micros);
                    task.series.cpu_micros.push(outcome.cpu_micros);
                }
            }
        }
    }
    eprintln!("lifecycle: system calls and memory");
    for task in groups.iter_mut().flatten() {
        look(task, report);
    }
    drop(residents);
    // As they were listed: the order of the last round means nothing.
    let place = |name: &str| runtimes.iter().position(|runtime| runtime.name == name);
    for mut group in groups {
        group.sort_by_key(|task| place(&task.series.runtime));
        report.series.extend(group.into_iter().map(|task| task.series));
    }
    Ok(())
}

/// What strace and ptrace tell, which would slow the rounds down.
fn look(task: &mut Task, report: &mut Report) {
    if task.series.operation == Operation::Eight {
        return;
    }
    task.series.calls = calls::count(&task.lines);
    match memory::peak(&task.lines) {
        Ok(peak) => task.series.peak_kib = Some(peak),
        Err(error) => report.notes.push(format!("{}: peak memory: {error}", task.series.runtime)),
    }
}

fn once(task: &Task) -> Result<Outcome, String> {
    let outcome = match task.series.operation {
        Operation::Eight => process::at_once(&task.lines),
        _ => process::in_turn(&task.lines),
    };
    match outcome {
        Ok(outcome) if !outcome.failed => Ok(outcome),
        Ok(_) => Err(format!("{} failed: {}", task.lines[0].shown(), task.lines[0].complaint())),
        Err(error) => Err(format!("{}: {error}", task.lines[0].shown())),
    }
}

/// The tasks of each operation, with and without the profile.
fn groups(
    runtimes: &[Runtime],
    bundles: &Bundles,
    report: &mut Report,
) -> Result<Vec<Vec<Task>>, String> {
    let mut groups = Vec::new();
    for operation in Operation::ALL {
        for profile in [false, true] {
            let mut group = Vec::new();
            for runtime in runtimes {
                if !runtime.has(operation) {
                    if runtime.is_oci() && !profile {
                        let note = format!("{}: {} is not there", runtime.name, operation.name());
                        report.notes.push(note);
                    }
                    continue;
                }
                let name = runtime.name.to_owned();
                let (micros, cpu_micros) = (Vec::new(), Vec::new());
                let (peak_kib, calls) = (None, None);
                let series = Series {
                    operation,
                    profile,
                    runtime: name,
                    micros,
                    cpu_micros,
                    peak_kib,
                    calls,
                };
                let lines = runtime.lines(operation, profile, bundles)?;
                group.push(Task { lines, series });
            }
            groups.push(group);
        }
    }
    Ok(groups)
}

/// The containers that exec goes into, by the commands that end them.
struct Residents(Vec<Line>);

impl Residents {
    fn start(runtimes: &[Runtime], bundles: &Bundles) -> Result<Self, String> {
        let mut all = Self(Vec::new());
        for runtime in runtimes.iter().filter(|runtime| runtime.has_exec) {
            for profile in [false, true] {
                let name = runtime.resident(profile);
                let mut lines = runtime.cycle(&name, profile, Purpose::Stays, bundles)?;
                all.0.extend(lines.pop());
                if let Some(line) = lines.iter().find(|line| !line.succeeds()) {
                    return Err(format!("{} failed: {}", line.shown(), line.complaint()));
                }
            }
        }
        Ok(all)
    }
}

impl Drop for Residents {
    fn drop(&mut self) {
        for end in &self.0 {
            end.succeeds();
        }
    }
}

/// xorshift64*: the order needs to be without a pattern, not unpredictable.
pub struct Random(pub u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    /// Fisher and Yates.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}
