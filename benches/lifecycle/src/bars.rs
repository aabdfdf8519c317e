//! The bars: what jec must reach, as ratios, in one table, and what it may never lose again.

use crate::results::Report;
use crate::runtimes::Operation::{self, Exec, Run};
use crate::statistics::{Estimate, estimate, median, ratio};

/// jec's value divided by that of `than`: to be at most `goal`. More than `guard` fails: it is
/// what was reached, and a tenth or two for machines on which others work, too.
struct Bar {
    what: &'static str,
    than: &'static str,
    goal: f64,
    guard: f64,
    measured: Measured,
}

enum Measured {
    /// The time of an operation, with the profile or without.
    Time(Operation, bool),
    /// The peak memory of an operation.
    Peak(Operation),
    /// How much less 8 at once gain over 8 in turn.
    Scaling,
    /// The least memory.max, in units of 256 KiB.
    LeastMemory,
    /// The start of the last of a thousand, to that of the first.
    Last,
}

#[rustfmt::skip]
const BARS: &[Bar] = &[
    Bar { what: "run",                 than: "floor",   goal: 1.3,        guard: 2.3,  measured: Measured::Time(Run, false) },
    Bar { what: "run, profile",        than: "floor",   goal: 1.3,        guard: 2.3,  measured: Measured::Time(Run, true) },
    Bar { what: "run",                 than: "crun",    goal: 1.0 / 2.0,  guard: 0.75, measured: Measured::Time(Run, false) },
    Bar { what: "run, profile",        than: "crun",    goal: 1.0 / 2.5,  guard: 0.65, measured: Measured::Time(Run, true) },
    Bar { what: "run",                 than: "runc",    goal: 1.0 / 5.0,  guard: 0.25, measured: Measured::Time(Run, false) },
    Bar { what: "run, profile",        than: "runc",    goal: 1.0 / 10.0, guard: 0.22, measured: Measured::Time(Run, true) },
    Bar { what: "exec",                than: "crun",    goal: 1.0 / 2.0,  guard: 0.60, measured: Measured::Time(Exec, false) },
    Bar { what: "exec, profile",       than: "crun",    goal: 1.0 / 2.0,  guard: 0.60, measured: Measured::Time(Exec, true) },
    // What lies beside the code that runs is mapped with it: when this fails, benches/order/run
    // has to look again what that is.
    Bar { what: "peak memory of run",  than: "crun",    goal: 2.0 / 3.0,  guard: 0.8,  measured: Measured::Peak(Run) },
    Bar { what: "gain of 8 at once",   than: "crun",    goal: 1.0,        guard: 1.2,  measured: Measured::Scaling },
    Bar { what: "least memory.max",    than: "256 KiB", goal: 1.0,        guard: 9.0, measured: Measured::LeastMemory },
    Bar { what: "start of the 1000th", than: "the 1st", goal: 1.2,        guard: 1.5,  measured: Measured::Last },
];

impl Bar {
    /// None: something of it is not there.
    fn value(&self, report: &Report) -> Option<Estimate> {
        let exact = |value: f64| Estimate { median: value, low: value, high: value };
        let scale = report.scale.iter().find(|scale| scale.runtime == "jec");
        match self.measured {
            Measured::Time(operation, profile) => {
                report.ratio(operation, profile, "jec", self.than)
            }
            Measured::Peak(operation) => {
                let of = |name| report.find(operation, false, name)?.peak_kib;
                Some(exact(of("jec")? as f64 / of(self.than)? as f64))
            }
            Measured::Scaling => {
                let (ours, theirs) =
                    (report.speedups(false, "jec")?, report.speedups(false, self.than)?);
                estimate(&theirs.iter().zip(&ours).map(|(a, b)| a / b).collect::<Vec<_>>())
            }
            Measured::LeastMemory => Some(exact(scale?.least_memory_kib? as f64 / 256.0)),
            Measured::Last => {
                let (first, last) = scale?.thousand.as_ref()?.ends();
                Some(exact(median(last) / median(first)))
            }
        }
    }

    /// The same for user and system time: not judged, but what is left when others
    /// use the machine, too. Their turns lengthen both sides of a pair, and so
    /// bring its ratio nearer to 1.
    fn processor(&self, report: &Report) -> Option<f64> {
        let Measured::Time(operation, profile) = self.measured else {
            return None;
        };
        let ours = report.find(operation, profile, "jec")?;
        let theirs = report.find(operation, profile, self.than)?;
        Some(ratio(&ours.cpu_micros, &theirs.cpu_micros)?.median)
    }
}

/// Prints every bar with what was measured; false when a guard is passed. It is
/// when even the end of the interval that speaks for jec is beyond it: what
/// cannot be decided on this machine in this time fails nobody. The last line
/// counts, as the lines of `tests/suite` do.
pub fn check(report: &Report) -> bool {
    let (mut failed, mut skipped) = (0, 0);
    println!("| | jec, compared with | goal | never above | measured | 95 % | processor time | |");
    println!("|---|---|---|---|---|---|---|---|");
    for bar in BARS {
        let (what, than, goal, guard) = (bar.what, bar.than, bar.goal, bar.guard);
        let Some(value) = bar.value(report) else {
            println!("| {what} | {than} | {goal:.2} | {guard:.2} | – | | | not there |");
            skipped += 1;
            continue;
        };
        let Estimate { median, low, high } = value;
        let verdict = if median <= goal {
            "reached"
        } else if low <= guard {
            "short of the goal"
        } else {
            failed += 1;
            "FAILED"
        };
        let processor = bar.processor(report).map_or(String::new(), |ratio| format!("{ratio:.2}"));
        println!(
            "| {what} | {than} | {goal:.2} | {guard:.2} | {median:.2} | {low:.2}–{high:.2} | {processor} | {verdict} |"
        );
    }
    let passed = BARS.len() - failed - skipped;
    println!("\nthe bars: {passed} passed, {failed} failed, {skipped} skipped");
    failed == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Series;

    fn series(runtime: &str, micros: f64) -> Series {
        let micros = (0..40).map(|n| micros + f64::from(n % 3)).collect();
        let runtime = runtime.into();
        let (profile, peak_kib, calls) = (false, None, None);
        Series { operation: Run, profile, runtime, micros, cpu_micros: vec![], peak_kib, calls }
    }

    #[test]
    fn what_is_beyond_its_guard_fails_and_what_is_short_of_its_goal_does_not() {
        let report = |jec| {
            let series = vec![series("floor", 1000.0), series("crun", 4000.0), series("jec", jec)];
            Report { series, ..Report::default() }
        };
        assert!(check(&report(1200.0)));
        assert!(check(&report(1900.0)));
        assert!(!check(&report(2400.0)));
    }
}
