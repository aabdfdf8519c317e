//! The plan as a picture: three lanes, one for each process; a box for each stage, from the top
//! down in the order of execution; an arrow where the baton passes to another process.
//!
//! Written by hand, since it is a few dozen rectangles. Text stays text, so it can be searched
//! and read aloud; colours follow the reader's light or dark scheme.

use super::{Step, put};

const LANES: [(&str, &str); 3] =
    [("runtime", "jec, on the host"), ("middle", "on the way in"), ("init", "PID 1 inside")];
const LANE: usize = 250;
const BOX: usize = 190;
const HEIGHT: usize = 30;
const ROW: usize = 44;
const TOP: usize = 84;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 } .small { font-size: 11px }
.lane { stroke: #8c959f; stroke-opacity: .35; stroke-dasharray: 3 4 }
.box { fill: #ddf4ff; stroke: #0969da } .baton { fill: none; stroke: #57606a; stroke-width: 1.5 }
.tip { fill: #57606a } .absent rect { fill: none; stroke: #8c959f; stroke-dasharray: 4 3 }
.absent text { fill: #6e7781 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .box { fill: #0c2d6b; stroke: #58a6ff }
.baton { stroke: #c9d1d9 } .tip { fill: #c9d1d9 } .absent text { fill: #8d96a0 } }";

fn lane(step: &Step) -> usize {
    LANES.iter().position(|lane| lane.0 == step.stage.side()).unwrap_or(0)
}

/// For a web page or a viewer of pictures. What a box is about is in its title, which a reader
/// shows under the pointer.
pub fn svg(title: &str, steps: &[Step]) -> String {
    let (width, height) = (LANE * LANES.len(), TOP + ROW * steps.len() + 10);
    let title = escaped(title);
    let mut out = String::new();
    put(
        &mut out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\">\n"
        ),
    );
    put(
        &mut out,
        format_args!(
            "<title id=\"title\">{title}</title>\n<desc id=\"desc\">{}</desc>\n",
            description(steps)
        ),
    );
    put(
        &mut out,
        format_args!(
            "<style>{STYLE}</style>\n<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
        ),
    );
    put(&mut out, format_args!("<text class=\"title\" x=\"12\" y=\"24\">{title}</text>\n"));
    for (at, (name, what)) in LANES.iter().enumerate() {
        let x = at * LANE + LANE / 2;
        put(
            &mut out,
            format_args!(
                "<line class=\"lane\" x1=\"{x}\" x2=\"{x}\" y1=\"{TOP}\" y2=\"{}\"/>",
                height - 10
            ),
        );
        put(
            &mut out,
            format_args!(
                "<text x=\"{x}\" y=\"50\" text-anchor=\"middle\">{name}</text><text class=\"small\" x=\"{x}\" y=\"66\" text-anchor=\"middle\">{what}</text>\n"
            ),
        );
    }
    for (at, step) in steps.iter().enumerate() {
        stage(&mut out, at, step);
    }
    for (from, to) in batons(steps) {
        arrow(&mut out, (from, lane(&steps[from])), (to, lane(&steps[to])));
    }
    out.push_str("</svg>\n");
    out
}

/// A box.
fn stage(out: &mut String, at: usize, step: &Step) {
    let (x, y) = (lane(step) * LANE + (LANE - BOX) / 2, TOP + at * ROW);
    let (class, note) = match &step.absent {
        None => ("step", step.stage.what),
        Some(reason) => ("absent", &**reason),
    };
    let (name, note) = (step.stage.name, escaped(note));
    let calls: Vec<_> = step.calls.iter().map(|line| format!("\n{}", escaped(line))).collect();
    put(
        out,
        format_args!(
            "<g class=\"{class}\"><title>{note}{}</title><rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{BOX}\" height=\"{HEIGHT}\" rx=\"5\"/><text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{} {name}</text></g>\n",
            calls.concat(),
            x + BOX / 2,
            y + 20,
            at + 1
        ),
    );
}

/// From the lower edge of one box to the upper edge of another, by the side of what lies between.
fn arrow(out: &mut String, from: (usize, usize), to: (usize, usize)) {
    let place = |(at, lane): (usize, usize)| (lane * LANE + LANE / 2, TOP + at * ROW);
    let ((x1, y1), (x2, y2)) = (place(from), place(to));
    let (y1, edge) = (y1 + HEIGHT / 2, BOX / 2);
    let x1 = if x2 > x1 { x1 + edge } else { x1 - edge };
    put(
        out,
        format_args!(
            "<path class=\"baton\" d=\"M{x1} {y1}H{x2}V{}\" marker-end=\"url(#tip)\"/>\n",
            y2 - 1
        ),
    );
}

/// For graphviz: `jec plan --dot | dot -Tsvg`.
pub fn dot(title: &str, steps: &[Step]) -> String {
    let mut out =
        format!("digraph plan {{\n  label={title:?} labelloc=t fontname=\"sans-serif\"\n");
    out.push_str("  node [shape=box style=rounded fontname=\"sans-serif\"]\n");
    for (name, what) in LANES {
        put(&mut out, format_args!("  subgraph cluster_{name} {{\n    label=\"{name}: {what}\"\n"));
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.stage.side() == name) {
            let stage = step.stage.name;
            let note = step.absent.as_deref().unwrap_or(step.stage.what);
            let grey = if step.absent.is_some() {
                " style=\"rounded,dashed\" color=gray fontcolor=gray"
            } else {
                ""
            };
            put(
                &mut out,
                format_args!(
                    "    {stage:?} [label=\"{} {stage}\" tooltip={note:?}{grey}]\n",
                    at + 1
                ),
            );
        }
        out.push_str("  }\n");
    }
    let batons = batons(steps);
    for pair in walked(steps).windows(2) {
        let (from, to) = (steps[pair[0]].stage.name, steps[pair[1]].stage.name);
        let passes = batons.contains(&(pair[0], pair[1]));
        let label = if passes { " [label=\"baton\" style=bold]" } else { "" };
        put(&mut out, format_args!("  {from:?} -> {to:?}{label}\n"));
    }
    out.push_str("}\n");
    out
}

/// The places of the rows that apply.
fn walked(steps: &[Step]) -> Vec<usize> {
    (0..steps.len()).filter(|at| steps[*at].absent.is_none()).collect()
}

/// Where the next row that applies is another process's.
fn batons(steps: &[Step]) -> Vec<(usize, usize)> {
    let pairs = walked(steps);
    let pairs = pairs.windows(2).map(|pair| (pair[0], pair[1]));
    pairs.filter(|(from, to)| lane(&steps[*from]) != lane(&steps[*to])).collect()
}

/// The picture in words.
fn description(steps: &[Step]) -> String {
    let mut text = String::from("The stages in order, each with its process:");
    for step in steps {
        let reason = step.absent.as_ref().map(|reason| format!(", left out, {reason}"));
        let (name, side) = (step.stage.name, step.stage.side());
        put(&mut text, format_args!(" {name} ({side}{});", reason.unwrap_or_default()));
    }
    escaped(text.trim_end_matches(';'))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
