//! An image in a registry: one more place where blobs lie.
//!
//! Documents are read as they are asked for; layers are fetched into files of the store first,
//! and then read like those of an image layout: what verifies them is the same.

mod advice;
mod bars;
mod blob;
mod http;
mod login;
mod name;

use std::ffi::CString;
use std::fs::File;
use std::io::{Cursor, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;

use nix::fcntl::OFlag;
use oci_spec::image::ImageIndex;
use ureq::http::header::{CONTENT_TYPE, HeaderName};

use self::advice::{Failed, tries, unreachable};
use self::blob::Fetch;
use self::http::{Answer, Client, Question, header};
use self::name::Name;
use super::blobs::{LARGEST, Opened};
use super::choose::{INDEXES, MANIFESTS};
use super::digest::Digest;
use super::image::Layer;
use super::source::Source;
use super::store::Store;
use crate::error::{Error, Result, ensure};
use crate::sys::file;

/// What the path of a manifest begins with; that of any other blob is that of a layout.
pub const MANIFEST: &str = "manifests/";

/// The repository of an image.
pub struct Registry {
    client: Client,
    name: Name,
    /// What the name means, read already.
    top: (Digest, Vec<u8>),
    /// Where layers are kept until they are unpacked.
    place: OnceLock<OwnedFd>,
}

impl Registry {
    /// Asks a registry what a name means. The answer looks like the index of a layout.
    pub fn find(source: &Source) -> Result<(Self, ImageIndex, String)> {
        let name = Name::parse(&source.path.to_string_lossy())?;
        let client = Client::new(&name, &source.access)?;
        let path = format!("/v2/{}/manifests/{}", name.path, name.reference());
        let (bytes, media, said) = document(&client, &path)?;
        let digest = Digest::of(&bytes);
        let wanted = name.digest.clone().map(|it| it.to_string()).or(said);
        let differs = |wanted: &str| {
            let problem = format!(
                "{}: its digest is {digest}, and {wanted} was announced: damaged, or \
                exchanged for something else",
                client.url(&path)
            );
            Error::config(name.short(), problem)
        };
        wanted
            .map_or(Ok(()), |wanted| ensure(wanted == digest.to_string(), || differs(&wanted)))?;
        let known = INDEXES.iter().chain(&MANIFESTS).any(|known| *known == media);
        let other = || format!("{}: of media type {media:?}, which is no image", client.url(&path));
        ensure(known, || Error::config(name.short(), other()))?;
        let index = index(&digest, &media, bytes.len() as u64)?;
        let short = name.short();
        Ok((Self { client, name, top: (digest, bytes), place: OnceLock::new() }, index, short))
    }

    /// A document from the registry, or a layer that has been fetched.
    pub fn open(&self, name: &str) -> Result<Opened> {
        let digest =
            Digest::parse(&format!("sha256:{}", name.rsplit('/').next().unwrap_or_default()))?;
        if digest == self.top.0 {
            return Ok((Box::new(Cursor::new(self.top.1.clone())), self.top.1.len() as u64));
        }
        if let Some(place) = self.place.get() {
            let found =
                file::openat(place.as_fd(), &CString::new(digest.hex())?, OFlag::O_RDONLY, 0)?;
            let size = file::fstat(found.as_fd())?.st_size.unsigned_abs();
            return Ok((Box::new(File::from(found)), size));
        }
        let kind = if name.starts_with(MANIFEST) { "manifests" } else { "blobs" };
        let path = format!("/v2/{}/{kind}/{digest}", self.name.path);
        let (bytes, ..) = document(&self.client, &path)?;
        let size = bytes.len() as u64;
        Ok((Box::new(Cursor::new(bytes)), size))
    }

    /// Brings layers that are not in the store.
    pub fn fetch(&self, store: &Store, layers: &[&Layer]) -> Result<()> {
        let pairs = layers.iter().filter_map(|layer| Some((*layer, layer.digest.as_ref()?)));
        let mut layers: Vec<(&Layer, &Digest)> = pairs.collect();
        layers.sort_by_key(|(_, digest)| *digest);
        layers.dedup_by_key(|(_, digest)| *digest);
        let place = store.pulls()?;
        let path = format!("/v2/{}/blobs/", self.name.path);
        let fetch = Fetch { client: &self.client, path: &path, place: place.as_fd(), store };
        blob::all(&fetch, &layers)?;
        self.place.set(place).unwrap_or_default();
        Ok(())
    }

    /// The layers are unpacked: their files go.
    pub fn forget(store: &Store, layers: &[Layer]) -> Result<()> {
        let place = store.pulls()?;
        for digest in layers.iter().filter_map(|layer| layer.digest.as_ref()) {
            file::remove(place.as_fd(), &CString::new(digest.hex())?, false)?;
        }
        Ok(())
    }
}

/// A document, its media type, and the digest that the registry says it has.
fn document(client: &Client, path: &str) -> Result<(Vec<u8>, String, Option<String>)> {
    let accept = INDEXES.iter().chain(&MANIFESTS).copied().collect::<Vec<_>>().join(", ");
    tries(|| {
        let question = Question { path, accept: &accept, from: 0 };
        let answer = client.ask(&question)?;
        let text = |name: &HeaderName| header(&answer, name).to_owned();
        let media = text(&CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_owned();
        let digest = text(&HeaderName::from_static("docker-content-digest"));
        let bytes = whole(client, path, answer)?;
        Ok((bytes, media, Some(digest).filter(|digest| !digest.is_empty())))
    })
}

fn whole(client: &Client, path: &str, answer: Answer) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let body = answer.into_body().into_with_config().limit(u64::MAX).reader();
    let cut = |error| unreachable(&client.name(), &client.url(path), &ureq::Error::Io(error));
    body.take(LARGEST + 1).read_to_end(&mut bytes).map_err(cut)?;
    let problem =
        || format!("{}: no document of an image needs more than {LARGEST} bytes", client.url(path));
    ensure(bytes.len() as u64 <= LARGEST, || Error::config(client.name(), problem()))?;
    Ok(bytes)
}

/// An index of one.
fn index(digest: &Digest, media: &str, size: u64) -> Result<ImageIndex> {
    let text = serde_json::json!({"schemaVersion": 2,
        "manifests": [{"mediaType": media, "digest": digest, "size": size}]});
    serde_json::from_value(text).map_err(|error| Error::config("index.json", error.to_string()))
}
