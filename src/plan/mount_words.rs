//! Every mount option that the specification lists, and what it does (mount(8)).
//!
//! A word that is not in this table is a parameter of the file system
//! (`size=64k`) and goes to fsconfig(2) as it stands.

use nix::mount::MsFlags;

use crate::sys::constants::{
    MOUNT_ATTR_NOATIME as NOATIME, MOUNT_ATTR_NODEV as NODEV, MOUNT_ATTR_NODIRATIME as NODIRATIME,
    MOUNT_ATTR_NOEXEC as NOEXEC, MOUNT_ATTR_NOSUID as NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW as NOSYMFOLLOW, MOUNT_ATTR_RDONLY as RDONLY,
    MOUNT_ATTR_RELATIME as RELATIME, MOUNT_ATTR_STRICTATIME as STRICTATIME,
};

/// What a word does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Says what is so anyway, or what only mount(8) knows.
    Nothing,
    /// Bind an existing directory or file, with what is mounted below it or without.
    Bind { recursive: bool },
    /// Change what is mounted there already.
    Remount,
    /// Set a mount attribute.
    Set(Reach, u64),
    /// Clear a mount attribute.
    Clear(Reach, u64),
    /// Choose how access times are kept: one value of a field.
    Atime(Reach, u64),
    /// Give up this choice, if it was made: back to relatime, the kernel's default.
    AtimeDefault(Reach, u64),
    /// A flag of the whole superblock: fsconfig(2) knows it under the same word.
    Superblock,
    /// A flag of mount(2) that fsconfig(2) has no word for: `EINVAL` (measured on 6.18).
    OldFlag,
    /// mount(2) with one of the four propagation types.
    Propagation(MsFlags),
    /// Copy what the destination holds into the new tmpfs.
    CopyUp,
    /// Bind a symbolic link itself.
    SourceNofollow,
    /// Shift ids, here or in the whole tree.
    IdMap { recursive: bool },
}

/// How far an attribute reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// This mount.
    Here,
    /// This mount and all below it: AT_RECURSIVE of mount_setattr(2), Linux 5.12.
    Tree,
}

use Effect::{
    Atime, AtimeDefault, Bind, Clear, CopyUp, IdMap, Nothing, OldFlag, Propagation, Remount, Set,
    SourceNofollow, Superblock,
};
use Reach::{Here, Tree};

const REC: MsFlags = MsFlags::MS_REC;

