//! From the file config.json to the plan.
//!
//! The file is not trusted as input: it may be huge, torn, nested without end
//! or no file at all. It is read up to a limit, and parsed with serde_json's limit
//! on nesting.

pub(super) mod capabilities;
mod devices;
mod hooks;
pub(super) mod intel_rdt;
mod kernel;
pub(super) mod mount_options;
mod mounts;
pub(super) mod namespaces;
pub(super) mod numbers;
pub mod overlay;
mod process;
mod property;
pub mod resources;
pub mod seccomp;
#[cfg(test)]
mod tests;

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;
use oci_spec::runtime::Spec;
use semver::Version;
use serde_json::Value;

use super::{Plan, Root};
use crate::error::{Error, Result, ensure};
use crate::sys::file;
use property::Property;

/// More than this is no configuration: execve(2) takes 2 MiB of arguments and
/// environment, and what engines write is about 20 KiB. A parsed document
/// needs up to 16 times its size in memory.
const LIMIT: usize = 4 << 20;

impl Plan {
    /// Reads `config.json` in `bundle` for the container `id`.
    pub fn from_bundle(id: &str, bundle: &Path) -> Result<Self> {
        let (directory, path) = open_bundle(bundle)?;
        let shown = path.join("config.json").display().to_string();
        let text = read(directory.as_fd(), &shown)?;
        // The message of serde_json ends in line and column.
        let document = serde_json::from_str(&text)
            .map_err(|error| Error::config(shown, format!("is not JSON: {error}")))?;
        Self::from_document(id, bundle, &document, text)
    }

    /// The plan that a container was created with, from what was kept of its configuration.
    pub fn saved(id: &str, bundle: &Path, text: String) -> Result<Self> {
        Self::from_document(id, bundle, &parse(&text)?, text)
    }

    /// What is left to do for a container that ends: its hooks, and what they are told.
    pub fn ending(id: &str, bundle: &str, text: &str) -> Result<Self> {
        let document = parse(text)?;
        let config = Property::new("", &document);
        let (annotations, hooks) = (annotations(&config)?, hooks::hooks(&config)?);
        Ok(Self { bundle: bundle.into(), annotations, hooks, ..Self::nothing(id) })
    }

    /// Checks `spec`, whose text is `config`, and turns it into a plan. Relative paths start at
    /// `bundle`, which has to exist, as has the root file system.
    pub fn from_spec(id: &str, bundle: &Path, spec: &Spec, config: &str) -> Result<Self> {
        let document = serde_json::to_value(spec)
            .map_err(|error| Error::config("config.json", error.to_string()))?;
        Self::from_document(id, bundle, &document, config.into())
    }

    /// The same from the parsed document; `text` is kept as the configuration.
    pub fn from_document(id: &str, bundle: &Path, document: &Value, text: String) -> Result<Self> {
        check_id(id)?;
        let (directory, bundle) = open_bundle(bundle)?;
        let mut warnings = Vec::new();
        let config = Property::new("", document);
        check_version(&config.at("ociVersion")?, &mut warnings)?;
        config.refuse(&FOREIGN.map(|name| (name, "null")), "jec does not support it")?;
        let root = root(&config, directory.as_fd())?;
        let linux = config.at("linux")?;
        let namespaces = namespaces::namespaces(&linux, &mut warnings)?;
        let mut process = process::process(&config.at("process")?, &namespaces, &mut warnings)?;
        process.personality = linux.optional("personality", process::personality)?;
        process.memory_policy = linux.optional("memoryPolicy", numbers::memory_policy)?;
        let read = |given: &_| mounts::mount(given, &bundle, &namespaces, &mut warnings);
        let mut mounts = config.each("mounts", read)?;
        if let Some(label) = process::label(&linux, "mountLabel")? {
            mounts::label(&mut mounts, &CString::new(label)?);
        }
        let seccomp = |given: &_| seccomp::profile_for(given, process.no_new_privileges);
        Ok(Self {
            id: id.into(),
            config: text,
            annotations: annotations(&config)?,
            hooks: hooks::hooks(&config)?,
            root,
            overlay: overlay::overlay(&config, &bundle)?,
            mounts,
            net_devices: devices::network(&linux, &namespaces)?,
            devices: devices::devices(&linux, &namespaces, &mut warnings)?,
            masked_paths: linux.each("maskedPaths", Property::absolute)?,
            readonly_paths: linux.each("readonlyPaths", Property::absolute)?,
            kernel: kernel::parameters(&config, &namespaces)?,
            cgroup: resources::cgroup(&linux)?,
            intel_rdt: linux
                .optional("intelRdt", |given| intel_rdt::group(given, &mut warnings))?,
            seccomp: linux.optional("seccomp", seccomp)?,
            process,
            bundle,
            namespaces,
            skipped: Vec::new(),
            joins: None,
            warnings,
        })
    }
}

