//! The options of one mount, word by word.

use std::ffi::CString;

use oci_spec::runtime::Mount as Given;

use super::mount_words::{Effect, Reach, find};
use super::{Attributes, strings};
use crate::error::{Error, Result};
use crate::sys::constants::{MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME};

/// The longest key and value that fsconfig(2) takes: fs/fsopen.c copies 256 bytes, NUL included.
pub(super) const PARAMETER_LIMIT: usize = 255;

/// The words of one entry, taken together.
#[derive(Default)]
pub(super) struct Options {
    pub(super) attributes: Attributes,
    pub(super) propagation: Vec<u64>,
    /// `rbind` or `bind`, the last one said.
    pub(super) bind: Option<bool>,
    pub(super) remount: bool,
    pub(super) copy_up: bool,
    pub(super) nofollow_source: bool,
    /// `ridmap` or `idmap`.
    pub(super) idmap: Option<bool>,
    /// What goes to fsconfig(2), with the superblock's flags.
    pub(super) parameters: Vec<(CString, Option<CString>)>,
    /// The first word that only a new file system understands.
    pub(super) parameter: Option<String>,
    /// Words that ask for something only mount(2) or the superblock can do.
    pub(super) unheard: Vec<String>,
}

impl Options {
    /// Reads the words of one entry, in order. An empty one says nothing, as for mount(2).
    pub(super) fn read(property: &str, given: &Given) -> Result<Self> {
        let mut options = Self::default();
        let words = given.options().iter().flatten();
        for word in words.filter(|word| !word.is_empty()) {
            match find(word) {
                Some(effect) => options.apply(effect, word, property)?,
                None => options.parameter(property, word)?,
            }
        }
        Ok(options)
    }

    fn apply(&mut self, effect: Effect, word: &str, property: &str) -> Result<()> {
        match effect {
            Effect::Nothing => {}
            Effect::Bind { recursive } => self.bind = Some(recursive),
            Effect::Remount => self.remount = true,
            Effect::Set(reach, bits) => self.attributes.put(reach, bits, 0),
            Effect::Clear(reach, bits) => self.attributes.put(reach, 0, bits),
            Effect::Atime(reach, value) => self.attributes.choose_atime(reach, value),
            Effect::AtimeDefault(reach, value) => self.attributes.drop_atime(reach, value),
            Effect::Superblock => {
                self.unheard.push(word.into());
                self.parameters.push((strings::c_string(property, word)?, None));
            }
            Effect::OldFlag => self.unheard.push(word.into()),
            Effect::Propagation(flags) => self.propagation.push(flags.bits()),
            Effect::CopyUp => self.copy_up = true,
            Effect::SourceNofollow => self.nofollow_source = true,
            Effect::IdMap { recursive } => self.idmap = Some(recursive),
        }
        Ok(())
    }

    fn parameter(&mut self, property: &str, word: &str) -> Result<()> {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word, None),
        };
        let longest = key.len().max(value.map_or(0, str::len));
        if key.is_empty() || longest > PARAMETER_LIMIT {
            let problem = format!(
                "{word:?}: fsconfig(2) takes names and values of 1 to {PARAMETER_LIMIT} bytes"
            );
            return Err(Error::config(property, problem));
        }
        self.parameter.get_or_insert_with(|| word.into());
        let value = value.map(|value| strings::c_string(property, value)).transpose()?;
        self.parameters.push((strings::c_string(property, key)?, value));
        Ok(())
    }
}

impl Attributes {
    fn fields(&mut self, reach: Reach) -> (&mut u64, &mut u64) {
        match reach {
            Reach::Here => (&mut self.set, &mut self.clear),
            Reach::Tree => (&mut self.set_recursive, &mut self.clear_recursive),
        }
    }

    /// Of `ro` and `rw` the last one said wins.
    fn put(&mut self, reach: Reach, set: u64, clear: u64) {
        let (to_set, to_clear) = self.fields(reach);
        *to_set = *to_set & !clear | set;
        *to_clear = *to_clear & !set | clear;
    }

