//! A property of the configuration: the checks that many share, and how a wrong one is named.
//!
//! A function reads one object and names only what is wrong inside it (`size`). Whoever called
//! it puts its own name in front with [`inside`], so that in the end the message has the whole
//! path in config.json (`linux.uidMappings[1].size`). An empty name is the value itself.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, OsStr};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{Error, Result};

/// Refuses a property, unless what it has to fulfil holds.
pub(super) fn ensure(holds: bool, name: &str, problem: impl Into<String>) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::config(name, problem)) }
}

/// Puts `parent` in front of the property that an error names.
pub(super) fn inside(parent: &str) -> impl Fn(Error) -> Error {
    move |error| match error {
        Error::Config { property, problem } => {
            let dot = if property.is_empty() || property.starts_with('[') { "" } else { "." };
            Error::config(format!("{parent}{dot}{property}"), problem)
        }
        other => other,
    }
}

/// Reads the elements of a list, which may be absent: a reference to an `Option<Vec>` will do.
pub(super) fn each<'a, T: 'a, U>(
    name: &str,
    list: impl IntoIterator<Item = &'a Vec<T>>,
    mut read: impl FnMut(&'a T) -> Result<U>,
) -> Result<Vec<U>> {
    let items = list.into_iter().flatten().enumerate();
    items
        .map(|(at, item)| read(item).map_err(|error| inside(&format!("{name}[{at}]"))(error)))
        .collect()
}

/// The entries of a map, which may be absent, by their keys: a hash map has no order of its own,
/// and the same configuration should give the same plan twice.
pub(super) fn each_entry<'a, V: 'a, U>(
    name: &str,
    map: impl IntoIterator<Item = &'a HashMap<String, V>>,
    mut read: impl FnMut(&'a str, &'a V) -> Result<U>,
) -> Result<Vec<U>> {
    let entries: BTreeMap<_, _> = map.into_iter().flatten().collect();
    let entries = entries.into_iter();
    entries
        .map(|(key, value)| {
            read(key, value).map_err(|error| inside(&format!("{name}[{key:?}]"))(error))
        })
        .collect()
}

/// A number within `range`, in the type that the kernel has for it.
pub(super) fn within<T: TryFrom<i128>>(
    name: &str,
    value: impl Into<i128>,
    range: RangeInclusive<i128>,
) -> Result<T> {
    let value = value.into();
    T::try_from(value).ok().filter(|_| range.contains(&value)).ok_or_else(|| {
        Error::config(name, format!("{value} is not {} to {}", range.start(), range.end()))
    })
}

/// Text as the kernel takes it: ended by a NUL byte, which JSON can hold (`\u0000`) and a C
/// string cannot. What stood after it would be lost in silence.
pub(super) fn c_string(text: impl AsRef<OsStr>) -> Result<CString> {
    CString::new(text.as_ref().as_bytes())
        .map_err(|error| Error::config("", format!("has a NUL byte at {}", error.nul_position())))
}

/// A path that starts with a slash.
pub(super) fn absolute(path: impl AsRef<Path>) -> Result<CString> {
    let path = path.as_ref();
    let problem = format!("{:?} is not an absolute path", path.display().to_string());
    ensure(path.is_absolute(), "", problem)?;
    c_string(path)
}
