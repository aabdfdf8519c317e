//! One member of an archive: headers that belong together, read and judged.
//!
//! The tar crate knows the fields of a header block. What headers mean together is decided here,
//! strictly: where two readers of an archive could disagree, one of them could be deceived
//! (CVE-2025-62518, CVE-2026-33055), so that what is ambiguous is refused.

use std::ffi::CString;

use tar::{EntryType, Header};

use super::pax::{self, Record};
use super::sparse::{self, Holes};
use super::stream::{BLOCK, Stream};
use crate::error::{Error, Result, ensure};
use crate::images::Limits;
use crate::sys::entries::{AS_IT_IS, Moment};

/// The longest extended header, or long name, that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// A member, whose content follows in the stream.
#[derive(Debug, Clone)]
pub struct Member {
    /// Where it goes, below the target: no `.`, no `..`, no `/` at either end; empty for the target.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions and set-id bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// Times of last access and last change.
    pub times: (Moment, Moment),
    /// Extended attributes, and what else of the extended header could matter.
    pub records: Vec<Record>,
    /// Bytes of content in the stream.
    pub size: u64,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file, perhaps with holes.
    File(Option<Holes>),
    /// A directory.
    Directory,
    /// A symbolic link, and where it leads.
    Symlink(CString),
    /// A further name of the member of this name.
    Link(Vec<u8>),
    /// A fifo.
    Fifo,
    /// A device: block or character, major, minor.
    Device(bool, u64, u64),
}

/// What stands before a header and belongs to it.
#[derive(Default)]
struct Before {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Option<Vec<Record>>,
}

/// The next member; none at the end of the archive.
pub fn next(stream: &mut Stream, limits: &Limits) -> Result<Option<Member>> {
    let mut before = Before::default();
    loop {
        let block = stream.block()?;
        if block == [0; BLOCK] {
            let alone = before.name.is_some() || before.link.is_some() || before.records.is_some();
            ensure(!alone, || wrong("an extended header is followed by no member"))?;
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block);
        check_sum(header)?;
        match header.entry_type() {
            EntryType::GNULongName => put(&mut before.name, long(stream, header)?)?,
            EntryType::GNULongLink => put(&mut before.link, long(stream, header)?)?,
            EntryType::XHeader => {
                put(&mut before.records, pax::records(&extended(stream, header)?)?)?;
            }
            EntryType::XGlobalHeader => global(&pax::records(&extended(stream, header)?)?)?,
            _ => return Member::new(header, before, stream, limits).map(Some),
        }
    }
}

fn check_sum(header: &Header) -> Result<()> {
    let bytes = header.as_bytes();
    let outside = bytes[..148].iter().chain(&bytes[156..]);
    let sum: u32 = outside.map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
    let problem = "is no tar archive, or damaged: the checksum of a header is wrong";
    ensure(header.cksum().is_ok_and(|said| said == sum), || wrong(problem))
}

/// Two of a kind before one member: which one counts?
fn put<T>(place: &mut Option<T>, value: T) -> Result<()> {
    let problem = "two extended headers of one kind stand before one member";
    ensure(place.is_none(), || wrong(problem))?;
    *place = Some(value);
    Ok(())
}

fn extended(stream: &mut Stream, header: &Header) -> Result<Vec<u8>> {
    let size = header.entry_size().map_err(|_| wrong("a header has an impossible size"))?;
    ensure(size <= LONGEST, || wrong("an extended header is longer than 1 MiB"))?;
    let bytes = stream.bytes(size)?;
    stream.padding(size)?;
    Ok(bytes)
}

