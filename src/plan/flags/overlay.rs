//! `--overlay` and `--keep=DIR`: what a container changes does not go into TARGET.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;

use super::mounts::absolute;
use super::{Machine, Target};
use crate::cli::{ContainerFlags, OverlayFlag};
use crate::error::{Error, Result, ensure, unless};
use crate::plan::IdMaps;
use crate::plan::config::overlay::{COPY, LOWER, UPPER};
use crate::sys::file;

/// Adds to the annotations what the flags ask for; those of an image have its layers already.
pub(super) fn annotate(
    annotations: &mut HashMap<String, String>,
    flags: &ContainerFlags,
    target: &Target,
    maps: Option<&IdMaps>,
    machine: &Machine,
) -> Result<()> {
    if flags.overlay.is_none() && flags.changes.is_none() {
        return Ok(());
    }
    let problem = "without TARGET the root is made of this machine's own directories, read-only: \
        there is nothing to spoil; name a TARGET, e.g. ./rootfs";
    ensure(*target != Target::Host, || Error::config("--overlay", problem))?;
    if let Target::Directory(root) = target {
        annotations.insert(LOWER.into(), layer(root)?);
    }
    if flags.overlay == Some(OverlayFlag::Copy) {
        annotations.insert(COPY.into(), "true".into());
    }
    if let Some(directory) = &flags.changes {
        let path = absolute(&machine.directory, &directory.to_string_lossy());
        make(&path, maps)?;
        annotations.insert(UPPER.into(), path.to_string_lossy().into_owned());
    }
    Ok(())
}

/// A path in the list of layers.
fn layer(root: &Path) -> Result<String> {
    let text = root.to_str().filter(|text| !text.contains(':'));
    let problem = format!("{}: the list of layers has colons between its paths", root.display());
    text.map(str::to_owned).ok_or_else(|| Error::config("--overlay", problem + "; move it"))
}

/// The directory, if it is not there: it belongs to whoever is root inside, and to nobody else.
fn make(path: &Path, maps: Option<&IdMaps>) -> Result<()> {
    let name = CString::new(path.as_os_str().as_encoded_bytes())?;
    let wrong =
        |error: Error| Error::config(format!("--keep={}", path.display()), error.to_string());
    let made = unless(&[Errno::EEXIST], file::mkdirat(file::HERE, &name, 0o700)).map_err(wrong)?;
    let directory = file::openat(file::HERE, &name, file::PLACE, 0).map_err(wrong)?;
    let outside = |lines: &[crate::plan::IdRange]| {
        lines.iter().find(|line| line.container == 0).map_or(0, |line| line.host)
    };
    match (made, maps) {
        (Some(()), Some(maps)) => {
            file::fchown(directory.as_fd(), outside(&maps.uids), outside(&maps.gids)).map_err(wrong)
        }
        _ => Ok(()),
    }
}
