//! `jec image diff` and `jec image commit`: what a container has changed.

use std::ffi::CString;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::json;

use super::state::print;
use super::{find, open_proc};
use crate::cli::{ChangesArgs, CommitArgs, Global};
use crate::error::{Error, Failure, Result, ensure};
use crate::images::digest::Digest;
use crate::images::{as_mapped_root, changes, commit};
use crate::plan::config::overlay::{COPY, LOWER, UPPER};
use crate::state::Container;
use crate::sys::{directory, file};

/// A line for each path that differs: A for what is new, C for what is another, D for what is gone.
pub fn diff(global: &Global, args: &ChangesArgs) -> Result<u8, Failure> {
    let (old, new) = stacks(global, &args.id)?;
    let lines = as_mapped_root(|_| {
        let mut lines = Vec::new();
        changes::walk(&old, &new, &mut |change| {
            lines.push((change.letter, change.path.to_string_lossy().into_owned()));
            Ok(())
        })?;
        Ok(lines)
    })?;
    if args.json {
        let list = lines.iter().map(|(letter, path)| json!({"change": letter, "path": path}));
        return print(&list.collect::<Vec<_>>());
    }
    let quoted = |path: &str| path.replace(char::is_control, "?");
    let mut out = std::io::stdout().lock();
    for (letter, path) in &lines {
        // A reader that has seen enough is no error.
        drop(writeln!(out, "{letter} /{}", quoted(path)));
    }
    Ok(0)
}

/// The layer as a file, and its digest on standard output.
pub fn commit(global: &Global, args: &CommitArgs) -> Result<u8, Failure> {
    let (old, new) = stacks(global, &args.id)?;
    let wrong =
        |error: std::io::Error| Error::config(args.layer.display().to_string(), error.to_string());
    let mut options = std::fs::OpenOptions::new();
    let out = options.write(true).create_new(true).mode(0o666).open(&args.layer).map_err(wrong)?;
    let written = as_mapped_root(|_| commit::layer(&old, &new, &out));
    let digest = written.inspect_err(|_| drop(std::fs::remove_file(&args.layer)))?;
    let digest = Digest::parse(&digest)?;
    drop(writeln!(std::io::stdout(), "{digest}"));
    Ok(0)
}

/// The layers of a container, and what it sees of them now.
fn stacks(global: &Global, id: &str) -> Result<(Vec<OwnedFd>, Vec<OwnedFd>)> {
    let proc = open_proc()?;
    let (_, container) = find(global, id, &proc)?;
    let says = |key| container.state.annotations.get(key).map(String::as_str);
    let refused = |problem| Error::state(id, problem);
    let problem = "its root is no overlay, so nothing tells what it has changed; jec run --overlay";
    let lower = says(LOWER).ok_or_else(|| refused(problem))?;
    let problem = "it works on a copy, whose files are all new; diff -r tells what differs";
    ensure(says(COPY) != Some("true"), || refused(problem))?;
    let bundle = Path::new(&container.intent.bundle);
    let open = |path: &str| {
        directory::open(file::HERE, &CString::new(bundle.join(path).as_os_str().as_bytes())?)
    };
    let old: Vec<_> = lower.split(':').map(open).collect::<Result<_>>()?;
    let Some(upper) = says(UPPER) else {
        return Ok((old, vec![live_root(&container, &proc)?]));
    };
    let mut new = vec![open(&format!("{upper}/upper"))?];
    new.extend(lower.split(':').map(open).collect::<Result<Vec<_>>>()?);
    Ok((old, new))
}

/// The root that the container has: whoever made it may follow this link of /proc.
fn live_root(container: &Container, proc: &OwnedFd) -> Result<OwnedFd> {
    let problem = "it has ended, and what it changed was in memory; --keep=DIR would have kept it";
    let init = container.live_init()?;
    let init = init.ok_or_else(|| Error::state(&container.intent.id, problem))?;
    let link = CString::new(format!("{}/root", init.pid))?;
    let root = file::openat(proc.as_fd(), &link, file::PLACE, 0)?;
    directory::open(root.as_fd(), c".")
}