/// GNU ends a long name with NUL.
fn long(stream: &mut Stream, header: &Header) -> Result<Vec<u8>> {
    let mut name = extended(stream, header)?;
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

/// What holds for all members may only be a remark: nothing that makes names or sizes.
fn global(records: &[Record]) -> Result<()> {
    let keys = ["path", "linkpath", "size", "uid", "gid", "mtime", "atime"];
    let speaks = |(key, _): &Record| {
        keys.iter().any(|known| key == known.as_bytes())
            || key.starts_with(b"GNU.sparse.")
            || key.starts_with(b"SCHILY.xattr.")
    };
    let problem = "a global header gives all members one name, size, owner, time or attribute";
    ensure(!records.iter().any(speaks), || wrong(problem))
}

impl Member {
    fn new(header: &Header, before: Before, stream: &mut Stream, limits: &Limits) -> Result<Self> {
        let records = before.records.unwrap_or_default();
        let both = |key| pax::last(&records, key).is_some();
        let twice =
            before.name.is_some() && both("path") || before.link.is_some() && both("linkpath");
        ensure(!twice, || wrong("a member has one name of GNU's kind and one of pax's"))?;
        let name = pax::last(&records, "GNU.sparse.name").or(pax::last(&records, "path"));
        let name = name.map(<[u8]>::to_vec).or(before.name);
        let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = pax::last(&records, "linkpath").map(<[u8]>::to_vec).or(before.link);
        let link = link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        Self::of(header, &name, &link.unwrap_or_default(), records, stream, limits)
            .map_err(|error| at(&name, &error))
    }

    fn of(
        header: &Header,
        name: &[u8],
        link: &[u8],
        records: Vec<Record>,
        stream: &mut Stream,
        limits: &Limits,
    ) -> Result<Self> {
        let number = |key, field: std::io::Result<u64>| match pax::last_number(&records, key)? {
            Some(number) => Ok(number),
            None => field.map_err(|_| wrong(format!("its {key} is no number"))),
        };
        let id = |key, field| match u32::try_from(number(key, field)?) {
            // The last number is (uid_t) -1: "leave it as it is".
            Ok(id) if id != u32::MAX => Ok(id),
            _ => Err(wrong(format!("its {key} is more than 4294967294"))),
        };
        let mut size = number("size", header.entry_size())?;
        let changed = pax::last_moment(&records, "mtime")?
            .unwrap_or((header.mtime().unwrap_or(0).cast_signed(), 0));
        let accessed = pax::last_moment(&records, "atime")?.unwrap_or(AS_IT_IS);
        let kind = kind(header, name, link, &records, stream, limits, &mut size)?;
        let is_file = matches!(kind, Kind::File(_));
        let problem = || wrong(format!("is no file, but has {size} bytes of content"));
        ensure(is_file || size == 0, problem)?;
        Ok(Self {
            name: clean(name, limits)?,
            kind,
            mode: header.mode().map_err(|_| wrong("its mode is no number"))? & 0o7777,
            owner: (id("uid", header.uid())?, id("gid", header.gid())?),
            times: (accessed, changed),
            records,
            size,
        })
    }

    /// The directory that it goes into, and its name there; none for the target itself.
    pub fn place(&self) -> Option<(&[u8], &[u8])> {
        split(&self.name)
    }
}

/// The directory of a clean name, and the last name.
pub fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    match name.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => Some((&name[..slash], &name[slash + 1..])),
        None if name.is_empty() => None,
        None => Some((b"", name)),
    }
}

fn kind(
    header: &Header,
    name: &[u8],
    link: &[u8],
    records: &[Record],
    stream: &mut Stream,
    limits: &Limits,
    size: &mut u64,
) -> Result<Kind> {
    let device = |block| -> Result<Kind> {
        let part = |part: std::io::Result<Option<u32>>| {
            part.ok().flatten().map(u64::from).ok_or_else(|| wrong("has no device number"))
        };
        Ok(Kind::Device(block, part(header.device_major())?, part(header.device_minor())?))
    };
    Ok(match header.entry_type() {
        // Before POSIX, a slash at the end was all that told directories.
        EntryType::Regular if name.ends_with(b"/") && header.as_ustar().is_none() => {
            Kind::Directory
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            Kind::File(sparse::holes(header, records, stream, size)?)
        }
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => {
            ensure(link.len() <= limits.name && !link.is_empty(), || wrong("leads nowhere"))?;
            Kind::Symlink(CString::new(link)?)
        }
        EntryType::Link => Kind::Link(clean(link, limits)?),
        EntryType::Fifo => Kind::Fifo,
        EntryType::Char => device(false)?,
        EntryType::Block => device(true)?,
        other => {
            let letter = char::from(other.as_byte()).escape_default().to_string();
            return Err(wrong(format!("is of type {letter:?}, which jec does not know")));
        }
    })
}

/// A name without what does not change it. It may begin with `/`: its root is the target. `..`
/// would be safe, since the kernel holds it in the target, but no honest archive has it.
fn clean(name: &[u8], limits: &Limits) -> Result<Vec<u8>> {
    let parts = name.split(|byte| *byte == b'/').filter(|part| !matches!(*part, [] | [b'.']));
    let parts: Vec<_> = parts.collect();
    ensure(!name.contains(&0), || wrong("its name, or that of its link, contains a NUL byte"))?;
    ensure(!parts.contains(&&b".."[..]), || {
        wrong("a name contains `..`, to lead out of the archive")
    })?;
    let deep = || wrong(format!("is nested more than {} directories deep", limits.depth));
    ensure(parts.len() <= limits.depth, deep)?;
    let name = parts.join(&b'/');
    let long = || wrong(format!("a name is longer than {} bytes", limits.name));
    ensure(name.len() <= limits.name, long)?;
    Ok(name)
}

/// What is wrong with the archive as a whole, until [`at`] says where.
pub fn wrong(problem: impl Into<String>) -> Error {
    Error::config("archive", problem)
}

/// The same error, and the member it is about.
pub fn at(name: &[u8], error: &Error) -> Error {
    let name = if name.is_empty() { "./".into() } else { shown(name) };
    match error {
        Error::Config { property, problem } if property == "archive" => {
            Error::config(name, problem)
        }
        Error::Config { .. } | Error::Call { .. } => {
            Error::config(name, super::advice::explained(error))
        }
        other => other.clone(),
    }
}

/// A name as it can be printed: without what a terminal would obey, and not without end.
pub fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(&name[..name.len().min(200)]);
    let text: String = text
        .chars()
        .flat_map(|c| {
            let harmless = !c.is_control();
            harmless
                .then_some(c)
                .into_iter()
                .chain((!harmless).then(|| c.escape_default()).into_iter().flatten())
        })
        .collect();
    if name.len() > 200 { text + "…" } else { text }
}
