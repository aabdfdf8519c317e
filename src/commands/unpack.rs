//! `jec unpack`: a root file system out of an archive.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cli::{Global, UnpackArgs};
use crate::error::{Error, Failure, Result, ensure};
use crate::images::bar::Bar;
use crate::images::mapped::until_a_signal;
use crate::images::partial::Partial;
use crate::images::unpack::archive;
use crate::images::{How, Ids, Limits, Report, Whiteouts, as_mapped_root, unpack};
use crate::log;
use crate::sys::credentials;

/// Fills a new directory, and says what could not be made.
pub fn run(global: &Global, args: &UnpackArgs) -> Result<u8, Failure> {
    let (file, length) = open(&args.file)?;
    let is_told = global.rootless.as_deref() == Some("true") && credentials::geteuid() == 0;
    let work = |ids| fill(file, length, args, if is_told { Ids::OwnOnly } else { ids });
    let clean_up = || as_mapped_root(|_| Partial::begin(&args.directory)?.abandon());
    let report = until_a_signal(work, clean_up)?;
    for line in &report.skipped {
        log::warn(&format!("{}: {line}", args.file.display()));
    }
    Ok(0)
}

/// The archive, and its length where it has one.
fn open(path: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let wrong = |problem: String| Error::config(path.display().to_string(), problem);
    let file = File::open(path).map_err(|error| wrong(format!("cannot be opened: {error}")))?;
    let data = file.metadata().map_err(|error| wrong(error.to_string()))?;
    ensure(!data.is_dir(), || wrong("is a directory: jec can run it as it is".into()))?;
    Ok((Box::new(file), data.is_file().then_some(data.len())))
}

fn fill(
    file: Box<dyn Read + Send>,
    length: Option<u64>,
    args: &UnpackArgs,
    ids: Ids,
) -> Result<Report> {
    let partial = Partial::begin(&args.directory)?;
    match read(file, length, args, ids, &partial) {
        Ok(report) => partial.end().map(|()| report),
        Err(error) => {
            partial.abandon()?;
            Err(named(&args.file, error))
        }
    }
}

fn read(
    file: Box<dyn Read + Send>,
    length: Option<u64>,
    args: &UnpackArgs,
    ids: Ids,
    partial: &Partial,
) -> Result<Report> {
    let done = Arc::new(AtomicU64::new(0));
    let stream = archive::open(file, done.clone(), args.max_size.is_some())?;
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let bar = Bar::new(name.into_owned(), length);
    let bytes = args.max_size.unwrap_or(Limits::default().bytes);
    let how = How {
        ids,
        whiteouts: Whiteouts::No,
        limits: Limits { bytes, ..Limits::default() },
        progress: Some(&|_| bar.at(done.load(Ordering::Relaxed))),
    };
    unpack(stream, partial.directory(), &how)
}

/// The file beside the member.
fn named(file: &Path, error: Error) -> Error {
    let file = file.display();
    match error {
        Error::Config { property, problem } if property == "archive" => {
            Error::config(file.to_string(), problem)
        }
        Error::Config { property, problem } => {
            Error::config(format!("{file}: {property}"), problem)
        }
        Error::Machine { lacks, cure } => {
            let cure = cure.replace("FILE", &file.to_string());
            Error::machine(format!("{file}: {lacks}"), cure)
        }
        other => other,
    }
}
