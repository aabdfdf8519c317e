//! From the bundle directory and its file `config.json` to the specification's types.
//!
//! The file is not trusted as input: it may be huge, torn, nested without end
//! or no file at all. It is read up to a limit, parsed with serde_json's limit
//! on nesting, and typed only after what is required was found present.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;
use oci_spec::runtime::Spec;
use serde_json::Value;

use super::property::{c_string, ensure};
use super::{capabilities, rules};
use crate::error::{Error, Result};
use crate::sys::file;

/// More than this is no configuration: execve(2) takes 2 MiB of arguments and
/// environment, and what engines write is about 20 KiB. A parsed document
/// needs up to 16 times its size in memory.
const LIMIT: usize = 4 << 20;

/// Opens the directory `path` below `at`, and says where it is: absolute, without links.
pub(super) fn open_directory(at: BorrowedFd, path: &Path) -> Result<(OwnedFd, PathBuf)> {
    let opened = file::openat(at, &c_string(path)?, OFlag::O_PATH | OFlag::O_DIRECTORY, 0);
    let directory = opened.map_err(|error| {
        Error::config("", format!("{} is not a directory: {error}", path.display()))
    })?;
    let link = c_string(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
    let found = file::readlinkat(file::HERE, &link)?;
    Ok((directory, OsStr::from_bytes(found.as_bytes()).into()))
}

/// The text of the bundle's config.json, whose path for messages is `shown`.
pub(super) fn read(bundle: BorrowedFd, shown: &str) -> Result<String> {
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
    ensure(kind == SFlag::S_IFREG, shown, "is not a regular file")?;
    file::read_all(file, c"config.json", LIMIT).map_err(refused)
}

/// The specification's types from the text, and warnings about what was passed over.
pub(super) fn parse(text: &str, shown: &str) -> Result<(Spec, Vec<String>)> {
    // The message of serde_json ends in line and column.
    let mut document: Value = serde_json::from_str(text)
        .map_err(|error| Error::config(shown, format!("is not JSON: {error}")))?;
    rules::check(&document)?;
    let warnings = capabilities::remove_unknown(&mut document);
    respell(&mut document);
    let spec = serde_path_to_error::deserialize(document)
        .map_err(|error| Error::config(error.path().to_string(), error.into_inner().to_string()))?;
    Ok((spec, warnings))
}

/// Two scheduler flags that oci_spec 0.10 spells differently from the specification.
const RESPELLED: [(&str, &str); 2] = [
    ("SCHED_FLAG_RESET_ON_FORK", "SCHED_RESET_ON_FORK"),
    ("SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_D_L_OVERRUN"),
];

fn respell(document: &mut Value) {
    let flags = document.pointer_mut("/process/scheduler/flags");
    for flag in flags.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some((_, theirs)) = RESPELLED.iter().find(|(ours, _)| flag == ours) {
            *flag = Value::from(*theirs);
        }
    }
}
