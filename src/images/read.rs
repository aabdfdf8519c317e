//! The documents of an image: what it is made of, before any layer is read.

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::blobs::Blobs;
use super::choose::{architecture, choose, machine};
use super::digest::Digest;
use super::image::{Image, Layer};
use super::source::{Kind, Source};
use crate::error::{Error, Result, ensure};

/// The most layers that an image may have: overlayfs takes 500.
const LAYERS: usize = 500;

/// What layers are compressed with, by the end of their media type; the first bytes must agree.
const TYPES: [(&str, Packed); 9] = [
    ("application/vnd.oci.image.layer.v1.tar", Packed::No),
    ("application/vnd.oci.image.layer.v1.tar+gzip", Packed::Gzip),
    ("application/vnd.oci.image.layer.v1.tar+zstd", Packed::Zstd),
    ("application/vnd.docker.image.rootfs.diff.tar", Packed::No),
    ("application/vnd.docker.image.rootfs.diff.tar.gzip", Packed::Gzip),
    ("application/vnd.docker.image.rootfs.diff.tar.zstd", Packed::Zstd),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar", Packed::No),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", Packed::Gzip),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", Packed::Zstd),
];

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packed {
    /// Not at all.
    No,
    /// gzip(1)
    Gzip,
    /// zstd(1)
    Zstd,
    /// Nobody has said.
    Unknown,
}

/// An image that was found, and can be read.
pub struct Found {
    /// What it is.
    pub image: Image,
    /// Its own name, if it has one.
    pub name: Option<String>,
    /// Where its layers lie.
    pub blobs: Blobs,
    /// The files in there that hold the layers, the lowest first.
    pub files: Vec<(String, Packed)>,
}

/// Reads and verifies all documents of an image.
pub fn find(source: &Source) -> Result<Found> {
    match source.kind {
        Kind::Layout => layout(Blobs::directory(&source.path)?, source),
        Kind::LayoutArchive => layout(Blobs::archive(&source.path)?, source),
        Kind::Registry => registry(source),
        Kind::DockerArchive => docker(Blobs::archive(&source.path)?, source.tag.as_deref()),
    }
}

/// A document of an image, which nobody has to know by heart.
pub fn json<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T> {
    let problem = |error| Error::config(name, format!("is not the document it should be: {error}"));
    serde_json::from_slice(bytes).map_err(problem)
}

/// Where a layout keeps a blob.
pub fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn layout(blobs: Blobs, source: &Source) -> Result<Found> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(rename = "imageLayoutVersion")]
        version: String,
    }
    let shown = source.path.display();
    let problem = |error| format!("no image layout: {error}\n  check:  ls {shown}");
    let marker = blobs.document("oci-layout");
    let marker = marker.map_err(|error| Error::config(shown.to_string(), problem(error)))?;
    let Version { version } = json("oci-layout", &marker)?;
    let problem = || Error::config("oci-layout", format!("version {version}, and jec knows 1"));
    ensure(version.starts_with("1."), problem)?;
    let index = json("index.json", &blobs.document("index.json")?)?;
    let (chosen, tag) = choose(&blobs, &index, source.tag.as_deref())?;
    // A tag alone names nothing: `latest` is in every layout.
    let whole = tag.filter(|tag| tag.contains(['/', ':']));
    let name = whole.unwrap_or_else(|| source.name(source.tag.as_deref()));
    described(blobs, &chosen, name)
}

#[cfg(feature = "pull")]
fn registry(source: &Source) -> Result<Found> {
    let (registry, index, name) = super::pull::Registry::find(source)?;
    let blobs = Blobs::Registry(Box::new(registry));
    let (chosen, _) = choose(&blobs, &index, None)?;
    described(blobs, &chosen, name)
}

#[cfg(not(feature = "pull"))]
fn registry(_: &Source) -> Result<Found> {
    let lacks = "this jec was built without the part that asks registries";
    Err(Error::machine(lacks, "cargo build --release --features pull; or skopeo copy … oci:DIR"))
}

