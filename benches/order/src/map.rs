//! The map of the linker: what lies where, and what a linker script calls it.

use std::fs::read_to_string;
use std::io::Result;

/// A piece of code that the linker may lay anywhere.
pub struct Function {
    begin: u64,
    end: u64,
    pattern: String,
}

/// Sorted by address. The lines of a map are: VMA, LMA, size, alignment, what. That of a piece is
/// `FILE:(.text.NAME)`; those of what is in it, symbols, have no section.
pub fn read(path: &str) -> Result<Vec<Function>> {
    let text = read_to_string(path)?;
    let mut functions: Vec<_> = text.lines().filter_map(function).collect();
    functions.sort_by_key(|function| function.begin);
    Ok(functions)
}

fn function(line: &str) -> Option<Function> {
    let mut words = line.split_whitespace();
    let begin = u64::from_str_radix(words.next()?, 16).ok()?;
    let size = u64::from_str_radix(words.nth(1)?, 16).ok()?;
    let (file, section) = words.nth(1)?.strip_suffix(')')?.rsplit_once(":(")?;
    let is_code = section.starts_with(".text");
    let pattern = pattern(file, section).filter(|_| is_code && size > 0)?;
    Some(Function { begin, end: begin + size, pattern })
}

/// A function of Rust has a section by its own name, wherever the compiler puts it; one of the C
/// library is in the `.text` of its member of the archive.
fn pattern(file: &str, section: &str) -> Option<String> {
    if let Some(at) = section.find("_R") {
        return Some(format!("*({}{})", &section[..at], nameless(&section[at..])));
    }
    let (archive, member) = file.strip_suffix(')')?.rsplit_once('(')?;
    let archive = archive.rsplit('/').next()?;
    Some(format!("*{archive}:{member}({section})")).filter(|_| archive.starts_with("lib"))
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
pub fn find(functions: &[Function], address: u64) -> Option<String> {
    let after = functions.partition_point(|function| function.begin <= address);
    let function = functions[..after].last()?;
    (address < function.end).then(|| function.pattern.clone())
}
