//! A property of config.json: what stands there, and its path, for messages.
//!
//! The crate `oci_spec` gives the vocabulary (its enums) but not the reading: it takes a missing
//! number for 0, and a map without `hostID` would map the container to the host's root. Here
//! nothing has a default that is not written where it is read, and whatever is wrong is named by
//! its whole path (`linux.uidMappings[1].size`).

use std::ffi::{CString, OsStr};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};

/// A value of the document; null where there is none, which is the same. Its path is put together
/// only for a message: some three hundred are read at each start.
pub struct Property<'d> {
    above: Option<&'d Property<'d>>,
    step: Step<'d>,
    value: &'d Value,
}

/// The way from the property above: names with dots between them, and what comes behind those.
#[derive(Clone, Copy)]
enum Step<'d> {
    Name(&'d str),
    Item(&'d str, usize),
    Entry(&'d str, &'d str),
}

impl<'d> Property<'d> {
    /// `value`, which stands at `path`; the whole document has no path.
    pub(super) fn new(path: &'d str, value: &'d Value) -> Self {
        Self { above: None, step: Step::Name(path), value }
    }

    /// Where it stands.
    pub(super) fn path(&self) -> String {
        let step = match self.step {
            Step::Name(names) => names.into(),
            Step::Item(list, at) => format!("{list}[{at}]"),
            Step::Entry(map, key) => format!("{map}.{key}"),
        };
        match self.above.map(Property::path) {
            Some(above) if step.is_empty() => above,
            Some(above) if !above.is_empty() => format!("{above}.{step}"),
            _ => step,
        }
    }

    fn below<'p>(&'p self, step: Step<'p>, value: &'p Value) -> Property<'p> {
        Property { above: Some(self), step, value }
    }

    /// A property below this object: names with dots between them.
    pub(super) fn at<'p>(&'p self, path: &'p str) -> Result<Property<'p>> {
        let (mut value, mut seen) = (self.value, 0);
        for name in path.split('.') {
            value = match value {
                Value::Null => value,
                Value::Object(object) => object.get(name).unwrap_or(&Value::Null),
                _ => {
                    let so_far = path[..seen].trim_end_matches('.');
                    return Err(self.below(Step::Name(so_far), value).wrong("is not an object"));
                }
            };
            seen += name.len() + 1;
        }
        Ok(self.below(Step::Name(path), value))
    }

    /// The value itself, as serde reads it.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        self.ensure(!self.value.is_null(), "is missing")?;
        T::deserialize(self.value).map_err(|error| self.wrong(error.to_string()))
    }

    /// What `read` makes of a property that may be absent.
    pub(super) fn optional<'p, T>(
        &'p self,
        path: &'p str,
        read: impl FnOnce(&Property<'p>) -> Result<T>,
    ) -> Result<Option<T>> {
        let found = self.at(path)?;
        if found.value.is_null() { Ok(None) } else { read(&found).map(Some) }
    }

    /// A value that may be absent.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        self.optional(path, Property::read)
    }

    /// What `read` makes of the elements of a list; an absent one is empty.
    pub(super) fn each<'p, T>(
        &'p self,
        path: &'p str,
        mut read: impl FnMut(&Property<'p>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let list = self.at(path)?;
        let items = match list.value {
            Value::Null => [].iter(),
            Value::Array(items) => items.iter(),
            _ => return Err(list.wrong("is not a list")),
        };
        items.enumerate().map(|(at, item)| read(&self.below(Step::Item(path, at), item))).collect()
    }

    /// What `read` makes of the entries of a map, in the order of their keys.
    pub(super) fn each_entry<'p, T>(
        &'p self,
        path: &'p str,
        mut read: impl FnMut(&'p str, &Property<'p>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let map = self.at(path)?;
        let Some(entries) = map.value.as_object() else {
            map.ensure(map.value.is_null(), "is not an object")?;
            return Ok(Vec::new());
        };
        let entry =
            |(key, value): (&'p String, _)| read(key, &self.below(Step::Entry(path, key), value));
        entries.iter().map(entry).collect()
    }

    /// A number within `range`, in the type that the kernel has for it.
    pub(super) fn within<T: TryFrom<i128>>(&self, range: RangeInclusive<i128>) -> Result<T> {
        let value: i128 = self.read()?;
        let fits = T::try_from(value).ok().filter(|_| range.contains(&value));
        let problem = || format!("{value} is not {} to {}", range.start(), range.end());
        fits.ok_or_else(|| self.wrong(problem()))
    }

    /// The place of the name in `words`, which is the kernel's number for it.
    pub(super) fn position(&self, words: &str) -> Result<u32> {
        let name: String = self.read()?;
        let found = (0..).zip(words.split(' ')).find(|(_, word)| *word == name);
        found.map(|(at, _)| at).ok_or_else(|| self.wrong(format!("there is no {name}")))
    }

    /// A list of such names, as a bit each.
    pub(super) fn bits(&self, path: &str, words: &str) -> Result<u32> {
        let places = self.each(path, |name| name.position(words))?;
        Ok(places.into_iter().fold(0, |bits, at| bits | 1 << at))
    }

    /// Text as the kernel takes it: ended by a NUL byte, which JSON can hold (`\u0000`) and a C
    /// string cannot. What stood after it would be lost in silence.
    pub(super) fn c_string(&self) -> Result<CString> {
        self.to_c_string(self.read::<String>()?)
    }

    /// The same with what was made of the text.
    pub(super) fn to_c_string(&self, text: impl AsRef<OsStr>) -> Result<CString> {
        CString::new(text.as_ref().as_bytes())
            .map_err(|error| self.wrong(format!("has a NUL byte at {}", error.nul_position())))
    }

    /// A path that starts with a slash.
    pub(super) fn absolute(&self) -> Result<CString> {
        let path: String = self.read()?;
        self.ensure(path.starts_with('/'), format_args!("{path:?} is not an absolute path"))?;
        self.to_c_string(path)
    }

    /// Refuses the property, unless what it has to fulfil holds.
    pub(super) fn ensure(&self, holds: bool, problem: impl Display) -> Result<()> {
        if holds { Ok(()) } else { Err(self.wrong(problem)) }
    }

    /// Refuses properties below this one, each unless it has a value (as JSON) that is harmless.
    pub(super) fn refuse(&self, harmless: &[(&str, &str)], problem: &str) -> Result<()> {
        harmless.iter().try_for_each(|(path, harmless)| {
            let found = self.at(path)?;
            let is_harmless = found.value.is_null() || format!("{}", found.value) == *harmless;
            found.ensure(is_harmless, problem)
        })
    }

    /// The error that names this property.
    pub(super) fn wrong(&self, problem: impl Display) -> Error {
        let path = self.path();
        let shown = if path.is_empty() { "config.json" } else { &path };
        Error::config(shown, problem.to_string())
    }

    /// A warning that names this property.
    pub(super) fn warning(&self, text: impl Display) -> String {
        format!("{}: {text}", self.path())
    }
}