/// The words, grouped; within a group the plain one and its opposite.
pub(super) const WORDS: &[(&str, Effect)] = &[
    // What kind of mount.
    ("bind", Bind { recursive: false }),
    ("rbind", Bind { recursive: true }),
    ("remount", Remount),
    ("defaults", Nothing),
    // Attributes of this mount.
    ("ro", Set(Here, RDONLY)),
    ("rw", Clear(Here, RDONLY)),
    ("nosuid", Set(Here, NOSUID)),
    ("suid", Clear(Here, NOSUID)),
    ("nodev", Set(Here, NODEV)),
    ("dev", Clear(Here, NODEV)),
    ("noexec", Set(Here, NOEXEC)),
    ("exec", Clear(Here, NOEXEC)),
    ("nosymfollow", Set(Here, NOSYMFOLLOW)),
    ("symfollow", Clear(Here, NOSYMFOLLOW)),
    ("nodiratime", Set(Here, NODIRATIME)),
    ("diratime", Clear(Here, NODIRATIME)),
    ("noatime", Atime(Here, NOATIME)),
    ("atime", AtimeDefault(Here, NOATIME)),
    ("strictatime", Atime(Here, STRICTATIME)),
    ("nostrictatime", AtimeDefault(Here, STRICTATIME)),
    ("relatime", Atime(Here, RELATIME)),
    ("norelatime", AtimeDefault(Here, RELATIME)),
    // The same of the whole tree.
    ("rro", Set(Tree, RDONLY)),
    ("rrw", Clear(Tree, RDONLY)),
    ("rnosuid", Set(Tree, NOSUID)),
    ("rsuid", Clear(Tree, NOSUID)),
    ("rnodev", Set(Tree, NODEV)),
    ("rdev", Clear(Tree, NODEV)),
    ("rnoexec", Set(Tree, NOEXEC)),
    ("rexec", Clear(Tree, NOEXEC)),
    ("rnosymfollow", Set(Tree, NOSYMFOLLOW)),
    ("rsymfollow", Clear(Tree, NOSYMFOLLOW)),
    ("rnodiratime", Set(Tree, NODIRATIME)),
    ("rdiratime", Clear(Tree, NODIRATIME)),
    ("rnoatime", Atime(Tree, NOATIME)),
    ("ratime", AtimeDefault(Tree, NOATIME)),
    ("rstrictatime", Atime(Tree, STRICTATIME)),
    ("rnostrictatime", AtimeDefault(Tree, STRICTATIME)),
    ("rrelatime", Atime(Tree, RELATIME)),
    ("rnorelatime", AtimeDefault(Tree, RELATIME)),
    // Flags of the superblock.
    ("sync", Superblock),
    ("async", Superblock),
    ("dirsync", Superblock),
    ("lazytime", Superblock),
    ("nolazytime", Superblock),
    // Ignored by the kernel since 5.15; fsconfig(2) still takes them.
    ("mand", Superblock),
    ("nomand", Superblock),
    ("iversion", OldFlag),
    ("noiversion", OldFlag),
    // Whether the kernel's log hears of a mount that fails.
    ("silent", Nothing),
    ("loud", Nothing),
    // Propagation (mount_namespaces(7)).
    ("shared", Propagation(MsFlags::MS_SHARED)),
    ("rshared", Propagation(MsFlags::MS_SHARED.union(REC))),
    ("slave", Propagation(MsFlags::MS_SLAVE)),
    ("rslave", Propagation(MsFlags::MS_SLAVE.union(REC))),
    ("private", Propagation(MsFlags::MS_PRIVATE)),
    ("rprivate", Propagation(MsFlags::MS_PRIVATE.union(REC))),
    ("unbindable", Propagation(MsFlags::MS_UNBINDABLE)),
    ("runbindable", Propagation(MsFlags::MS_UNBINDABLE.union(REC))),
    // What no kernel flag stands for.
    ("tmpcopyup", CopyUp),
    ("src-nofollow", SourceNofollow),
    ("idmap", IdMap { recursive: false }),
    ("ridmap", IdMap { recursive: true }),
];

/// What `word` does; none for a parameter of the file system.
pub(super) fn find(word: &str) -> Option<Effect> {
    WORDS.iter().find(|(name, _)| *name == word).map(|(_, effect)| *effect)
}

/// The propagation that a word stands for, as linux.rootfsPropagation uses them.
pub(super) fn propagation(word: &str) -> Option<MsFlags> {
    match find(word) {
        Some(Propagation(flags)) => Some(flags),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn no_word_stands_twice() {
        let mut words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
    }

    #[test]
    fn an_attribute_word_and_its_recursive_twin_differ_in_reach_alone() {
        for (word, effect) in WORDS {
            let twin = match *effect {
                Set(Here, bits) => Set(Tree, bits),
                Clear(Here, bits) => Clear(Tree, bits),
                Atime(Here, value) => Atime(Tree, value),
                AtimeDefault(Here, value) => AtimeDefault(Tree, value),
                _ => continue,
            };
            assert_eq!(find(&format!("r{word}")), Some(twin), "r{word}");
        }
    }

    #[test]
    fn parameters_of_a_file_system_are_not_words() {
        for word in ["size=64k", "mode=755", "newinstance", "RO", "ro ", ""] {
            assert_eq!(find(word), None, "{word}");
        }
    }
}
