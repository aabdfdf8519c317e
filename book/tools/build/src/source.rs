//! Pieces of source files, found by name.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Lines of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The file, from the root of the repository.
    pub path: String,
    /// The first line, from 1.
    pub first: usize,
    /// The last line.
    pub last: usize,
    /// The lines, as far to the left as they go together.
    pub text: String,
}

/// The piece that a selector names:
///
/// - nothing: the whole file;
/// - `doc`: the comment that the file begins with; `use`: what it imports;
/// - `line TEXT`: the one line that has TEXT in it;
/// - `test NAME`, `fn NAME`, `struct NAME`, `impl NAME`, `const NAME` and so on,
///   or `NAME()` of a shell script: the item with its comment and attributes.
pub fn piece(repository: &Path, path: &str, selector: &str) -> Result<Piece> {
    let text = fs::read_to_string(repository.join(path)).with_context(|| path.to_owned())?;
    let lines: Vec<&str> = text.lines().collect();
    let (first, last) = find(&lines, path, selector)
        .with_context(|| format!("{path} has no {selector:?}, or more than one"))?;
    let text = dedent(&lines[first..=last]);
    if text.trim().is_empty() {
        bail!("{path} {selector}: it is empty");
    }
    Ok(Piece { path: path.to_owned(), first: first + 1, last: last + 1, text })
}

/// First and last line, from 0.
fn find(lines: &[&str], path: &str, selector: &str) -> Option<(usize, usize)> {
    match selector.split_once(' ').unwrap_or((selector, "")) {
        ("", _) => Some((0, lines.iter().rposition(|line| !line.is_empty())?)),
        ("doc", _) => {
            let count = lines.iter().take_while(|line| line.starts_with("//!")).count();
            Some((0, count.checked_sub(1)?))
        }
        ("use", _) => {
            let first = lines.iter().position(|line| line.starts_with("use "))?;
            let last = lines.iter().rposition(|line| line.starts_with("use "))?;
            let end = lines[last..].iter().position(|line| line.ends_with(';'))?;
            Some((first, last + end))
        }
        ("line", text) => {
            let at = only(lines, |line| line.contains(text))?;
            Some((at, at))
        }
        ("test", name) => item(lines, path, &format!("fn {name}")),
        _ => item(lines, path, selector),
    }
}

fn only(lines: &[&str], wanted: impl Fn(&str) -> bool) -> Option<usize> {
    let mut found = lines.iter().enumerate().filter(|(_, line)| wanted(line));
    let (at, _) = found.next()?;
    found.next().is_none().then_some(at)
}

fn item(lines: &[&str], path: &str, wanted: &str) -> Option<(usize, usize)> {
    let named = |line: &str| {
        let rest = without_visibility(line.trim_start()).strip_prefix(wanted);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let at = only(lines, named)?;
    let is_rust = Path::new(path).extension().is_some_and(|end| end == "rs");
    let length = if is_rust { rust_length(&lines[at..])? } else { shell_length(&lines[at..])? };
    let comment: &[&str] = if is_rust { &["///", "//", "#["] } else { &["#"] };
    let belongs = |line: &&&str| {
        let line = line.trim_start();
        comment.iter().any(|mark| line.starts_with(mark)) && !line.starts_with("//!")
    };
    let above = lines[..at].iter().rev().take_while(belongs).count();
    Some((at - above, at + length - 1))
}

fn without_visibility(line: &str) -> &str {
    let line = match line.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ").map_or(line, |(_, rest)| rest),
        None => line.strip_prefix("pub ").unwrap_or(line),
    };
    line.strip_prefix("const ").filter(|rest| rest.starts_with("fn ")).unwrap_or(line)
}

/// Down to the line where all brackets are closed. Good for what rustfmt has formatted.
fn rust_length(lines: &[&str]) -> Option<usize> {
    let mut depth = 0;
    let end = lines.iter().position(|line| {
        let code = without_comment_and_strings(line);
        let count = |marks: [char; 3]| code.matches(marks).count();
        depth += count(['(', '[', '{']);
        depth = depth.saturating_sub(count([')', ']', '}']));
        depth == 0 && code.trim_end().ends_with(['}', ';'])
    })?;
    Some(end + 1)
}

fn shell_length(lines: &[&str]) -> Option<usize> {
    lines.iter().position(|line| *line == "}").map(|end| end + 1)
}

fn without_comment_and_strings(line: &str) -> String {
    let (mut out, mut characters, mut quoted) = (String::new(), line.chars().peekable(), false);
    while let Some(character) = characters.next() {
        match character {
            '\\' if quoted => drop(characters.next()),
            '"' => quoted = !quoted,
            '/' if !quoted && characters.peek() == Some(&'/') => break,
            // A character literal; what has no second quote behind it is a lifetime.
            '\'' if !quoted => {
                let mut ahead = characters.clone();
                let first = ahead.next();
                if first == Some('\\') {
                    ahead.next();
                    ahead.find(|character| *character == '\'');
                    characters = ahead;
                } else if ahead.next() == Some('\'') {
                    characters = ahead;
                }
            }
            _ if !quoted => out.push(character),
            _ => {}
        }
    }
    out
}

fn dedent(lines: &[&str]) -> String {
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let common = lines.iter().filter(|line| !line.is_empty()).map(indent).min().unwrap_or(0);
    lines.iter().map(|line| format!("{}\n", line.get(common..).unwrap_or(""))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
//! What it is.
//! More.

use std::fs;
use std::{
    io,
};

/// A number.
const N: &str =
    \"}\";

/// Runs.
#[must_use]
pub(crate) fn run(
    a: u8, // {
) -> u8 {
    if a == b'{' { one::<'static>(b'/') } else { two('\\\\', '\"', '\\u{1e}') }
}

impl X {
    /// Inside.
    pub const fn runs(&self) -> u8 {
        3
    }
}
";

    fn found(selector: &str) -> Option<(usize, usize)> {
        let lines: Vec<_> = FILE.lines().collect();
        find(&lines, "x.rs", selector).map(|(first, last)| (first + 1, last + 1))
    }

    #[test]
    fn pieces_are_found_by_name_with_their_comments() {
        for (selector, lines) in [
            ("", Some((1, 26))),
            ("doc", Some((1, 2))),
            ("use", Some((4, 7))),
            ("const N", Some((9, 11))),
            ("fn run", Some((13, 19))),
            ("fn runs", Some((22, 25))),
            ("impl X", Some((21, 26))),
            ("line a == b", Some((18, 18))),
            ("fn ru", None),
            ("line fn run", None),
            ("test nothing", None),
        ] {
            assert_eq!(found(selector), lines, "{selector}");
        }
    }

    #[test]
    fn a_shell_function_ends_with_its_brace() {
        let lines: Vec<_> =
            "#!/bin/sh\n\n# Says it.\nsay() {\n    echo \"it's {\"\n}\nsay\n".lines().collect();
        assert_eq!(find(&lines, "x", "say()"), Some((2, 5)));
    }

    #[test]
    fn a_method_moves_to_the_left() {
        assert_eq!(dedent(&["    a", "", "      b"]), "a\n\n  b\n");
    }
}
