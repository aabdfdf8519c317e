//! The report as Markdown.

use crate::results::{Price, Report, Scale, Series};
use crate::runtimes::{AT_ONCE, Operation};
use crate::statistics::{Estimate, estimate, median, quantile, ratio as pairs};

/// All tables.
pub fn report(report: &Report) -> String {
    let mut out = String::new();
    for (key, value) in &report.machine {
        line(&mut out, format_args!("- {key}: {value}"));
    }
    let versions = report.runtimes.iter().filter(|(_, version)| !version.is_empty());
    let versions: Vec<_> = versions.map(|(name, version)| format!("{name} {version}")).collect();
    line(&mut out, format_args!("- {}", versions.join(", ")));
    for note in &report.notes {
        line(&mut out, format_args!("- {note}"));
    }
    for operation in Operation::ALL {
        for profile in [false, true] {
            table(&mut out, report, operation, profile);
        }
    }
    if !report.scale.is_empty() {
        scale(&mut out, &report.scale);
    }
    if !report.prices.is_empty() {
        prices(&mut out, &report.prices);
    }
    out
}

fn table(out: &mut String, report: &Report, operation: Operation, profile: bool) {
    let of_this = |series: &&Series| series.operation == operation && series.profile == profile;
    let rows: Vec<_> = report.series.iter().filter(of_this).collect();
    if rows.is_empty() {
        return;
    }
    let with = if profile { "with the seccomp profile" } else { "without a profile" };
    let rounds = rows[0].micros.len();
    line(out, format_args!("\n### {}, {with} ({rounds} rounds)\n", operation.name()));
    let head = "median ms | p10 | p99 | to the floor | to crun | processor ms | to the floor | to crun | peak KiB | calls";
    let per_second = if operation == Operation::Eight { " per second |" } else { "" };
    line(out, format_args!("| | {head} |{per_second}"));
    let columns = if per_second.is_empty() { 11 } else { 12 };
    line(out, format_args!("|---|{}", "--:|".repeat(columns - 1)));
    for series in rows {
        let ms = |share| quantile(&series.micros, share) / 1000.0;
        let ratio = |to| shown(report.ratio(operation, profile, &series.runtime, to));
        let processor = |to| {
            let theirs = report.find(operation, profile, to);
            let found = theirs.and_then(|theirs| pairs(&series.cpu_micros, &theirs.cpu_micros));
            found.map_or("–".into(), |ratio| format!("{:.2}", ratio.median))
        };
        let number = |value: Option<u64>| value.map_or("–".into(), |value| value.to_string());
        let mut row = format!(
            "| {} | {:.2} | {:.2} | {:.2} | {} | {} | {:.2} | {} | {} | {} | {} |",
            series.runtime,
            ms(0.5),
            ms(0.1),
            ms(0.99),
            ratio("floor"),
            ratio("crun"),
            median(&series.cpu_micros) / 1000.0,
            processor("floor"),
            processor("crun"),
            number(series.peak_kib),
            number(series.calls),
        );
        if operation == Operation::Eight {
            let rate = AT_ONCE as f64 * 1e6 / median(&series.micros);
            row = format!("{row} {rate:.0} |");
        }
        line(out, format_args!("{row}"));
    }
}

/// A ratio with its interval of 95 %.
fn shown(ratio: Option<Estimate>) -> String {
    ratio.map_or("–".into(), |Estimate { median, low, high }| {
        format!("{median:.2} ({low:.2}–{high:.2})")
    })
}

fn scale(out: &mut String, scales: &[Scale]) {
    line(out, format_args!("\n### Little memory, many containers\n"));
    let head = "least memory.max | stays, detached | stays, `run` | alive | first tenth ms | last tenth ms | `list` ms | KiB each | teardown s";
    line(out, format_args!("| | {head} |"));
    line(out, format_args!("|---|{}", "--:|".repeat(9)));
    for scale in scales {
        let stays = |found: Option<(u64, u64)>| {
            found.map_or("–".into(), |(count, kib)| format!("{count}, {kib} KiB"))
        };
        let least = scale.least_memory_kib.map_or("–".into(), |kib| format!("{kib} KiB"));
        let many =
            scale.thousand.as_ref().map_or("– | – | – | – | – | –".into(), |many| {
                let (first, last) = many.ends();
                format!(
                    "{} | {:.2} | {:.2} | {} | {:.0} | {:.1}",
                    many.starts.len(),
                    median(first) / 1000.0,
                    median(last) / 1000.0,
                    many.list.map_or("–".into(), |micros| format!("{:.1}", micros / 1000.0)),
                    many.memory_kib,
                    many.teardown / 1e6,
                )
            });
        let (detached, waiting) = (stays(scale.stays_detached), stays(scale.stays_waiting));
        line(
            out,
            format_args!("| {} | {least} | {detached} | {waiting} | {many} |", scale.runtime),
        );
    }
}

/// The difference to the whole, pair by pair within a round.
fn prices(out: &mut String, prices: &[Price]) {
    line(out, format_args!("\n### What each part of the floor costs\n"));
    line(
        out,
        format_args!("| | median µs | to the whole | 95 % | processor µs | to the whole | 95 % |"),
    );
    line(out, format_args!("|---|--:|--:|--:|--:|--:|--:|"));
    let Some(whole) = prices.first() else {
        return;
    };
    for price in prices {
        let name = if price.switch.is_empty() { "the whole" } else { &price.switch };
        let wall = difference(&price.micros, &whole.micros);
        let processor = difference(&price.cpu_micros, &whole.cpu_micros);
        line(out, format_args!("| {name} | {wall} | {processor} |"));
    }
}

fn difference(micros: &[f64], whole: &[f64]) -> String {
    let pairs: Vec<f64> = micros.iter().zip(whole).map(|(one, all)| one - all).collect();
    estimate(&pairs).map_or("– | – | –".into(), |Estimate { median: most, low, high }| {
        format!("{:.0} | {most:+.0} | {low:+.0} to {high:+.0}", median(micros))
    })
}

/// Adds a line.
pub fn line(out: &mut String, text: std::fmt::Arguments) {
    out.push_str(&text.to_string());
    out.push('\n');
}
