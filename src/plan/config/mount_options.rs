//! The options of a mount: every word that the specification lists, and what it does (mount(8)).
//!
//! Any other word is a parameter of the file system (`size=64k`) and goes to fsconfig(2) as it
//! stands.

use std::ffi::CString;

use nix::mount::MsFlags;

use super::property::Property;
use crate::error::Result;
use crate::plan::Attributes;
use crate::sys::constants::{
    MOUNT_ATTR__ATIME as ATIME, MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODEV as NODEV,
    MOUNT_ATTR_NODIRATIME as NODIRATIME, MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW as NOSYMFOLLOW, MOUNT_ATTR_RDONLY as RDONLY,
    MOUNT_ATTR_RELATIME as RELATIME, MOUNT_ATTR_STRICTATIME as STRICTATIME,
};

/// What a word does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Effect {
    /// Says what is so anyway, or what only mount(8) knows.
    Nothing,
    /// Bind an existing directory or file; `rbind`: with what is mounted below it.
    Bind,
    /// Change what is mounted there already.
    Remount,
    /// Set the first mount attributes, clear the second; `r` before the word: on this mount and
    /// all below it (AT_RECURSIVE of mount_setattr(2), Linux 5.12).
    Attribute(u64, u64),
    /// Give up this way to keep access times, if it was chosen: back to relatime, the kernel's
    /// default.
    AtimeDefault(u64),
    /// A flag of the whole superblock: fsconfig(2) knows it under the same word.
    Superblock,
    /// A flag of mount(2) that fsconfig(2) has no word for: `EINVAL` (measured on 6.18).
    OldFlag,
    /// mount(2) with one of the four propagation types; `r` before the word: with MS_REC.
    Propagation(MsFlags),
    /// Copy what the destination holds into the new tmpfs.
    CopyUp,
    /// Bind a symbolic link itself.
    SourceNofollow,
    /// Shift ids; `ridmap`: in the whole tree.
    IdMap,
}
use Effect::{
    AtimeDefault, Attribute, Bind, CopyUp, IdMap, Nothing, OldFlag, Propagation, Remount,
    SourceNofollow, Superblock,
};

/// What `word` does, and whether to the whole tree; none for a parameter of the file system.
pub(in crate::plan) fn find(word: &str) -> Option<(Effect, bool)> {
    let of_tree = || match plain(word.strip_prefix('r')?)? {
        effect @ (Bind | Attribute(..) | AtimeDefault(_) | IdMap) => Some(effect),
        Propagation(flags) => Some(Propagation(flags | MsFlags::MS_REC)),
        _ => None,
    };
    plain(word).map(|effect| (effect, false)).or_else(|| Some((of_tree()?, true)))
}

/// The words without their recursive twins (`rro`, `rshared`), which [`find`] derives.
pub(in crate::plan) const PLAIN: &[(&str, Effect)] = &[
    ("bind", Bind),
    ("remount", Remount),
    ("ro", Attribute(RDONLY, 0)),
    ("rw", Attribute(0, RDONLY)),
    ("nosuid", Attribute(NOSUID, 0)),
    ("suid", Attribute(0, NOSUID)),
    ("nodev", Attribute(NODEV, 0)),
    ("dev", Attribute(0, NODEV)),
    ("noexec", Attribute(NOEXEC, 0)),
    ("exec", Attribute(0, NOEXEC)),
    ("nosymfollow", Attribute(NOSYMFOLLOW, 0)),
    ("symfollow", Attribute(0, NOSYMFOLLOW)),
    ("nodiratime", Attribute(NODIRATIME, 0)),
    ("diratime", Attribute(0, NODIRATIME)),
    // The access time is one field of several bits: cleared whole where a value is set.
    ("noatime", Attribute(NOATIME, ATIME)),
    ("atime", AtimeDefault(NOATIME)),
    ("strictatime", Attribute(STRICTATIME, ATIME)),
    ("nostrictatime", AtimeDefault(STRICTATIME)),
    ("relatime", Attribute(RELATIME, ATIME)),
    ("norelatime", AtimeDefault(RELATIME)),
    ("shared", Propagation(MsFlags::MS_SHARED)),
    ("slave", Propagation(MsFlags::MS_SLAVE)),
    ("private", Propagation(MsFlags::MS_PRIVATE)),
    ("unbindable", Propagation(MsFlags::MS_UNBINDABLE)),
    // The kernel ignores mand and nomand since 5.15; fsconfig(2) still takes them.
    ("sync async dirsync lazytime nolazytime mand nomand", Superblock),
    ("iversion noiversion", OldFlag),
    // silent, loud: whether the kernel's log hears of a mount that fails.
    ("defaults silent loud", Nothing),
    // What no kernel flag stands for.
    ("tmpcopyup", CopyUp),
    ("src-nofollow", SourceNofollow),
    ("idmap", IdMap),
];

fn plain(word: &str) -> Option<Effect> {
    let are = |words: &str| words.split(' ').any(|known| known == word);
    PLAIN.iter().find(|(words, _)| are(words)).map(|(_, effect)| *effect)
}

