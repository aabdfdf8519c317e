//! Files with holes: which parts of them an archive has.
//!
//! GNU tar has four ways to say it. Old archives have the map in the header and in blocks behind
//! it; those of pax in records (0.0 and 0.1), or before the content (1.0).

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::member::wrong;
use super::pax::{self, Record};
use super::stream::{BLOCK, Stream};
use crate::error::{Error, Result, ensure};

/// How many parts a file may have: 16 bytes of memory each.
const MOST: usize = 500_000;

/// What a file has where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holes {
    /// Its length.
    pub length: u64,
    /// Where the parts lie that the archive has, and how long they are.
    pub parts: Vec<(u64, u64)>,
}

/// The map of a sparse file, none for others. What of it is in the stream is read, and taken off `size`.
pub fn holes(
    header: &Header,
    records: &[Record],
    stream: &mut Stream,
    size: &mut u64,
) -> Result<Option<Holes>> {
    let length = |key| {
        pax::last_number(records, key)?.ok_or_else(|| wrong("a sparse file without a length"))
    };
    let holes = if header.entry_type().is_gnu_sparse() {
        old(header, stream)?
    } else if let Some(major) = pax::last(records, "GNU.sparse.major") {
        let minor = pax::last(records, "GNU.sparse.minor").unwrap_or(b"0");
        let problem = "a sparse file of a version that jec does not know";
        ensure((major, minor) == (b"1", b"0"), || wrong(problem))?;
        Holes { length: length("GNU.sparse.realsize")?, parts: before_content(stream, size)? }
    } else if let Some(map) = pax::last(records, "GNU.sparse.map") {
        let numbers = map.split(|byte| *byte == b',').map(pax::number);
        Holes { length: length("GNU.sparse.size")?, parts: pairs(numbers)? }
    } else if pax::last(records, "GNU.sparse.size").is_some() {
        let is_part = |(key, _): &&Record| {
            [&b"GNU.sparse.offset"[..], b"GNU.sparse.numbytes"].contains(&&**key)
        };
        let numbers = records.iter().filter(is_part).map(|(_, value)| pax::number(value));
        Holes { length: length("GNU.sparse.size")?, parts: pairs(numbers)? }
    } else {
        return Ok(None);
    };
    check(&holes, *size)
        .ok_or_else(|| wrong("the map of a sparse file does not fit its content"))?;
    Ok(Some(holes))
}

/// Parts in their order, none outside of the file, and as long together as the content.
fn check(holes: &Holes, size: u64) -> Option<()> {
    let (mut end, mut sum) = (0, 0_u64);
    for (offset, length) in &holes.parts {
        (*offset >= end).then_some(())?;
        end = offset.checked_add(*length)?;
        sum = sum.checked_add(*length)?;
    }
    (end <= holes.length && sum == size).then_some(())
}

fn old(header: &Header, stream: &mut Stream) -> Result<Holes> {
    let gnu = header.as_gnu().ok_or_else(|| wrong("a sparse file without GNU's header"))?;
    let mut parts = Vec::new();
    add(&mut parts, &gnu.sparse)?;
    let mut goes_on = gnu.is_extended();
    while goes_on {
        let mut more = GnuExtSparseHeader::new();
        more.as_mut_bytes().copy_from_slice(&stream.block()?);
        add(&mut parts, more.sparse())?;
        goes_on = more.is_extended();
    }
    Ok(Holes { length: field(gnu.real_size())?, parts })
}

fn add(parts: &mut Vec<(u64, u64)>, blocks: &[GnuSparseHeader]) -> Result<()> {
    for block in blocks.iter().filter(|block| !block.is_empty()) {
        parts.push((field(block.offset())?, field(block.length())?));
    }
    ensure(parts.len() <= MOST, too_many)
}

fn field(field: std::io::Result<u64>) -> Result<u64> {
    field.map_err(|_| wrong("the map of a sparse file has no numbers"))
}

/// Lines of decimal numbers, padded to whole blocks: how many parts, then the parts.
fn before_content(stream: &mut Stream, size: &mut u64) -> Result<Vec<(u64, u64)>> {
    let mut text = Vec::new();
    let mut numbers = Vec::new();
    let mut wanted = 1;
    while numbers.len() < wanted {
        let short = || wrong("the map of a sparse file is longer than its content");
        *size = size.checked_sub(BLOCK as u64).ok_or_else(short)?;
        text.extend_from_slice(&stream.block()?);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            if numbers.len() == wanted {
                break;
            }
            let number = pax::number(&text[..end]);
            numbers.push(number);
            text.drain(..=end);
            if let ([Some(count)], 1) = (&numbers[..], wanted) {
                wanted +=
                    usize::try_from(*count).map_or(MOST * 2 + 2, |count| count.saturating_mul(2));
                ensure(wanted <= MOST * 2 + 1, too_many)?;
            }
        }
        // The longest number has twenty digits.
        ensure(text.len() < BLOCK, || wrong("the map of a sparse file has no numbers"))?;
    }
    pairs(numbers.into_iter().skip(1))
}

fn pairs(numbers: impl Iterator<Item = Option<u64>>) -> Result<Vec<(u64, u64)>> {
    let numbers: Option<Vec<u64>> = numbers.take(MOST * 2 + 2).collect();
    let numbers = numbers.ok_or_else(|| wrong("a sparse map has no numbers"))?;
    ensure(numbers.len() <= MOST * 2, too_many)?;
    ensure(numbers.len() % 2 == 0, || wrong("the map of a sparse file ends in the middle"))?;
    Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

fn too_many() -> Error {
    wrong("a sparse file has more than 500000 parts")
}
