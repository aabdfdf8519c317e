//! `--volume`, `--mount` and `--tmpfs`: three spellings of an entry of the mount list.

use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::Mount;

use super::quantity;
use crate::error::{Error, Result};
use crate::plan::flags::defaults::mount as entry;

/// One mount, as a flag asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountFlag {
    /// `--volume /src:/dst`, for messages.
    flag: String,
    /// Absolute, inside the container.
    destination: String,
    /// What of the host is shown; none: a new tmpfs.
    source: Option<String>,
    /// Mount options.
    options: Vec<String>,
}

/// What a bind mount may be told. `ro` means everything below it too, which
/// `ro` alone does not (mount_setattr(2), Linux 5.12).
const BIND_WORDS: &[(&str, &str)] = &[
    ("ro", "rro"),
    ("rw", "rw"),
    ("rro", "rro"),
    ("nosuid", "nosuid"),
    ("nodev", "nodev"),
    ("noexec", "noexec"),
    ("nosymfollow", "nosymfollow"),
    ("private", "private"),
    ("rprivate", "rprivate"),
    ("slave", "slave"),
    ("rslave", "rslave"),
    ("shared", "shared"),
    ("rshared", "rshared"),
];

/// What a tmpfs may be told (tmpfs(5)): words, and settings with a value.
const TMPFS_WORDS: &[&str] =
    &["ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "noatime", "relatime"];
const TMPFS_SETTINGS: &[&str] = &["size", "mode", "uid", "gid", "nr_inodes"];

/// An absolute path inside the container.
pub fn destination(text: &str) -> std::result::Result<String, String> {
    let path = Path::new(text);
    if text.contains('\0') || !path.is_absolute() {
        return Err("a path inside the container starts with /".into());
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err("a path inside the container has no ..".into());
    }
    // Without doubled slashes and dots, so that two spellings are one destination.
    Ok(path.components().collect::<PathBuf>().to_string_lossy().into_owned())
}

/// A destination for a mount: `/` itself would be the root file system.
fn target(text: &str) -> std::result::Result<String, String> {
    match &*destination(text)? {
        "/" => Err("the destination / is the root file system itself: that is TARGET".into()),
        path => Ok(path.into()),
    }
}

/// `SRC:DST[:OPTIONS]`
pub fn volume(text: &str) -> std::result::Result<MountFlag, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, destination, words) = match parts[..] {
        [source, destination] if !source.is_empty() => (source, destination, ""),
        [source, destination, words] if !source.is_empty() => (source, destination, words),
        _ => return Err("write SRC:DST or SRC:DST:ro; for a path with a colon use --mount".into()),
    };
    let mut options = vec!["rbind".to_owned(), "rprivate".to_owned()];
    for word in words.split(',').filter(|_| !words.is_empty()) {
        let known = BIND_WORDS.iter().find(|(known, _)| *known == word);
        options.push(known.ok_or_else(|| unknown_word(word))?.1.into());
    }
    Ok(MountFlag {
        flag: format!("--volume {text}"),
        destination: target(destination)?,
        source: Some(source.into()),
        options,
    })
}

fn unknown_word(word: &str) -> String {
    let words: Vec<&str> = BIND_WORDS.iter().map(|(word, _)| *word).collect();
    format!("unknown option {word:?}; there are {}", words.join(" "))
}

/// `DST[:OPTIONS]`, with nosuid, nodev and noexec unless the options say otherwise.
pub fn tmpfs(text: &str) -> std::result::Result<MountFlag, String> {
    let (destination, words) = text.split_once(':').unwrap_or((text, ""));
    let mut options: Vec<String> = Vec::new();
    for word in words.split(',').filter(|_| !words.is_empty()) {
        let setting = word
            .split_once('=')
            .is_some_and(|(name, value)| TMPFS_SETTINGS.contains(&name) && !value.is_empty());
        if !setting && !TMPFS_WORDS.contains(&word) {
            let (words, settings) = (TMPFS_WORDS.join(" "), TMPFS_SETTINGS.join("= "));
            return Err(format!("unknown option {word:?}; there are {words} {settings}="));
        }
        options.push(word.into());
    }
    for (safe, open) in [("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec")] {
        if !options.iter().any(|option| option == open || option == safe) {
            options.push(safe.into());
        }
    }
    let flag = format!("--tmpfs {text}");
    Ok(MountFlag { flag, destination: target(destination)?, source: None, options })
}

/// The words of one `--mount`.
#[derive(Default)]
struct Words<'a> {
    kind: &'a str,
    source: Option<&'a str>,
    target: Option<String>,
    readonly: bool,
    /// Words that only a bind mount has.
    bind: Vec<&'a str>,
    /// Options that only a tmpfs has.
    tmpfs: Vec<String>,
}

