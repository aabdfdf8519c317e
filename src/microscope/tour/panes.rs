//! The page: the stages on the left, the source of one and its calls, host and container.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Style};
use ratatui_core::text::Line;

use super::walk::Step;
use super::{Tour, sources, table};

/// The smallest terminal, in columns and rows.
const LEAST: (u16, u16) = (80, 24);
/// From this width on host and container have a column of their own.
const WIDE: u16 = 120;
/// Of the list of stages.
const LIST: u16 = 20;

pub const PLAIN: Style = Style::new();
pub const STRONG: Style = PLAIN.bold();
pub const FAINT: Style = PLAIN.dim();
const MARKED: Style = PLAIN.reversed();
pub const CHANGED: Style = PLAIN.fg(Color::Yellow).bold();

const HELP: &str = "\
A container is made by three processes: jec itself (RUNTIME, R), a MIDDLE (M) on the
way in, and INIT (I), which becomes your program. They take turns, a stage at a time.

1 stages     in the order in which they happened, each with the process that did it
2 source     the module of the stage as it was compiled into this jec; ▶ marks the
             line of the call that is chosen in the list below it
3 facts      what the kernel says at the end of the stage: of jec, which is on the
             host, and of the container's process. A * has changed in this stage.
             mnt:1 is the host's mount namespace, mnt:2 the next one, and so on

→ n Space    the next stage                 ←  p        the one before
Tab  1 2 3   choose a pane                  ↑ ↓ PgUp PgDn  scroll in it; ↑ ↓ in the
/            search a stage or a call                   source choose a call
g  G         to the beginning, to the end   s           a shell in the process that
q            leave                                      rests (jec tour --run)

jec stages NAME tells more of a stage.                        Any key goes back.";

/// The whole page.
pub fn page(tour: &Tour, area: Rect) -> Buffer {
    let mut buffer = Buffer::empty(area);
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let (columns, rows) = LEAST;
        let text = format!(
            "The tour needs {columns} columns and {rows} rows; here are {} and {}. q leaves.",
            area.width, area.height
        );
        let lines = wrapped(&text, area.width.into());
        show(&mut buffer, area, &lines.into_iter().map(Line::raw).collect::<Vec<_>>(), 0);
        return buffer;
    }
    let (top, below) = cut(area, 1);
    let (body, bottom) = cut(below, below.height - 1);
    let place = format!(" {} of {} ", tour.at + 1, tour.walk.steps.len());
    let room = usize::from(top.width) - place.len() - 1;
    let title = format!(" {:room$.room$}{place}", tour.title);
    buffer.set_stringn(0, 0, title, top.width.into(), MARKED);
    buffer.set_stringn(0, bottom.y, tour.status(), bottom.width.into(), STRONG);
    if tour.is_helping {
        show(&mut buffer, body, &HELP.lines().map(Line::raw).collect::<Vec<_>>(), 0);
        return buffer;
    }
    let column = |x: u16, width: u16| Rect { x, width, ..body };
    let (list, rest) = (column(0, LIST), area.width - LIST - 1);
    let width = if area.width < WIDE { rest } else { rest / 2 };
    let middle = column(LIST + 1, width);
    let right = (width < rest).then(|| column(middle.right() + 1, rest - width - 1));
    stages(tour, &mut buffer, list);
    stage(tour, &mut buffer, middle, right);
    for bar in [Some(list), right.map(|_| middle)].into_iter().flatten() {
        for y in bar.top()..bar.bottom() {
            buffer.set_string(bar.right(), y, "│", FAINT);
        }
    }
    buffer
}

fn stages(tour: &Tour, buffer: &mut Buffer, area: Rect) {
    let (mut lines, mut part, mut chosen) = (Vec::new(), "", 0);
    for (at, step) in tour.walk.steps.iter().enumerate() {
        if step.part != part && !step.part.is_empty() {
            part = &step.part;
            lines.push(Line::styled(part, FAINT));
        }
        if at == tour.at {
            chosen = lines.len();
        }
        let style = if at == tour.at { MARKED.bold() } else { of_side(&step.side) };
        lines.push(Line::styled(format!("{} {:17}", initial(&step.side), step.name), style));
    }
    if let Some(next) = tour.rests() {
        let text = format!("{} {} ◀", initial(next.side()), next.name);
        lines.push(Line::styled(text, of_side(next.side()).bold()));
    }
    let height = usize::from(area.height.saturating_sub(1));
    let first = chosen.saturating_sub(height / 2).min(lines.len().saturating_sub(height));
    section(tour, buffer, area, (0, "stages"), &lines, first);
}

/// The stage that is chosen: what, why, source, calls; and what it changed, below or beside.
fn stage(tour: &Tour, buffer: &mut Buffer, area: Rect, beside: Option<Rect>) {
    let Some(step) = tour.step() else {
        return;
    };
    let mut head = wrapped(&format!("{}: {}", step.name, step.what), area.width.into());
    let why = format!("Why here: {}.", step.why);
    head.extend(wrapped(&why, area.width.into()).into_iter().filter(|_| !step.why.is_empty()));
    let shares = match (tour.pane, beside) {
        (_, Some(_)) => [5, 3, 0],
        (1, _) => [7, 4, 2],
        (2, _) => [2, 2, 8],
        _ => [4, 3, 5],
    };
    let height = u16::try_from(head.len()).unwrap_or(0);
    let (top, rest) = cut(area, height);
    let share = |of: u16| rest.height * of / shares.iter().sum::<u16>();
    let (source, rest) = cut(rest, share(shares[0]));
    let (calls, facts) = cut(rest, if shares[2] > 0 { share(shares[1]) } else { rest.height });
    let head = head.into_iter().map(|text| Line::styled(text, of_side(&step.side).bold()));
    show(buffer, top, &head.collect::<Vec<_>>(), 0);
    self::source(tour, step, buffer, source);
    self::calls(tour, step, buffer, calls);
    let facts = beside.unwrap_or(facts);
    let lines = table::facts(step, usize::from(facts.width));
    let first = tour.scroll.min(lines.len().saturating_sub(1));
    section(tour, buffer, facts, (2, "host and container, after this stage"), &lines, first);
}

