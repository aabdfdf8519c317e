//! TARGET: which root file system, or which bundle, the words on the command line mean.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::{Machine, mounts::absolute};
use crate::cli::ContainerFlags;
use crate::error::{Error, Result};
use crate::sys::file;

/// What a container is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// No TARGET: a root made from this machine's own directories.
    Host,
    /// TARGET with a slash: the directory of a root file system, absolute.
    Directory(PathBuf),
    /// TARGET without a slash: a bundle.
    Bundle {
        /// The container's id.
        id: String,
        /// Where config.json is, absolute.
        directory: PathBuf,
    },
}

/// The longest id: a directory and a cgroup get this name (NAME_MAX of <linux/limits.h>).
const LONGEST_ID: usize = 255;

/// A container's id: it becomes the name of a directory and of a cgroup.
pub fn id(text: &str) -> std::result::Result<String, String> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_+.-".contains(&byte);
    if text.is_empty() || text == "." || text == ".." || !text.bytes().all(letter) {
        return Err("an id has letters, digits and _ + . - only".into());
    }
    if text.len() > LONGEST_ID {
        return Err(format!("an id has at most {LONGEST_ID} letters"));
    }
    Ok(text.into())
}

/// The longest host name (`__NEW_UTS_LEN` of <linux/utsname.h>).
pub(super) const LONGEST_HOST_NAME: usize = 64;

/// A host or NIS domain name: the kernel takes any bytes, config.json any text.
pub fn host_name(text: &str) -> std::result::Result<String, String> {
    if text.is_empty() || text.len() > LONGEST_HOST_NAME || text.contains(char::is_control) {
        return Err(format!(
            "a name has 1 to {LONGEST_HOST_NAME} bytes and no control characters"
        ));
    }
    Ok(text.into())
}

impl Target {
    /// What the flags mean; `bundle` is `--bundle` of `jec run`. For a bundle
    /// every flag that would change the container is refused, not ignored.
    pub fn find(flags: &ContainerFlags, bundle: Option<&Path>, machine: &Machine) -> Result<Self> {
        flags_behind_target(flags)?;
        let Some(word) = flags.target.as_deref() else {
            return match bundle {
                None => Ok(Self::Host),
                Some(_) => Err(Error::config("--bundle", NO_ID)),
            };
        };
        if word.contains('/') || word == "." || word == ".." {
            if bundle.is_some() {
                return Err(Error::config(
                    "--bundle",
                    format!("{word:?} is a path; {NO_ID}"),
                ));
            }
            return root_directory(word, machine);
        }
        let id = id(word).map_err(|problem| Error::config(format!("{word:?}"), problem))?;
        let directory = absolute(
            &machine.directory,
            &bundle.unwrap_or(Path::new(".")).to_string_lossy(),
        );
        if !exists(&directory.join("config.json"), OFlag::empty()) {
            return Err(no_bundle(word, &directory, machine));
        }
        bundle_alone(flags)?;
        Ok(Self::Bundle { id, directory })
    }
}

const NO_ID: &str = "a container made from a bundle needs an id as TARGET: \
    jec run --bundle DIR mycontainer";

/// `jec run ./rootfs --memory 64M`: a flag that would be taken for the command.
fn flags_behind_target(flags: &ContainerFlags) -> Result<()> {
    let first = flags.command.first().filter(|word| word.starts_with('-'));
    match (first, &flags.target) {
        (Some(flag), Some(target)) => Err(Error::config(
            flag,
            format!(
                "stands behind TARGET, where the command starts; flags come first: jec run {flag} … {target}"
            ),
        )),
        _ => Ok(()),
    }
}

fn root_directory(word: &str, machine: &Machine) -> Result<Target> {
    let path = absolute(&machine.directory, word);
    if path == Path::new("/") {
        let problem = "the container could change this machine's own files; \
            without TARGET jec makes a root from them that is read-only";
        return Err(Error::config(word, problem));
    }
    if let Err(error) = open(&path, OFlag::O_DIRECTORY) {
        let problem = format!("not the directory of a root file system: {error}");
        return Err(Error::config(word, problem));
    }
    if exists(&path.join("config.json"), OFlag::empty()) {
        let problem =
            format!("a bundle, since it has a config.json: jec run --bundle {word} mycontainer");
        return Err(Error::config(word, problem));
    }
    Ok(Target::Directory(path))
}

fn no_bundle(word: &str, directory: &Path, machine: &Machine) -> Error {
    let meant = if exists(&machine.directory.join(word), OFlag::O_DIRECTORY) {
        format!("./{word} is a directory: did you mean `jec run ./{word}`?")
    } else {
        format!("did you mean the directory ./{word}, or the command: jec run -- {word}?")
    };
    let problem = format!(
        "TARGET without a slash is the id of a container made from a bundle, \
         but there is no config.json in {}; {meant}",
        directory.display()
    );
    Error::config(word, problem)
}

/// Refuses what a bundle says itself.
fn bundle_alone(flags: &ContainerFlags) -> Result<()> {
    if let Some(flag) = flags.given.iter().find(|flag| *flag != "--interactive") {
        let problem = "the container is made from a bundle: edit its config.json instead";
        return Err(Error::config(flag, problem));
    }
    if let Some(word) = flags.command.first() {
        let problem =
            "the container is made from a bundle: its command is process.args of config.json";
        return Err(Error::config(word, problem));
    }
    Ok(())
}

/// Whether the host has such a file: a question only, so the answer "no" has no reason.
fn exists(path: &Path, kind: OFlag) -> bool {
    open(path, kind).is_ok()
}

fn open(path: &Path, kind: OFlag) -> Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(|_| Error::config(path.to_string_lossy(), "a path has no NUL byte"))?;
    file::openat(file::HERE, &name, OFlag::O_PATH | kind, 0)
}