/// `type=bind,source=SRC,target=DST[,readonly]` and `type=tmpfs,target=DST[,tmpfs-size=…]`:
/// docker's words, as far as they mean something here.
pub fn mount(text: &str) -> std::result::Result<MountFlag, String> {
    let words = words(text)?;
    let target = words.target.ok_or_else(|| format!("the target is missing; {WORDS}"))?;
    let recursive = !words.bind.contains(&"bind");
    let mut options: Vec<&str> = Vec::new();
    match (words.kind, words.source) {
        ("bind", Some(source)) if !source.is_empty() && words.tmpfs.is_empty() => {
            options.push(if recursive { "rbind" } else { "bind" });
            // Read-only means the whole tree, unless only its top is bound.
            let read_only = if recursive { "rro" } else { "ro" };
            options.extend(words.readonly.then_some(read_only));
            let propagation = words.bind.iter().find(|word| !word.ends_with("bind"));
            options.push(propagation.unwrap_or(&"rprivate"));
        }
        ("tmpfs", None) if words.bind.is_empty() => {
            options.extend(["nosuid", "nodev", "noexec"]);
            options.extend(words.readonly.then_some("ro"));
            options.extend(words.tmpfs.iter().map(String::as_str));
        }
        _ => {
            return Err(format!("type, source and options do not fit together; {WORDS}"));
        }
    }
    Ok(MountFlag {
        flag: format!("--mount {text}"),
        destination: target,
        source: words.source.map(Into::into),
        options: options.into_iter().map(Into::into).collect(),
    })
}

/// Takes the words apart; none may stand twice.
fn words(text: &str) -> std::result::Result<Words<'_>, String> {
    let mut words = Words::default();
    let mut seen = Vec::new();
    for word in text.split(',') {
        let (key, value) = word.split_once('=').unwrap_or((word, "true"));
        match (key, value) {
            ("type", "bind" | "tmpfs") => words.kind = value,
            ("type", _) => return Err(other_type(value)),
            ("source" | "src", _) => words.source = Some(value),
            ("target" | "destination" | "dst", _) => words.target = Some(target(value)?),
            ("readonly" | "ro", "true" | "1") => words.readonly = true,
            ("readonly" | "ro", "false" | "0") => words.readonly = false,
            ("bind-propagation", _) => words.bind.push(propagation_word(value)?),
            ("bind-recursive", "enabled") => words.bind.push("rbind"),
            ("bind-recursive", "disabled") => words.bind.push("bind"),
            ("tmpfs-size", _) => words.tmpfs.push(format!("size={}", quantity::size(value)?)),
            ("tmpfs-mode", _) => words.tmpfs.push(format!("mode={}", octal(value)?)),
            _ => return Err(format!("{word:?} is not known here; {WORDS}")),
        }
        // src and source are one word, as are target, dst and destination.
        let name = match key {
            "src" => "source",
            "dst" | "destination" => "target",
            "ro" => "readonly",
            name => name,
        };
        if seen.contains(&name) {
            return Err(format!("{name} stands twice"));
        }
        seen.push(name);
    }
    Ok(words)
}

const WORDS: &str = "write type=bind,source=SRC,target=DST[,readonly] \
    or type=tmpfs,target=DST[,tmpfs-size=16M]";

fn other_type(kind: &str) -> String {
    format!("type {kind:?} is not bind or tmpfs: write other types into config.json (jec spec)")
}

fn propagation_word(value: &str) -> std::result::Result<&'static str, String> {
    let words = ["private", "rprivate", "slave", "rslave", "shared", "rshared"];
    let found = words.into_iter().find(|word| *word == value);
    found.ok_or_else(|| format!("bind-propagation is one of {}", words.join(" ")))
}

fn octal(value: &str) -> std::result::Result<&str, String> {
    let good = u32::from_str_radix(value, 8).is_ok_and(|mode| mode <= 0o7777);
    (good && !value.starts_with('+'))
        .then_some(value)
        .ok_or("tmpfs-mode is octal, e.g. 1777".into())
}

/// Puts the mounts of the flags into the list: in place of a default with the
/// same destination, else behind, parents first, so that no mount hides another.
pub(super) fn add(mounts: &mut Vec<Mount>, flags: &[&MountFlag], directory: &Path) -> Result<()> {
    let mut sorted = flags.to_vec();
    sorted.sort_by_key(|flag| Path::new(&flag.destination).components().count());
    for (at, flag) in sorted.iter().enumerate() {
        if sorted[..at].iter().any(|other| other.destination == flag.destination) {
            let problem = format!("another flag mounts on {} too", flag.destination);
            return Err(Error::config(&flag.flag, problem));
        }
        let options: Vec<&str> = flag.options.iter().map(String::as_str).collect();
        let new = match &flag.source {
            Some(source) => {
                let source = absolute(directory, source);
                entry(&flag.destination, "bind", &source.to_string_lossy(), &options)
            }
            None => entry(&flag.destination, "tmpfs", "tmpfs", &options),
        };
        let same = |mount: &Mount| mount.destination() == Path::new(&flag.destination);
        match mounts.iter().position(same) {
            Some(place) => mounts[place] = new,
            None => mounts.push(new),
        }
    }
    Ok(())
}

/// A path of the host without dots; `..` stays, since it may cross a link.
pub(super) fn absolute(directory: &Path, path: &str) -> PathBuf {
    directory.join(path).components().collect()
}
