//! From outside into the store.
//!
//! A layer is read once: hashed, decompressed, hashed again, and placed in a directory that has a
//! name of its own until both sums are right. Then it gets its name, by a rename.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::{Cursor, Read};
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use nix::fcntl::OFlag;

use super::bar::Bar;
use super::digest::Checked;
use super::image::{Image, Layer};
use super::mapped::until_a_signal;
use super::read::{Found, Packed, find};
use super::several::several;
use super::source::{STORED, Source};
use super::store::{Store, Unpacked};
use super::unpack::archive;
use super::{How, Ids, Limits, Report, Whiteouts, remove, unpack};
use crate::error::{Error, Result, ensure};
use crate::log;
use crate::state::files::replace;
use crate::sys::{credentials, directory, entries, file};

/// How many layers are unpacked at a time, where there are as many processors: each takes about
/// 4 MB. That is for gzip, which looks back 32 KiB. What looks back 32 MiB comes one by one: 64 MB
/// are enough for any image.
const AT_ONCE: usize = 4;

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
    let mut found = find(source)?;
    found.name = name.map(str::to_owned).or(found.name);
    put(store, found)
}

/// Puts what was found into the store: the layers that it has not, then the image, then the name.
pub fn put(store: &Store, found: Found) -> Result<(Image, Option<String>)> {
    let missing = missing(store, &found)?;
    if !missing.is_empty() {
        let layers: Vec<_> = missing.iter().map(|(layer, ..)| *layer).collect();
        found.blobs.fetch(store, &layers)?;
        let user_xattr =
            !credentials::in_the_initial_user_namespace()? || credentials::geteuid() != 0;
        let how = |ids| (ids, Whiteouts::Overlay { user_xattr });
        let skipped =
            until_a_signal(|ids| all(store, &found, &missing, how(ids)), || store.clean())?;
        for line in &skipped {
            log::warn(line);
        }
    }
    // Also those that came, and that a jec which was killed here did not get to.
    found.blobs.forget(store, &found.image.layers)?;
    store.add(&found.image)?;
    if let Some(name) = &found.name {
        store.name(name, &found.image.id)?;
    }
    Ok((found.image, found.name))
}

/// A layer, the file that it is in, and how.
type Missing<'a> = (&'a Layer, &'a str, Packed);

/// The layers that the store has not, each once, in the order of their digests.
fn missing<'a>(store: &Store, found: &'a Found) -> Result<Vec<Missing<'a>>> {
    let mut missing = BTreeMap::new();
    for (layer, (file, packed)) in found.image.layers.iter().zip(&found.files) {
        if !store.has_layer(&layer.diff_id)? {
            missing.insert(&layer.diff_id, (layer, &**file, *packed));
        }
    }
    Ok(missing.into_values().collect())
}

/// Unpacks them, and then gives them their names: all or none. What could not be made comes back.
fn all(
    store: &Store,
    found: &Found,
    missing: &[Missing],
    how: (Ids, Whiteouts),
) -> Result<Vec<String>> {
    let layers = store.layers.as_fd();
    // Everybody locks in the same order, so that nobody waits for one who waits for her.
    let locked = missing.iter().map(|missing| lock(store, missing)).collect::<Result<Vec<_>>>()?;
    let ours: Vec<_> = locked.iter().flatten().collect();
    let (whole, done) = (ours.iter().map(|(_, (layer, ..))| layer.size).sum(), Arc::default());
    let bar = Bar::new(format!("{} layers", ours.len()), Some(whole));
    let is_gzip = ours.iter().all(|(_, (.., packed))| *packed == Packed::Gzip);
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let at_once = if is_gzip { AT_ONCE.min(processors) } else { 1 };
    let filled =
        several(ours.len(), at_once, |at, _| fill(store, found, ours[at].1, how, (&bar, &done)));
    drop(bar);
    let named = filled.and_then(|reports| {
        // Names are trusted for ever: no power cut may leave one with half a tree.
        entries::syncfs(layers)?;
        for ((_, (layer, ..)), Report { bytes, members, .. }) in ours.iter().zip(&reports) {
            let [name, partial, _, about] = names(layer)?;
            replace(layers, &about, &Unpacked { bytes: *bytes, members: *members })?;
            file::renameat(layers, &partial, &name)?;
        }
        file::fsync(layers)?;
        Ok(reports.into_iter().flat_map(|report| report.skipped).collect())
    });
    if named.is_err() {
        for (_, (layer, ..)) in &ours {
            remove::tree(layers, &names(layer)?[1])?;
        }
    }
    named
}

/// What a layer is called: when it is whole, before that, its lock, and what is known of it.
fn names(layer: &Layer) -> Result<[CString; 4]> {
    let hex = layer.diff_id.hex();
    let [name, partial, lock, about] =
        ["", ".partial", ".lock", ".json"].map(|end| CString::new(format!("{hex}{end}")));
    Ok([name?, partial?, lock?, about?])
}

/// The layer, ours alone as long as the descriptor is open; none if another jec was faster.
fn lock<'a>(store: &Store, missing: &'a Missing) -> Result<Option<(OwnedFd, &'a Missing<'a>)>> {
    let [_, _, lock, _] = names(missing.0)?;
    let how = OFlag::O_RDWR | OFlag::O_CREAT;
    let held = file::openat(store.layers.as_fd(), &lock, how, 0o600)?;
    file::flock(held.as_fd(), true)?;
    Ok((!store.has_layer(&missing.0.diff_id)?).then_some((held, missing)))
}

/// Reads, proves and places.
fn fill(
    store: &Store,
    found: &Found,
    (layer, file, packed): &Missing,
    (ids, whiteouts): (Ids, Whiteouts),
    (bar, done): (&Bar, &Arc<AtomicU64>),
) -> Result<Report> {
    let (layers, [_, partial, ..]) = (store.layers.as_fd(), names(layer)?);
    // Of one that was killed.
    remove::tree(layers, &partial)?;
    file::mkdirat(layers, &partial, 0o755)?;
    let target = directory::open(layers, &partial)?;
    file::fchmod(target.as_fd(), 0o755)?;
    let (blob, _) = found.blobs.open(file)?;
    let blob = announced(blob, file, *packed)?;
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
