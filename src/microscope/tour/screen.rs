//! The terminal: whole pages out, keys in; and whatever ends the tour, it is as it was before.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stdin, stdout};
use std::os::fd::AsFd;

use nix::sys::signalfd::SignalFd;
use nix::sys::termios::Termios;
use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier};

use crate::error::{Error, Result, ensure};
use crate::sys::{file, signal, terminal};

/// The alternate screen without a cursor, and back (console_codes(4), and xterm's own).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// What follows ESC [ or ESC O, and the key that it is.
const KEYS: &str = "A↑ B↓ C→ D← 5~⇞ 6~⇟ Hg FG 1~g 4~G Z⇤";

/// The user's terminal.
pub struct Screen {
    /// Signals, read as messages: none ends jec before the terminal is restored.
    pub signals: SignalFd,
    modes: Termios,
    has_colour: bool,
    shown: Buffer,
    /// Pages are shown.
    pub is_on: bool,
}

impl Screen {
    /// Looks at the terminal; refuses what is none.
    pub fn new() -> Result<Self> {
        let term = std::env::var("TERM").unwrap_or_default();
        let can = stdin().is_terminal() && stdout().is_terminal();
        let problem = "needs a terminal (and TERM other than dumb); `jec run --explain` needs none";
        let can = can && !term.is_empty() && term != "dumb";
        ensure(can, || Error::config("jec tour", problem))?;
        let (signals, modes) = (signal::as_messages()?, terminal::modes(stdin().as_fd())?);
        // NO_COLOR: https://no-color.org
        let has_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Self { signals, modes, has_colour, shown: Buffer::default(), is_on: false })
    }

    /// From now on it shows pages.
    pub fn enter(&mut self) -> Result<()> {
        terminal::make_raw(stdin().as_fd(), &self.modes)?;
        if !std::mem::replace(&mut self.is_on, true) {
            self.shown = Buffer::default();
            say(ENTER)?;
        }
        Ok(())
    }

    /// The modes are those of before.
    pub fn cooked(&self) -> Result<()> {
        terminal::set_modes(stdin().as_fd(), &self.modes)
    }

    /// It shows again what it showed before.
    pub fn leave(&mut self) -> Result<()> {
        if std::mem::take(&mut self.is_on) {
            say(LEAVE)?;
            self.cooked()?;
        }
        Ok(())
    }

    /// Shows the page that is made for this size; all of it, where it has another size now.
    pub fn draw(&mut self, page: impl FnOnce(Rect) -> Buffer) -> Result<()> {
        // A terminal that nobody has told its size has none.
        let size = terminal::size(stdout().as_fd())?;
        let (rows, columns) = if size == (0, 0) { (24, 80) } else { size };
        let next = page(Rect::new(0, 0, columns, rows));
        let mut out = String::from("\x1b[?25l");
        if self.shown.area != next.area {
            self.shown = Buffer::empty(next.area);
            out.push_str("\x1b[0m\x1b[2J");
        }
        for (x, y, cell) in self.shown.diff(&next) {
            self.cell(&mut out, x, y, cell);
        }
        self.shown = next;
        say(&out)
    }

    /// The only way to the terminal for what a trace says: no control character passes.
    fn cell(&self, out: &mut String, x: u16, y: u16, cell: &Cell) {
        let (row, column) = (y + 1, x + 1);
        write!(out, "\x1b[{row};{column}H\x1b[0").unwrap_or_default();
        for (modifier, code) in
            [(Modifier::BOLD, ";1"), (Modifier::DIM, ";2"), (Modifier::REVERSED, ";7")]
        {
            out.push_str(if cell.modifier.contains(modifier) { code } else { "" });
        }
        out.push_str(match cell.fg {
            _ if !self.has_colour => "",
            Color::Green => ";32",
            Color::Yellow => ";33",
            Color::Cyan => ";36",
            _ => "",
        });
        let is_odd = |c: char| c.is_control() || ('\u{2028}'..='\u{206f}').contains(&c);
        let symbol = cell.symbol();
        write!(out, "m{}", if symbol.contains(is_odd) { "?" } else { symbol }).unwrap_or_default();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

fn say(text: &str) -> Result<()> {
    let mut out = stdout();
    let said = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    said.map_err(|error| Error::config("the terminal", error.to_string()))
}

/// The keys that were typed; none at the end of input.
pub fn keys() -> Result<Vec<char>> {
    let mut buffer = [0; 256];
    let count = file::read(stdin().as_fd(), &mut buffer)?;
    Ok(decoded(&String::from_utf8_lossy(&buffer[..count])))
}

/// Arrows and their like become a character each; what is no known key is left out.
fn decoded(mut text: &str) -> Vec<char> {
    let mut keys = Vec::new();
    while let Some(first) = text.chars().next() {
        let sequence = text.strip_prefix("\x1b[").or_else(|| text.strip_prefix("\x1bO"));
        if let Some(rest) = sequence {
            let end = rest.find(|c: char| c.is_ascii_alphabetic() || c == '~');
            let (name, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            let known = |key: &str| {
                let symbol = key.chars().last()?;
                (key.strip_suffix(symbol)? == name).then_some(symbol)
            };
            keys.extend(KEYS.split(' ').find_map(known));
            text = after;
        } else {
            keys.push(first);
            text = &text[first.len_utf8()..];
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_of_several_bytes_are_one_key() {
        for (text, keys) in [
            ("n\x1b[C\x1bOD", "n→←"),
            ("\x1b[5~\x1b[6~\x1b[1;5C/é\r", "⇞⇟/é\r"),
            ("\x1b", "\x1b"),
            ("\x1b[", ""),
            ("\x1b[Z\t", "⇤\t"),
        ] {
            assert_eq!(super::decoded(text).into_iter().collect::<String>(), keys, "{text:?}");
        }
    }
}
