//! The report as pictures: SVG by hand, since a bar chart is a dozen rectangles.
//!
//! Text stays text, so it can be searched and read aloud. Colours of text and
//! grid follow the reader's light or dark scheme; those of the bars stand out on both.

use std::path::Path;

use crate::markdown::line as add;
use crate::results::Report;
use crate::runtimes::Operation;
use crate::statistics::quantile;

const WIDTH: f64 = 720.0;
/// Where the bars begin and end.
const LEFT: f64 = 84.0;
const RIGHT: f64 = 620.0;
const TOP: f64 = 64.0;
const ROW: f64 = 46.0;
const BAR: f64 = 15.0;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 } .small { font-size: 11px }
.grid { stroke: #8c959f; stroke-opacity: .35 } .spread { stroke: #57606a; stroke-width: 1.5 }
.plain { fill: #3b82f6 } .profile { fill: #d97706 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .spread { stroke: #c9d1d9 } }";

/// One picture for each operation that was measured: DIRECTORY/run.svg and so on.
pub fn write(report: &Report, directory: &Path) -> std::io::Result<()> {
    for operation in Operation::ALL {
        let Some(picture) = picture(report, operation) else {
            continue;
        };
        let name = operation.name().replace(", ", "-").replace(' ', "-");
        std::fs::write(directory.join(format!("{name}.svg")), picture)?;
    }
    Ok(())
}

/// A row for each runtime, with a bar for the median without the profile and one with it.
fn picture(report: &Report, operation: Operation) -> Option<String> {
    let rows: Vec<&str> = report
        .runtimes
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| report.find(operation, false, name).is_some())
        .collect();
    let all = report.series.iter().filter(|series| series.operation == operation);
    let most = all.map(|series| quantile(&series.micros, 0.9) / 1000.0).fold(0.0, f64::max);
    if rows.is_empty() || most <= 0.0 {
        return None;
    }
    let step = step(most);
    let end = (most / step).ceil() * step;
    let height = TOP + ROW * rows.len() as f64 + 40.0;
    let mut out = head(operation, height);
    grid(&mut out, step, end, height - 34.0);
    for (at, name) in rows.iter().enumerate() {
        let y = TOP + ROW * at as f64;
        let middle = y + BAR + 5.0;
        add(
            &mut out,
            format_args!(
                r#"<text x="{LEFT}" dx="-8" y="{middle}" text-anchor="end">{name}</text>"#
            ),
        );
        for (profile, class, y) in [(false, "plain", y), (true, "profile", y + BAR + 2.0)] {
            if let Some(series) = report.find(operation, profile, name) {
                bar(&mut out, class, y, &series.micros, end);
            }
        }
    }
    out.push_str("</svg>\n");
    Some(out)
}

fn head(operation: Operation, height: f64) -> String {
    let mut out = String::new();
    let name = operation.name();
    add(
        &mut out,
        format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{name}: milliseconds, median of all rounds">"#
        ),
    );
    add(&mut out, format_args!("<style>{STYLE}</style>"));
    add(
        &mut out,
        format_args!(
            r#"<text class="title" x="12" y="24">{name}: milliseconds, less is better</text>"#
        ),
    );
    for (x, class, text) in
        [(12.0, "plain", "without a profile"), (152.0, "profile", "with a seccomp profile")]
    {
        add(
            &mut out,
            format_args!(
                r#"<rect class="{class}" x="{x}" y="36" width="11" height="11" rx="2"/><text class="small" x="{}" y="46">{text}</text>"#,
                x + 16.0
            ),
        );
    }
    add(
        &mut out,
        format_args!(
            r#"<text class="small" x="{RIGHT}" y="46" text-anchor="end">bar: median; line: 10th to 90th percentile</text>"#
        ),
    );
    out
}

fn grid(out: &mut String, step: f64, end: f64, bottom: f64) {
    let mut value = 0.0;
    while value <= end + step / 2.0 {
        let x = place(value, end);
        add(
            out,
            format_args!(
                r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{bottom:.1}"/><text class="small" x="{x:.1}" y="{:.1}" text-anchor="middle">{value}</text>"#,
                TOP - 8.0,
                bottom + 16.0
            ),
        );
        value += step;
    }
}

fn bar(out: &mut String, class: &str, y: f64, micros: &[f64], end: f64) {
    let ms = |share| quantile(micros, share) / 1000.0;
    let (median, low, high) = (ms(0.5), place(ms(0.1), end), place(ms(0.9), end));
    let (width, middle) = (place(median, end) - LEFT, y + BAR / 2.0);
    add(
        out,
        format_args!(
            r#"<rect class="{class}" x="{LEFT}" y="{y:.1}" width="{width:.1}" height="{BAR}" rx="2"/>"#
        ),
    );
    add(
        out,
        format_args!(
            r#"<line class="spread" x1="{low:.1}" x2="{high:.1}" y1="{middle:.1}" y2="{middle:.1}"/><text class="small" x="{:.1}" y="{:.1}">{median:.2}</text>"#,
            high.max(LEFT + width) + 6.0,
            middle + 4.0
        ),
    );
}

fn place(ms: f64, end: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * ms / end
}

/// 1, 2 or 5 times a power of ten, so that there are four to ten lines.
fn step(most: f64) -> f64 {
    let power = 10_f64.powf((most / 4.0).log10().floor());
    [5.0, 2.0, 1.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| most / step >= 4.0)
        .unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_round_steps() {
        for (most, expected) in [(4.0, 1.0), (9.0, 2.0), (46.0, 10.0), (0.9, 0.2), (25.0, 5.0)] {
            assert!((step(most) - expected).abs() < 1e-9, "{most}: {}", step(most));
        }
    }
}
