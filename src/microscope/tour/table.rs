//! The facts of a step, as a table: what the kernel says of jec, which is on the host, and of the
//! container's process.

use std::collections::BTreeSet;

use ratatui_core::style::Style;
use ratatui_core::text::Line;

use super::panes::{CHANGED, FAINT, PLAIN, STRONG, wrapped};
use super::walk::Step;
use crate::microscope::page::{by_name, worded};

/// More capabilities than these are told by those that are missing.
const MANY: u32 = 20;

/// What has changed, what differs from the host, and the names of what does not.
pub fn facts(step: &Step, width: usize) -> Vec<Line<'static>> {
    let [host, inside] = &step.facts;
    let label = (width / 3).min(24);
    let widths = [label, (width - label) / 2 - 1, (width - label) / 2 - 1];
    let head = ["", "host: jec", "container"];
    let mut lines = rows(head, widths, STRONG);
    let keys: BTreeSet<_> = [host.keys(), inside.keys()].into_iter().flatten().collect();
    let keys: BTreeSet<_> = keys.into_iter().chain(step.changed.iter().flatten()).collect();
    let is_changed = |key: &&String| step.changed.iter().any(|changed| changed.contains(*key));
    let (changed, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_changed);
    let is_same = |key: &&String| inside.get(*key).is_none_or(|is| host.get(*key) == Some(is));
    let (same, differ): (Vec<_>, Vec<_>) = others.into_iter().partition(is_same);
    for (mut keys, sign, style) in [(changed, "* ", CHANGED), (differ, "  ", PLAIN)] {
        keys.sort_by_key(|key| key.starts_with("descriptor"));
        for key in keys {
            let name = format!("{sign}{}", key.replacen('.', " ", 1));
            lines.extend(rows([&name, &value(step, 0, key), &value(step, 1, key)], widths, style));
        }
    }
    let same: Vec<_> = same.into_iter().filter(|key| inside.contains_key(*key)).collect();
    let same: Vec<_> = same.into_iter().map(String::as_str).collect();
    let same = format!("The same in both: {}.", same.join(", "));
    let last = if inside.is_empty() { "The container has no process." } else { &same };
    lines.extend(wrapped(last, width).into_iter().map(|text| Line::styled(text, FAINT)));
    lines
}

/// What is said of jec, or of the container's process. Numbers of descriptors have nothing to do
/// with each other.
fn value(step: &Step, of: usize, key: &str) -> String {
    let is_number =
        key.starts_with("descriptor") && step.changed.iter().any(|all| all.contains(key));
    if (is_number || key.starts_with("descriptor") && of == 0) && !step.changed[of].contains(key) {
        return String::new();
    }
    let gone = if step.changed[of].contains(key) { "gone" } else { "" };
    let Some(value) = step.facts[of].get(key) else {
        return gone.into();
    };
    let bits = u64::from_str_radix(value, 16).unwrap_or_default();
    match key.strip_prefix("capabilities.") {
        Some(_) if bits.count_ones() > MANY => {
            format!("all but {}", by_name(&format!("{:x}", !bits))).replace(" but none", "")
        }
        Some(_) => by_name(value),
        // Real, effective, saved, and that for files.
        None if key.starts_with("ids.") => alike(value),
        // Its type, and its flags.
        None if key.starts_with("mount.") => {
            let mut words = value.split(' ');
            [words.next(), words.nth(2)].map(Option::unwrap_or_default).join(" ")
        }
        None => worded(key, value),
    }
}

/// One word, where all are the same.
fn alike(value: &str) -> String {
    let mut words = value.split(' ');
    let first = words.next().unwrap_or_default();
    if words.all(|word| word == first) { first.into() } else { value.into() }
}

/// A row of a table, each of its cells as high as it has to be.
fn rows(cells: [&str; 3], widths: [usize; 3], style: Style) -> Vec<Line<'static>> {
    let mut cells = [0, 1, 2].map(|at| wrapped(cells[at], widths[at] - 2 * usize::from(at == 0)));
    cells[0].iter_mut().skip(1).for_each(|label| label.insert_str(0, "  "));
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |column: usize, row: usize| {
        let text = cells[column].get(row).map_or("", |text| text.as_str());
        let fill = widths[column].saturating_sub(text.chars().count());
        format!("{text}{} ", " ".repeat(fill))
    };
    let line = |row| cell(0, row) + &cell(1, row) + &cell(2, row);
    (0..height).map(|row| Line::styled(line(row), style)).collect()
}
