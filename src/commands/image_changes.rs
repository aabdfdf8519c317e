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
use crate::images::commit::{self, Owners};
use crate::images::derived::derive;
use crate::images::digest::Digest;
use crate::images::image::Image;
use crate::images::store::{Store, check_name};
use crate::images::{as_mapped_root, changes, import};
use crate::plan::config::overlay::{COPY, IMAGE, LOWER, UPPER};
use crate::state::Container;
use crate::sys::{directory, file};

/// A line for each path that differs: A for what is new, C for what is another, D for what is gone.
pub fn diff(global: &Global, args: &ChangesArgs) -> Result<u8, Failure> {
    let proc = open_proc()?;
    let (_, container) = find(global, &args.id, &proc)?;
    let (old, new) = stacks(&container, &proc)?;
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

/// An image with a layer more in the store, or the layer alone as a file; says which.
pub fn commit(global: &Global, args: &CommitArgs) -> Result<u8, Failure> {
    let proc = open_proc()?;
    let (_, container) = find(global, &args.id, &proc)?;
    let stacks = stacks(&container, &proc)?;
    let owners = Owners::of(container.intent.ids.clone())?;
    let said = match (&args.layer, args.name.as_deref().unwrap_or_default()) {
        (Some(path), _) => to_file(&stacks, &owners, path)?,
        (None, name) => format!("{}  {name}", to_store(&container, &stacks, &owners, name)?),
    };
    drop(writeln!(std::io::stdout(), "{said}"));
    Ok(0)
}

/// Writes the layer into a new file, and says its digest.
fn to_file((old, new): &Stacks, owners: &Owners, path: &Path) -> Result<String> {
    let wrong =
        |error: std::io::Error| Error::config(path.display().to_string(), error.to_string());
    let mut options = std::fs::OpenOptions::new();
    let out = options.write(true).create_new(true).mode(0o666).open(path).map_err(wrong)?;
    let written = as_mapped_root(|_| commit::layer(old, new, owners, &out));
    let (digest, _) = written.inspect_err(|_| drop(std::fs::remove_file(path)))?;
    Ok(digest.to_string())
}

/// Adds an image to the store, and says its id. A plain root file system becomes its first layer.
fn to_store(
    container: &Container,
    (old, new): &Stacks,
    owners: &Owners,
    name: &str,
) -> Result<Digest> {
    check_name(name)?;
    let store = Store::open()?;
    let base = base(&store, container)?;
    let file = store.unnamed()?;
    let layers = as_mapped_root(|_| {
        let first = base.is_none().then(|| commit::layer(&[], old, owners, &file)).transpose()?;
        let second = commit::layer(old, new, owners, &file)?;
        Ok(first.into_iter().chain([second]).collect::<Vec<_>>())
    })?;
    let (image, _) = import::put(&store, derive(base, name, file, &layers)?)?;
    Ok(image.id)
}

/// The image that the container was made from; none for a plain root file system.
fn base(store: &Store, container: &Container) -> Result<Option<Image>> {
    let says = &container.state.annotations;
    let Some(id) = says.get(IMAGE) else { return Ok(None) };
    let gone = || Error::config(id, "the container's image is not in the store any more");
    let image = store.image(&Digest::parse(id)?)?.ok_or_else(gone)?;
    let layers: Vec<_> = image.stack().into_iter().map(|layer| store.layer(layer)).collect();
    let layers: Vec<_> = layers.iter().map(|path| path.to_string_lossy()).collect();
    let is_its = layers.is_empty() || says.get(LOWER) == Some(&layers.join(":"));
    ensure(is_its, || Error::config(id, "the container's layers are not those of this image"))?;
    Ok(Some(image))
}

/// The layers as they were, and as they are.
type Stacks = (Vec<OwnedFd>, Vec<OwnedFd>);

/// The layers of a container, and what it sees of them now.
fn stacks(container: &Container, proc: &OwnedFd) -> Result<Stacks> {
    let says = |key| container.state.annotations.get(key).map(String::as_str);
    let refused = |problem| Error::state(&container.intent.id, problem);
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
        return Ok((old, vec![live_root(container, proc)?]));
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