    fn choose_atime(&mut self, reach: Reach, value: u64) {
        let (to_set, to_clear) = self.fields(reach);
        *to_set = *to_set & !MOUNT_ATTR__ATIME | value;
        *to_clear |= MOUNT_ATTR__ATIME;
    }

    /// `noatime,nostrictatime` is still noatime: what was not chosen cannot be given up.
    fn drop_atime(&mut self, reach: Reach, value: u64) {
        let (to_set, to_clear) = self.fields(reach);
        let is_chosen = *to_clear & MOUNT_ATTR__ATIME != 0;
        let chosen = *to_set & MOUNT_ATTR__ATIME;
        if !is_chosen || chosen == value {
            self.choose_atime(reach, MOUNT_ATTR_RELATIME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::constants::{
        MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODIRATIME as NODIRATIME,
        MOUNT_ATTR_NOSUID as NOSUID, MOUNT_ATTR_RDONLY as RDONLY,
        MOUNT_ATTR_STRICTATIME as STRICTATIME,
    };
    use serde_json::json;

    const ATIME: u64 = MOUNT_ATTR__ATIME;

    fn read(words: &[&str]) -> Result<Options> {
        let given = json!({"destination": "/d", "options": words});
        Options::read("p", &serde_json::from_value(given).unwrap())
    }

    #[test]
    fn attribute_words_set_and_clear_and_the_last_one_wins() {
        let cases: &[(&[&str], [u64; 4])] = &[
            (&[], [0; 4]),
            (&["ro"], [RDONLY, 0, 0, 0]),
            (&["ro", "rw"], [0, RDONLY, 0, 0]),
            (&["rw", "ro", "nosuid"], [RDONLY | NOSUID, 0, 0, 0]),
            (&["rro", "rsuid"], [0, 0, RDONLY, NOSUID]),
            (&["nodiratime", "relatime"], [NODIRATIME, ATIME, 0, 0]),
            (&["noatime"], [NOATIME, ATIME, 0, 0]),
            (&["noatime", "strictatime"], [STRICTATIME, ATIME, 0, 0]),
            (&["noatime", "nostrictatime"], [NOATIME, ATIME, 0, 0]),
            (&["noatime", "norelatime"], [NOATIME, ATIME, 0, 0]),
            (&["noatime", "atime"], [0, ATIME, 0, 0]),
            (&["atime"], [0, ATIME, 0, 0]),
            (&["rstrictatime"], [0, 0, STRICTATIME, ATIME]),
            (&["rstrictatime", "rnostrictatime"], [0, 0, 0, ATIME]),
        ];
        for (words, [set, clear, set_recursive, clear_recursive]) in cases {
            let expected = Attributes {
                set: *set,
                clear: *clear,
                set_recursive: *set_recursive,
                clear_recursive: *clear_recursive,
            };
            assert_eq!(read(words).unwrap().attributes, expected, "{words:?}");
        }
    }

    #[test]
    fn other_words_are_parameters_of_the_file_system_in_their_order() {
        let options = read(&["size=64k", "nosuid", "sync", "", "newinstance", "x=a=b"]).unwrap();
        let expected = [
            (c"size".into(), Some(c"64k".into())),
            (c"sync".into(), None),
            (c"newinstance".into(), None),
            (c"x".into(), Some(c"a=b".into())),
        ];
        assert_eq!(options.parameters, expected);
        assert_eq!(options.parameter.as_deref(), Some("size=64k"));
    }

    #[test]
    fn parameters_that_fsconfig_cannot_carry_are_refused() {
        let fits = format!("lowerdir={}", "x".repeat(255));
        assert!(read(&[&fits]).is_ok());
        for word in ["=x", "a\0b", "a=\0", &format!("{fits}x"), &"k".repeat(256)] {
            assert!(read(&[word]).is_err(), "{word:?}");
        }
    }
}