/// What was kept of a configuration.
fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text)
        .map_err(|error| Error::config("config.json", format!("is not JSON: {error}")))
}

fn annotations(config: &Property) -> Result<Vec<(String, String)>> {
    let annotations = config
        .each_entry("annotations", |key, value| Ok((key.to_owned(), value.read::<String>()?)))?;
    let has_keys = annotations.iter().all(|(key, _)| !key.is_empty());
    config.at("annotations")?.ensure(has_keys, "has an empty key")?;
    Ok(annotations)
}

fn root(config: &Property, bundle: BorrowedFd) -> Result<Root> {
    let path = config.at("root.path")?;
    let (_, found) = open_directory(&path, bundle, &path.read::<PathBuf>()?)?;
    let propagation = mount_options::root_propagation;
    Ok(Root {
        path: path.to_c_string(found)?,
        readonly: config.get("root.readonly")?.unwrap_or(false),
        propagation: config.optional("linux.rootfsPropagation", propagation)?.unwrap_or(0),
        no_pivot: false,
    })
}

fn open_bundle(path: &Path) -> Result<(OwnedFd, PathBuf)> {
    let given = Property::new(&path.display().to_string(), &Value::Null);
    open_directory(&given, file::HERE, path)
}

/// Opens the directory `path` below `at`, and says where it is: absolute, without links.
fn open_directory(given: &Property, at: BorrowedFd, path: &Path) -> Result<(OwnedFd, PathBuf)> {
    let opened = file::openat(at, &given.to_c_string(path)?, OFlag::O_PATH | OFlag::O_DIRECTORY, 0);
    let problem = |error| given.wrong(format!("{} is not a directory: {error}", path.display()));
    let directory = opened.map_err(problem)?;
    let link = given.to_c_string(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
    let found = file::readlinkat(file::HERE, &link)?;
    Ok((directory, OsStr::from_bytes(found.as_bytes()).into()))
}

/// The text of the bundle's config.json, whose path for messages is `shown`.
fn read(bundle: BorrowedFd, shown: &str) -> Result<String> {
    let refused = |error: Error| {
        let problem = match Errno::from_raw(error.errno()) {
            Errno::ENOENT => "does not exist; `jec spec > config.json` makes one".into(),
            Errno::EFBIG => format!("is larger than {LIMIT} bytes"),
            Errno::EILSEQ => "is not UTF-8".into(),
            _ => error.to_string(),
        };
        Error::config(shown, problem)
    };
    // A fifo in its place would hold open(2) until somebody writes.
    let how = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = file::openat(bundle, c"config.json", how, 0).map_err(refused)?;
    let kind = SFlag::from_bits_truncate(file::fstat(file.as_fd())?.st_mode) & SFlag::S_IFMT;
    ensure(kind == SFlag::S_IFREG, || Error::config(shown, "is not a regular file"))?;
    file::read_all(&file, c"config.json", LIMIT).map_err(refused)
}

/// The newest version whose properties are known here.
pub(super) const KNOWN: Version = Version::new(1, 3, 0);

/// Within a major version everything stays compatible; a newer minor one may have properties
/// that are unknown here, and unknown ones have to be ignored.
fn check_version(given: &Property, warnings: &mut Vec<String>) -> Result<()> {
    let text: String = given.read()?;
    let problem =
        |error| given.wrong(format!("{text:?} is not of the form of semver.org: {error}"));
    let version = Version::parse(&text).map_err(problem)?;
    let problem = format!("{text} is incompatible with {}.x", KNOWN.major);
    given.ensure(version.major == KNOWN.major, problem)?;
    if version.minor > KNOWN.minor {
        let known = format!("{}.{}", KNOWN.major, KNOWN.minor);
        warnings.push(given.warning(format!("{text} is newer than {known}")));
    }
    Ok(())
}

/// Sections of other platforms say that the bundle is meant for another machine.
const FOREIGN: [&str; 4] = ["windows", "solaris", "zos", "vm"];

/// Refuses an id that could lead out of the state directory, of which it is a part.
pub fn check_id(id: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+.-".contains(&byte);
    let problem = match id {
        "" => "is empty",
        "." | ".." => "is a directory's own name",
        _ if id.len() > 1024 => "is longer than 1024 bytes",
        _ if !id.bytes().all(plain) => {
            "has other characters than letters, digits, `_`, `+`, `.` and `-`"
        }
        _ => return Ok(()),
    };
    Err(Error::config(format!("container id {:?}", shortened(id)), problem))
}

fn shortened(id: &str) -> String {
    id.chars().take(80).collect()
}