fn source(tour: &Tour, step: &Step, buffer: &mut Buffer, area: Rect) {
    let call = step.calls.get(tour.call);
    let (file, number) = call.map_or((step.file(), 0), |call| (call.file.clone(), call.line));
    // Where the module of a call is not in the binary, that of the stage is all there is.
    let known = sources::of(&file).map(|text| (file.clone(), number, text));
    let own =
        || sources::of(&step.file()).map(|text| (format!("{file}: see {}", step.file()), 0, text));
    let (file, number, text) = known.or_else(own).unwrap_or((file, 0, "not in the binary"));
    let (mut lines, mut mark) = (Vec::new(), 0);
    for (at, text) in (1..).zip(text.lines()) {
        let is_marked = at == number;
        mark = if is_marked { lines.len() } else { mark };
        let is_comment = text.trim_start().starts_with("//");
        let style = if is_comment { PLAIN.fg(Color::Green) } else { PLAIN };
        let style = if is_marked { CHANGED.reversed() } else { style };
        for (piece, text) in wrapped(text, usize::from(area.width) - 5).into_iter().enumerate() {
            let label = if piece == 0 { at.to_string() } else { String::new() };
            let arrow = if is_marked && piece == 0 { "▶" } else { " " };
            lines.push(Line::styled(format!("{arrow}{label:>3} {text}"), style));
        }
    }
    let height = usize::from(area.height.saturating_sub(1));
    let follow = mark.saturating_sub(height / 2);
    let first = tour.source.unwrap_or(follow).min(lines.len().saturating_sub(height));
    tour.shown.set(first);
    section(tour, buffer, area, (1, &file), &lines, first);
}

fn calls(tour: &Tour, step: &Step, buffer: &mut Buffer, area: Rect) {
    let (mut lines, mut chosen) = (Vec::new(), 0);
    for (at, call) in step.calls.iter().enumerate() {
        let is_chosen = at == tour.call;
        chosen = if is_chosen { lines.len() } else { chosen };
        let text = if is_chosen { &call.named } else { &call.text };
        let style = if is_chosen { CHANGED } else { of_side(&call.side) };
        let pieces = wrapped(text, usize::from(area.width) - 4).into_iter();
        for (piece, text) in pieces.take(if is_chosen { 4 } else { 1 }).enumerate() {
            let arrow = if is_chosen && piece == 0 { "▶" } else { " " };
            let side = if piece == 0 { initial(&call.side) } else { ' ' };
            lines.push(Line::styled(format!("{arrow}{side} {text}"), style));
        }
    }
    let height = usize::from(area.height.saturating_sub(1));
    let first = chosen.saturating_sub(height / 3).min(lines.len().saturating_sub(height));
    let title = format!("its system calls: {}", step.calls.len());
    section(tour, buffer, area, (1, &title), &lines, first);
}

/// A title, and below it lines, from the `first` on.
fn section(
    tour: &Tour,
    buffer: &mut Buffer,
    area: Rect,
    (pane, title): (usize, &str),
    lines: &[Line],
    first: usize,
) {
    let (top, rest) = cut(area, 1);
    buffer.set_string(top.x, top.y, "─".repeat(top.width.into()), FAINT);
    let (text, style) =
        (format!(" {} {title} ", pane + 1), if tour.pane == pane { MARKED } else { STRONG });
    buffer.set_stringn(top.x, top.y, text, top.width.into(), style);
    show(buffer, rest, lines, first);
}

/// The upper rows of an area, and those below.
fn cut(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let below = Rect { y: area.y + height, height: area.height - height, ..area };
    (Rect { height, ..area }, below)
}

fn show(buffer: &mut Buffer, area: Rect, lines: &[Line], first: usize) {
    for (y, line) in (area.top()..area.bottom()).zip(lines.iter().skip(first)) {
        buffer.set_line(area.x, y, line, area.width);
    }
}

/// Cut into pieces of this width, between words where that is possible.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((end, _)) = rest.char_indices().nth(width.max(1)) {
        let gap = rest[..end].rfind([' ', ',', '/']).map_or(end, |gap| gap + 1);
        let (piece, after) = rest.split_at(if gap > end / 3 { gap } else { end });
        pieces.push(piece.to_owned());
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    pieces.push(rest.to_owned());
    pieces
}

fn initial(side: &str) -> char {
    side.chars().next().map_or(' ', |first| first.to_ascii_uppercase())
}

fn of_side(side: &str) -> Style {
    match side {
        "runtime" => PLAIN.fg(Color::Cyan),
        "middle" => PLAIN.fg(Color::Yellow),
        "init" => PLAIN.fg(Color::Green),
        _ => PLAIN,
    }
}