/// linux.rootfsPropagation as flags of mount(2): with `r` before the word it holds for all mounts
/// below as well, as in runc and crun; 0 where the configuration is silent.
pub(super) fn root_propagation(given: &Property) -> Result<u64> {
    let word: String = given.read()?;
    match find(&word) {
        Some((Propagation(flags), _)) => Ok(flags.bits()),
        _ if word.is_empty() => Ok(0),
        _ => Err(given.wrong(format!("{word:?} is not shared, slave, private or unbindable"))),
    }
}

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
}

impl Options {
    /// Takes the words of the list `given` together, in order.
    pub(super) fn read(given: &Property, words: &[String]) -> Result<Self> {
        let mut options = Self::default();
        for word in words {
            match find(word) {
                Some((Superblock, _)) | None => options.parameters.push(parameter(given, word)?),
                Some((effect, recursive)) => options.apply(effect, recursive),
            }
        }
        Ok(options)
    }

    fn apply(&mut self, effect: Effect, recursive: bool) {
        match effect {
            Nothing | OldFlag | Superblock => {}
            Bind => self.bind = Some(recursive),
            Remount => self.remount = true,
            Attribute(set, clear) => self.attributes.put(recursive, set, clear),
            AtimeDefault(value) => self.attributes.drop_atime(recursive, value),
            Propagation(flags) => self.propagation.push(flags.bits()),
            CopyUp => self.copy_up = true,
            SourceNofollow => self.nofollow_source = true,
            IdMap => self.idmap = Some(recursive),
        }
    }
}

fn parameter(given: &Property, word: &str) -> Result<(CString, Option<CString>)> {
    let pair = word.split_once('=');
    let (key, value) = pair.map_or((word, None), |(key, value)| (key, Some(value)));
    let longest = key.len().max(value.map_or(0, str::len));
    let problem =
        format!("{word:?}: fsconfig(2) takes names and values of 1 to {PARAMETER_LIMIT} bytes");
    given.ensure(!key.is_empty() && longest <= PARAMETER_LIMIT, problem)?;
    let value = value.map(|value| given.to_c_string(value)).transpose()?;
    Ok((given.to_c_string(key)?, value))
}

impl Attributes {
    fn fields(&mut self, recursive: bool) -> (&mut u64, &mut u64) {
        if recursive {
            (&mut self.set_recursive, &mut self.clear_recursive)
        } else {
            (&mut self.set, &mut self.clear)
        }
    }

    /// Of `ro` and `rw` the last one said wins.
    fn put(&mut self, recursive: bool, set: u64, clear: u64) {
        let (to_set, to_clear) = self.fields(recursive);
        *to_set = *to_set & !clear | set;
        *to_clear = *to_clear & !set | clear;
    }

    /// `noatime,nostrictatime` is still noatime: what was not chosen cannot be given up.
    fn drop_atime(&mut self, recursive: bool, value: u64) {
        let (to_set, to_clear) = self.fields(recursive);
        let is_chosen = *to_clear & ATIME != 0;
        if !is_chosen || *to_set & ATIME == value {
            self.put(recursive, RELATIME, ATIME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Options> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        Options::read(&Property::new("p", &serde_json::Value::Null), &words)
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
        let options = read(&["size=64k", "nosuid", "sync", "newinstance", "x=a=b"]).unwrap();
        let expected = [
            (c"size".into(), Some(c"64k".into())),
            (c"sync".into(), None),
            (c"newinstance".into(), None),
            (c"x".into(), Some(c"a=b".into())),
        ];
        assert_eq!(options.parameters, expected);
    }

    #[test]
    fn parameters_that_fsconfig_cannot_carry_are_refused() {
        let fits = format!("lowerdir={}", "x".repeat(255));
        assert!(read(&[&fits]).is_ok());
        for word in ["=x", "a\0b", "a=\0", &format!("{fits}x"), &"k".repeat(256)] {
            assert!(read(&[word]).is_err(), "{word:?}");
        }
    }

    /// The table of config.md, version 1.3, in its own order.
    const SPECIFIED: &str = "async atime bind defaults dev diratime dirsync exec iversion lazytime \
        loud mand noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime \
        nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime remount \
        rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro \
        rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw \
        shared silent slave strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap";

    #[test]
    fn every_word_of_the_specification_has_an_effect() {
        for word in SPECIFIED.split_whitespace() {
            assert!(find(word).is_some(), "{word}");
        }
    }

    #[test]
    fn an_attribute_word_and_its_recursive_twin_differ_in_reach_alone() {
        for word in SPECIFIED.split_whitespace() {
            let Some((effect, false)) = find(word) else { continue };
            let twin = match effect {
                Propagation(flags) => Some((Propagation(flags | MsFlags::MS_REC), true)),
                Bind | IdMap | Attribute(..) | AtimeDefault(_) => Some((effect, true)),
                _ => None,
            };
            assert_eq!(find(&format!("r{word}")), twin, "r{word}");
            assert_eq!(find(&format!("rr{word}")), None, "rr{word}");
        }
    }

    #[test]
    fn parameters_of_a_file_system_are_not_words() {
        for word in ["size=64k", "mode=755", "newinstance", "RO", "ro ", ""] {
            assert_eq!(find(word), None, "{word}");
        }
    }
}