/// What a manifest says.
fn described(blobs: Blobs, chosen: &Descriptor, name: String) -> Result<Found> {
    let (digest, bytes) = blobs.described(chosen)?;
    let manifest: ImageManifest = json(&path(&digest), &bytes)?;
    let (id, bytes) = blobs.described(manifest.config())?;
    let config: ImageConfiguration = json(&path(&id), &bytes)?;
    let mut files = Vec::new();
    let mut given = Vec::new();
    for layer in manifest.layers() {
        let media = layer.media_type().to_string();
        let known = TYPES.iter().find(|(known, _)| *known == media);
        let problem = || format!("a layer of type {media:?}, which jec does not know");
        let (_, packed) = known.ok_or_else(|| Error::config(path(&digest), problem()))?;
        let blob = Digest::parse(layer.digest().as_ref())?;
        files.push((path(&blob), *packed));
        given.push((Some(blob), layer.size()));
    }
    Ok(Found { image: image(id, Some(digest), config, given)?, name: Some(name), blobs, files })
}

/// A row of manifest.json.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

fn docker(blobs: Blobs, tag: Option<&str>) -> Result<Found> {
    let all: Vec<Saved> = json("manifest.json", &blobs.document("manifest.json")?)?;
    let saved = saved(&all, tag)?;
    let bytes = blobs.document(&saved.config)?;
    let id = Digest::of(&bytes);
    let file = saved.config.rsplit('/').next().unwrap_or_default();
    let named = file.strip_suffix(".json").unwrap_or(file);
    let differs =
        || Error::config(&*saved.config, format!("is named by its digest, which is {id}"));
    ensure(named.len() != 64 || named == id.hex(), differs)?;
    let config = json(&saved.config, &bytes)?;
    let mut given = Vec::new();
    for layer in &saved.layers {
        given.push((None, blobs.open(layer)?.1));
    }
    let name = tag.map(whole).or_else(|| saved.repo_tags.iter().flatten().next().cloned());
    let files = saved.layers.iter().map(|layer| (layer.clone(), Packed::Unknown)).collect();
    let image = image(id, None, config, given)?;
    Ok(Found { image, name, blobs, files })
}

/// What a name without a tag means.
fn whole(name: &str) -> String {
    let has_tag = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    if has_tag { name.into() } else { format!("{name}:latest") }
}

fn saved<'a>(all: &'a [Saved], tag: Option<&str>) -> Result<&'a Saved> {
    let tags: Vec<_> = all.iter().flat_map(|one| one.repo_tags.iter().flatten()).collect();
    let known = || format!("there are {tags:?}");
    let Some(tag) = tag else {
        let problem = || Error::config("manifest.json", format!("not one image: {}", known()));
        ensure(all.len() == 1, problem)?;
        return Ok(&all[0]);
    };
    let has = |one: &&Saved| one.repo_tags.iter().flatten().any(|name| *name == whole(tag));
    let absent =
        || Error::config(format!("{tag:?}"), format!("no image of this name: {}", known()));
    all.iter().find(has).ok_or_else(absent)
}

/// What all of it says together.
pub(super) fn image(
    id: Digest,
    manifest: Option<Digest>,
    config: ImageConfiguration,
    given: Vec<(Option<Digest>, u64)>,
) -> Result<Image> {
    let name = id.to_string();
    let ids = config.rootfs().diff_ids();
    let counts = || format!("{} layers, but {} diff_ids", given.len(), ids.len());
    ensure(ids.len() == given.len(), || Error::config(&*name, counts()))?;
    ensure(ids.len() <= LAYERS, || Error::config(&*name, format!("more than {LAYERS} layers")))?;
    let platform = format!("{}/{}", config.os(), config.architecture());
    let fits =
        config.architecture().to_string() == architecture() && config.os().to_string() == "linux";
    ensure(fits, || {
        let lacks = format!("the image is for {platform}, and this machine is {}", machine());
        Error::machine(lacks, "jec emulates no other machine; get the image for this one")
    })?;
    let layer = |(text, (digest, size)): (&String, (Option<Digest>, u64))| {
        Ok(Layer { diff_id: Digest::parse(text)?, digest, size })
    };
    let layers = ids.iter().zip(given).map(layer).collect::<Result<Vec<_>>>()?;
    Ok(Image { id, manifest, layers, config })
}
