//! One image of an index: by its tag, and by what this machine can run.

use oci_spec::image::{Descriptor, ImageIndex, Platform};

use super::blobs::Blobs;
use super::read::{json, path};
use crate::error::{Error, Result, ensure};

/// How deep indexes may be nested; that of a real image is one deep.
const DEPTH: usize = 4;

/// The annotation that holds the tag of an image in a layout.
pub const TAG: &str = "org.opencontainers.image.ref.name";

/// The media types of what leads to several images.
pub const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// And of one.
pub const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The manifest that is meant, and its tag.
pub fn choose(
    blobs: &Blobs,
    index: &ImageIndex,
    tag: Option<&str>,
) -> Result<(Descriptor, Option<String>)> {
    let mut meant: Vec<&Descriptor> =
        index.manifests().iter().filter(|one| is_image(one)).collect();
    if let Some(tag) = tag {
        meant.retain(|one| tag_of(one) == Some(tag));
        ensure(!meant.is_empty(), || absent(tag, index))?;
    }
    let mut found = Vec::new();
    for one in meant {
        let chosen = flat(blobs, one, DEPTH)?;
        found.extend(chosen.map(|chosen| (chosen, tag_of(one).map(str::to_owned))));
    }
    let best = found.iter().filter_map(|(one, _)| rank(one.platform().as_ref())).max();
    found.retain(|(one, _)| rank(one.platform().as_ref()) == best && best.is_some());
    let first = found.first().cloned().ok_or_else(|| Error::machine(
        format!("the image has nothing for {}", machine()),
        "jec emulates no other machine; ask for an image of this one: skopeo copy --override-arch …",
    ))?;
    let alone = found.iter().all(|(one, _)| one.digest() == first.0.digest());
    ensure(alone, || several(index))?;
    Ok(first)
}

/// What an index leads to: of a nested one the first that fits best.
fn flat(blobs: &Blobs, one: &Descriptor, depth: usize) -> Result<Option<Descriptor>> {
    let digest = one.digest().to_string();
    if !INDEXES.contains(&&*one.media_type().to_string()) {
        return Ok(Some(one.clone()));
    }
    ensure(depth > 0, || {
        Error::config(&*digest, format!("indexes are nested more than {DEPTH} deep"))
    })?;
    let (digest, bytes) = blobs.described(one)?;
    let index: ImageIndex = json(&path(&digest), &bytes)?;
    let mut best: Option<Descriptor> = None;
    for inner in index.manifests().iter().filter(|inner| is_image(inner)) {
        let Some(found) = flat(blobs, inner, depth - 1)? else { continue };
        let rank_of = |one: &Descriptor| rank(one.platform().as_ref());
        if rank_of(&found) > best.as_ref().and_then(rank_of) {
            best = Some(found);
        }
    }
    Ok(best)
}

/// Whether it may lead to an image: signatures and attestations lie beside them.
pub fn is_image(one: &Descriptor) -> bool {
    let media = one.media_type().to_string();
    INDEXES.contains(&&*media) || MANIFESTS.contains(&&*media)
}

fn tag_of(one: &Descriptor) -> Option<&str> {
    one.annotations().as_ref()?.get(TAG).map(String::as_str)
}

/// How well this machine runs it; none: not at all. What says nothing is found out later.
fn rank(platform: Option<&Platform>) -> Option<u8> {
    let Some(platform) = platform else { return Some(1) };
    let is_ours = platform.os().to_string() == "linux"
        && platform.architecture().to_string() == architecture();
    let newest = if architecture() == "arm" { 7 } else { 8 };
    let variant = platform.variant().as_deref().map_or(Some(2), |variant| {
        // v5 to v8 of ARM: a later processor runs what an earlier one does. v1 is every amd64.
        let number: u8 = variant.strip_prefix('v')?.parse().ok()?;
        let most = if architecture() == "amd64" { 1 } else { newest };
        (number <= most).then_some(2 + number)
    });
    variant.filter(|_| is_ours)
}

/// The architecture of this machine, as images call it (the GOARCH of Go).
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "loongarch64" => "loong64",
        other => other,
    }
}

/// What this machine is, in the words of images.
pub fn machine() -> String {
    format!("linux/{}", architecture())
}

fn tags(index: &ImageIndex) -> String {
    let tags: Vec<_> = index.manifests().iter().filter_map(tag_of).collect();
    if tags.is_empty() { "none has a tag".into() } else { format!("there are {}", tags.join(", ")) }
}

fn absent(tag: &str, index: &ImageIndex) -> Error {
    Error::config(format!("{tag:?}"), format!("no image of this tag: {}", tags(index)))
}

fn several(index: &ImageIndex) -> Error {
    let problem = format!("more than one image: name one by its tag; {}", tags(index));
    Error::config("index.json", problem)
}
