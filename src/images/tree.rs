//! Which file of an image comes from which of its layers, and what it hides.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, ResolveFlag};
use serde::Serialize;

use super::merged::{Kind, look};
use crate::error::{Error, Result};
use crate::sys::{directory, file};

/// One name.
#[derive(Debug, Serialize)]
pub struct Line {
    /// The layer that decides; 1 is the lowest.
    pub layer: usize,
    /// Inside the image; a directory ends with a slash.
    pub path: String,
    /// The layer says that there is nothing.
    pub removed: bool,
    /// Nothing of the directories below is shown in it.
    pub opaque: bool,
    /// The layers whose file of this name is not seen.
    pub hides: Vec<usize>,
}

/// What each layer has under a name, the topmost first.
type Found = Vec<(usize, Kind)>;

/// Tells each name to `told`, in the order of the names, a directory before what is in it.
pub fn walk(stack: &[OwnedFd], told: &mut dyn FnMut(&Line) -> io::Result<()>) -> Result<()> {
    // Paths and numbers wait here, not descriptors: of these there are few.
    let mut to_do: Vec<(Vec<u8>, Found)> =
        vec![(vec![], (0..stack.len()).map(|layer| (layer, Kind::Directory)).collect())];
    while let Some((path, found)) = to_do.pop() {
        let (line, below) = line(stack.len(), &path, &found);
        if !path.is_empty() && (!line.removed || !line.hides.is_empty()) {
            told(&line).map_err(|error| Error::config("standard output", error.to_string()))?;
        }
        let names = names(stack, &path, &below)?;
        for (name, found) in names.into_iter().rev() {
            let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
            to_do.push(([&path, slash, &name].concat(), found));
        }
    }
    Ok(())
}

/// What is to be told of a name, and the layers whose directories are merged there.
fn line(layers: usize, path: &[u8], found: &Found) -> (Line, Vec<usize>) {
    let (top, kind) = found.first().copied().unwrap_or((0, Kind::Other));
    let mut below = Vec::new();
    for (layer, kind) in found.iter().take_while(|(_, kind)| kind.is_directory()) {
        below.push(*layer);
        if *kind == Kind::Opaque {
            break;
        }
    }
    let hidden = found.iter().skip(below.len().max(1));
    let hides = hidden.filter(|(_, kind)| *kind != Kind::Whiteout);
    let slash = if kind.is_directory() { "/" } else { "" };
    let line = Line {
        layer: layers - top,
        path: format!("{}{slash}", String::from_utf8_lossy(path)),
        removed: kind == Kind::Whiteout,
        opaque: kind == Kind::Opaque,
        hides: hides.map(|(layer, _)| layers - layer).collect(),
    };
    (line, below)
}

/// The names in the merged directory.
fn names(stack: &[OwnedFd], path: &[u8], below: &[usize]) -> Result<BTreeMap<Vec<u8>, Found>> {
    let mut names: BTreeMap<Vec<u8>, Found> = BTreeMap::new();
    for layer in below {
        let how = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
        let here = if path.is_empty() { c".".into() } else { CString::new(path)? };
        let opened = file::openat2(stack[*layer].as_fd(), &here, how, resolve)?;
        for name in directory::names(opened.as_fd())? {
            if let Some((_, kind)) = look(opened.as_fd(), &name)? {
                names.entry(name.into_bytes()).or_default().push((*layer, kind));
            }
        }
    }
    Ok(names)
}

/// A line for people.
pub fn show(line: &Line) -> String {
    let mut words = Vec::new();
    if line.removed {
        words.push("removed".to_owned());
    }
    if line.opaque {
        words.push("nothing of below".to_owned());
    }
    if !line.hides.is_empty() {
        let hides: Vec<_> = line.hides.iter().map(ToString::to_string).collect();
        words.push(format!("hides that of {}", hides.join(", ")));
    }
    let path = line.path.replace(char::is_control, "?");
    let more = if words.is_empty() { String::new() } else { format!("  ({})", words.join("; ")) };
    format!("{:>5}  {path}{more}", line.layer)
}

/// Prints all names, as lines or as JSON; a reader that has seen enough is no error.
pub fn print(stack: &[OwnedFd], json: bool) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut separator = "[";
    let mut enough = false;
    let result = walk(stack, &mut |line| {
        let written = if json {
            let text = serde_json::to_string(line)?;
            writeln!(out, "{}{text}", std::mem::replace(&mut separator, ","))
        } else {
            writeln!(out, "{}", show(line))
        };
        enough |= matches!(&written, Err(error) if error.kind() == io::ErrorKind::BrokenPipe);
        written
    });
    if enough {
        return Ok(());
    }
    result?;
    let end = match (json, separator) {
        (true, "[") => writeln!(out, "[]"),
        (true, _) => writeln!(out, "]"),
        (false, _) => Ok(()),
    };
    drop(end.and_then(|()| out.flush()));
    Ok(())
}
