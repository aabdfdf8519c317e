//! TARGET: which root file system, or which bundle, the words on the command line mean.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::image::Image;
use super::mounts::absolute;
use crate::cli::ContainerFlags;
use crate::error::{Error, Result, ensure};
use crate::images::source::is_image;
use crate::sys::file;

/// What a container is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// No TARGET: a root made from this machine's own directories.
    Host,
    /// TARGET with a slash: the directory of a root file system, absolute.
    Directory(PathBuf),
    /// TARGET with a word for images: oci:DIR, image:NAME.
    Image(Box<Image>),
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
        return Err(format!("a name has 1 to {LONGEST_HOST_NAME} bytes and no control characters"));
    }
    Ok(text.into())
}

impl Target {
    /// What the flags mean; `bundle` is `--bundle` of `jec run`, relative paths start at `from`. For a bundle
    /// every flag that would change the container is refused, not ignored.
    pub fn find(flags: &ContainerFlags, bundle: Option<&Path>, from: &Path) -> Result<Self> {
        flags_behind_target(flags)?;
        let Some(word) = flags.target.as_deref() else {
            return match bundle {
                None => Ok(Self::Host),
                Some(_) => Err(Error::config("--bundle", NO_ID)),
            };
        };
        if is_image(word) {
            ensure(bundle.is_none(), || {
                Error::config("--bundle", format!("{word:?} is an image; {NO_ID}"))
            })?;
            return Image::find(word).map(|image| Self::Image(Box::new(image)));
        }
        if word.contains('/') || word == "." || word == ".." {
            if bundle.is_some() {
                return Err(Error::config("--bundle", format!("{word:?} is a path; {NO_ID}")));
            }
            return root_directory(word, from);
        }
        let id = id(word).map_err(|problem| Error::config(format!("{word:?}"), problem))?;
        let directory = absolute(from, &bundle.unwrap_or(Path::new(".")).to_string_lossy());
        if !exists(&directory.join("config.json"), OFlag::empty()) {
            return Err(no_bundle(word, &directory, from));
        }
        bundle_alone(flags)?;
        Ok(Self::Bundle { id, directory })
    }
}

impl Target {
    /// The image, if it is one.
    pub fn image(&self) -> Option<&Image> {
        match self {
            Self::Image(image) => Some(image),
            _ => None,
        }
    }
}

const NO_ID: &str = "a container made from a bundle needs an id as TARGET: \
    jec run --bundle DIR mycontainer";

/// `jec run ./rootfs --memory 64M`: a flag that would be taken for the command.
fn flags_behind_target(flags: &ContainerFlags) -> Result<()> {
    let flag = flags.command.first().filter(|word| word.starts_with('-') && !flags.separated);
    let (Some(flag), Some(target)) = (flag, &flags.target) else {
        return Ok(());
    };
    let problem = "stands behind TARGET, where the command starts; flags come first";
    Err(Error::config(flag, format!("{problem}: jec run {flag} … {target}")))
}

fn root_directory(word: &str, from: &Path) -> Result<Target> {
    let path = absolute(from, word);
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

fn no_bundle(word: &str, directory: &Path, from: &Path) -> Error {
    let meant = if exists(&from.join(word), OFlag::O_DIRECTORY) {
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::{self, Command};
    use crate::plan::flags::Machine;

    /// A directory with ./rootfs, ./bundle/config.json and nothing else.
    fn place() -> (tempfile::TempDir, Machine) {
        let place = tempfile::tempdir().unwrap();
        for name in ["rootfs", "bundle"] {
            std::fs::create_dir(place.path().join(name)).unwrap();
        }
        std::fs::write(place.path().join("bundle/config.json"), "{}").unwrap();
        let machine = Machine { directory: place.path().into(), ..Machine::default() };
        (place, machine)
    }

    fn find(line: &str, machine: &Machine) -> Result<Target> {
        let words = ["jec", "run"].into_iter().chain(line.split_whitespace());
        let cli = cli::parse(words.map(OsString::from)).unwrap();
        let Command::Run(run) = cli.command else { panic!("{line}") };
        Target::find(&run.container, run.making.bundle.as_deref(), &machine.directory)
    }

    #[test]
    fn a_slash_makes_a_path_and_no_slash_an_id() {
        let (place, machine) = place();
        let rootfs = Target::Directory(place.path().join("rootfs"));
        let bundle = Target::Bundle { id: "c1".into(), directory: place.path().join("bundle") };
        for (line, target) in [
            ("", Target::Host),
            ("-- ls", Target::Host),
            ("--", Target::Host),
            ("./rootfs", rootfs.clone()),
            ("rootfs/ ls -l", rootfs.clone()),
            ("-m 1M ./rootfs -- -odd-command", rootfs),
            ("--bundle bundle c1", bundle.clone()),
            ("-b ./bundle --explain --pid-file p --keep -i c1", bundle),
        ] {
            assert_eq!(find(line, &machine), Ok(target), "{line}");
        }
        let inside = Machine { directory: place.path().join("rootfs"), ..machine };
        assert_eq!(find(".", &inside), Ok(Target::Directory(inside.directory.clone())));
    }

    #[test]
    fn every_mistake_about_the_target_is_answered() {
        let (_place, machine) = place();
        for (line, answer) in [
            ("rootfs", "did you mean `jec run ./rootfs`?"),
            ("ls", "jec run -- ls?"),
            ("a:b", "letters, digits"),
            ("./none", "ENOENT"),
            ("./bundle/config.json", "ENOTDIR"),
            ("./bundle", "jec run --bundle ./bundle mycontainer"),
            ("/", "read-only"),
            ("--bundle bundle", "needs an id"),
            ("--bundle bundle ./rootfs", "is a path"),
            ("--bundle rootfs c1", "there is no config.json"),
            ("./rootfs --memory 64M", "flags come first"),
            ("--bundle bundle --memory 64M c1", "--memory: the container is made from a bundle"),
            ("--bundle bundle -t c1", "--tty: the container is made from a bundle"),
            ("--bundle bundle --no-tty c1", "--no-tty: the container is made from a bundle"),
            ("--bundle bundle --net none c1", "--net: the container is made from a bundle"),
            ("--bundle bundle c1 ls", "process.args of config.json"),
        ] {
            let error = find(line, &machine).unwrap_err().to_string();
            assert!(error.contains(answer), "{line}: {error}");
        }
    }

    #[test]
    fn ids_are_names_of_directories() {
        for text in ["a", "A.b_c+d-9", "...", &*"x".repeat(255)] {
            assert!(id(text).is_ok(), "{text}");
        }
        for text in ["", ".", "..", "a/b", "a b", "ä", "a\n", "a\0", &*"x".repeat(256)] {
            assert!(id(text).is_err(), "{text:?}");
        }
    }
}
