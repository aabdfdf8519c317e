//! From outside into the store.
//!
//! A layer is read once: hashed, decompressed, hashed again, and placed in a directory that has a
//! name of its own until both sums are right. Then it gets its name, by a rename.

use std::ffi::CString;
use std::io::{Cursor, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::OFlag;

use super::bar::Bar;
use super::digest::Checked;
use super::image::{Image, Layer};
use super::read::{Found, Packed, find};
use super::source::{STORED, Source};
use super::store::{Store, Unpacked};
use super::unpack::archive;
use super::{How, Ids, Limits, Report, Whiteouts, as_mapped_root, remove, unpack};
use crate::error::{Error, Result, ensure};
use crate::log;
use crate::state::files::replace;
use crate::sys::{credentials, directory, file};

/// The image that a word on the command line means, in the store by now.
pub fn get(store: &Store, word: &str) -> Result<Image> {
    match word.strip_prefix(STORED) {
        Some(name) => store.find(name),
        None => import(store, &Source::parse(word)?, None).map(|(image, _)| image),
    }
}

/// Puts an image into the store, and says what it is called there.
pub fn import(
    store: &Store,
    source: &Source,
    name: Option<&str>,
) -> Result<(Image, Option<String>)> {
    let found = find(source)?;
    let missing = missing(store, &found)?;
    if !missing.is_empty() {
        let layers: Vec<_> = missing.iter().map(|(layer, ..)| *layer).collect();
        found.blobs.fetch(store, &layers)?;
        let user_xattr =
            !credentials::in_the_initial_user_namespace()? || credentials::geteuid() != 0;
        let skipped = as_mapped_root(|ids| {
            let mut skipped = Vec::new();
            for (layer, file, packed) in &missing {
                let how = (ids, Whiteouts::Overlay { user_xattr });
                skipped.extend(one(store, &found, layer, (file, *packed), how)?);
            }
            Ok(skipped)
        })?;
        found.blobs.forget(&layers)?;
        for line in &skipped {
            log::warn(line);
        }
    }
    store.add(&found.image)?;
    let name = name.map(str::to_owned).or(found.name);
    if let Some(name) = &name {
        store.name(name, &found.image.id)?;
    }
    Ok((found.image, name))
}

/// The layers that the store has not, each once.
fn missing<'a>(store: &Store, found: &'a Found) -> Result<Vec<(&'a Layer, &'a str, Packed)>> {
    let mut missing: Vec<(&Layer, &str, Packed)> = Vec::new();
    for (layer, (file, packed)) in found.image.layers.iter().zip(&found.files) {
        let seen = missing.iter().any(|(other, ..)| other.diff_id == layer.diff_id);
        if !seen && !store.has_layer(&layer.diff_id)? {
            missing.push((layer, file, *packed));
        }
    }
    Ok(missing)
}

/// Unpacks a layer, unless another jec was faster. What could not be made comes back.
fn one(
    store: &Store,
    found: &Found,
    layer: &Layer,
    from: (&str, Packed),
    how: (Ids, Whiteouts),
) -> Result<Vec<String>> {
    let layers = store.layers.as_fd();
    let hex = layer.diff_id.hex();
    let [name, partial, lock, about] =
        ["", ".partial", ".lock", ".json"].map(|end| CString::new(format!("{hex}{end}")));
    let (name, partial) = (name?, partial?);
    let held = file::openat(layers, &lock?, OFlag::O_RDWR | OFlag::O_CREAT, 0o600)?;
    file::flock(held.as_fd(), true)?;
    if store.has_layer(&layer.diff_id)? {
        return Ok(vec![]);
    }
    // Of one that was killed.
    remove::tree(layers, &partial)?;
    file::mkdirat(layers, &partial, 0o755)?;
    let target = directory::open(layers, &partial)?;
    file::fchmod(target.as_fd(), 0o755)?;
    let report = fill(found, layer, from, how, &target).and_then(|report| {
        let Report { bytes, members, .. } = report;
        replace(layers, about?.as_c_str(), &Unpacked { bytes, members })?;
        file::renameat(layers, &partial, &name)?;
        Ok(report.skipped)
    });
    if report.is_err() {
        remove::tree(layers, &partial)?;
    }
    report
}

/// Reads, proves and places.
fn fill(
    found: &Found,
    layer: &Layer,
    (file, packed): (&str, Packed),
    (ids, whiteouts): (Ids, Whiteouts),
    target: &std::os::fd::OwnedFd,
) -> Result<Report> {
    let (blob, size) = found.blobs.open(file)?;
    let blob = announced(blob, file, packed)?;
    let done = Arc::new(AtomicU64::new(0));
    let (stream, blob_proof) = match &layer.digest {
        Some(digest) => {
            let checked = Checked::new(blob, file, digest, Some(layer.size));
            let proof = checked.proof();
            (archive::open(checked, done.clone(), false)?, Some(proof))
        }
        None => (archive::open(blob, done.clone(), false)?, None),
    };
    let what = format!("the layer {}", layer.diff_id);
    let stream = Checked::new(stream, &what, &layer.diff_id, None);
    let proof = stream.proof();
    let bar = Bar::new(format!("layer {}", layer.diff_id.short()), Some(size));
    let progress = |_| bar.at(done.load(Ordering::Relaxed));
    let how = How { ids, whiteouts, limits: Limits::default(), progress: Some(&progress) };
    let report = unpack(stream, target.as_fd(), &how).map_err(|error| named(file, error))?;
    proof.ensure(&what)?;
    blob_proof.map_or(Ok(()), |proof| proof.ensure(file))?;
    Ok(report)
}

/// The layer beside the member.
fn named(file: &str, error: Error) -> Error {
    match error {
        Error::Config { property, problem } if property == "archive" => {
            Error::config(file, problem)
        }
        other => other,
    }
}

/// Refuses a blob that is not compressed as its media type says.
fn announced(
    mut blob: Box<dyn Read + Send>,
    name: &str,
    packed: Packed,
) -> Result<Box<dyn Read + Send>> {
    let mut begin = Vec::new();
    let read = (&mut blob).take(4).read_to_end(&mut begin);
    read.map_err(|error| Error::config(name, format!("cannot be read: {error}")))?;
    let found = match &begin[..] {
        [0x1f, 0x8b, ..] => Packed::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Packed::Zstd,
        _ => Packed::No,
    };
    let problem = || format!("its media type says {packed:?}, its first bytes say {found:?}");
    ensure(packed == found || packed == Packed::Unknown, || Error::config(name, problem()))?;
    Ok(Box::new(Cursor::new(begin).chain(blob)))
}
