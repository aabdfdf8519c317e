//! The map of the linker: what lies where, and what a linker script calls it.

use std::fs::read_to_string;
use std::io::Result;

/// A piece of code, or of constants, that the linker may lay anywhere.
pub struct Piece {
    begin: u64,
    end: u64,
    /// What a linker script calls it.
    pub pattern: String,
    /// Constants.
    pub is_data: bool,
}

/// Sorted by address. The lines of a map are: VMA, LMA, size, alignment, what. That of a piece is
/// `FILE:(.text.NAME)`; those of what is in it, symbols, have no section.
pub fn read(path: &str) -> Result<Vec<Piece>> {
    let text = read_to_string(path)?;
    let mut pieces: Vec<_> = text.lines().filter_map(piece).collect();
    pieces.sort_by_key(|piece| piece.begin);
    Ok(pieces)
}

fn piece(line: &str) -> Option<Piece> {
    let mut words = line.split_whitespace();
    let begin = u64::from_str_radix(words.next()?, 16).ok()?;
    let size = u64::from_str_radix(words.nth(1)?, 16).ok()?;
    let (file, section) = words.nth(1)?.strip_suffix(')')?.rsplit_once(":(")?;
    let is_data = section.starts_with(".rodata");
    let is_code = [".text", ".init", ".fini", ".iplt"].iter().any(|name| is_of(section, name));
    let pattern = pattern(file, section).filter(|_| (is_code || is_data) && size > 0)?;
    Some(Piece { begin, end: begin + size, pattern, is_data })
}

/// `.text.main` is of `.text`, but `.init_array` is not of `.init`.
fn is_of(section: &str, name: &str) -> bool {
    section.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A function of Rust has a section by its own name, wherever the compiler puts it, and so have its
/// tables; one of the C library is in the `.text` of its member of the archive. Texts of Rust have
/// no names that would last (`Lanon`): they stay where they are.
fn pattern(file: &str, section: &str) -> Option<String> {
    if let Some(at) = section.find("_R") {
        return Some(format!("*({}{})", &section[..at], nameless(&section[at..])));
    }
    let name = file.rsplit('/').next()?;
    match name.strip_suffix(')').and_then(|name| name.rsplit_once('(')) {
        Some((archive, member)) => Some(format!("*{archive}:{member}({section})")),
        None if name.starts_with("crt") && section == ".text" => Some(format!("*{name}(.text)")),
        None if section.contains("Lanon") || [".text", ".rodata"].contains(&section) => None,
        None => Some(format!("*({section})")),
    }
}

/// Without what belongs to one compilation: the numbers of crates (`Cs…_`), what refers back over them
/// (`B…_`), and what the compiler has put behind a dot.
/// Source: the Rust reference, symbol mangling v0.
fn nameless(name: &str) -> String {
    let (name, dot) = name.split_once('.').map_or((name, ""), |(name, _)| (name, "*"));
    replaced(&replaced(name, "Cs", 20), "B", 3) + dot
}

/// Each `PREFIX`, at most so many letters or digits, `_` becomes `PREFIX*_`.
fn replaced(name: &str, prefix: &str, most: usize) -> String {
    let mut parts = name.split(prefix);
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        result += prefix;
        match part.split_once('_') {
            Some((number, rest)) if is_number(number, most) => {
                result += "*_";
                result += rest;
            }
            _ => result += part,
        }
    }
    result
}

fn is_number(text: &str, most: usize) -> bool {
    text.len() <= most && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The piece that an address is in.
pub fn find(pieces: &[Piece], address: u64) -> Option<&Piece> {
    let after = pieces.partition_point(|piece| piece.begin <= address);
    pieces[..after].last().filter(|piece| address < piece.end)
}
