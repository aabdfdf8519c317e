//! An image that is another one and a layer more, or that begins with a layer.
//!
//! Nothing in it says when or where it was made: the same changes of the same image are the same
//! image, with the same id.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use oci_spec::image::{History, HistoryBuilder, ImageConfiguration, RootFs};

use super::blobs::{Blobs, Member};
use super::choose::architecture;
use super::digest::Digest;
use super::image::Image;
use super::read::{Found, Packed, image};
use crate::error::{Error, Result};

/// The image called `name`, whose new layers stand in `file`, one behind the other.
pub fn derive(base: Option<Image>, name: &str, file: File, new: &[(Digest, u64)]) -> Result<Found> {
    let (mut config, layers) = match base {
        Some(base) => (base.config, base.layers),
        None => (first(), vec![]),
    };
    let mut given: Vec<_> = layers.into_iter().map(|layer| (layer.digest, layer.size)).collect();
    // Those below are in the store, and nobody reads them again.
    let mut files = vec![(String::new(), Packed::No); given.len()];
    let mut members = BTreeMap::new();
    let mut at = 0;
    for (digest, size) in new {
        let name = digest.to_string();
        add_step(&mut config, given.len());
        config.rootfs_mut().diff_ids_mut().push(name.clone());
        members.insert(name.clone(), Member::File(at, *size));
        files.push((name, Packed::No));
        given.push((Some(digest.clone()), *size));
        at += size;
    }
    // It was not made when its base was.
    config.set_created(None);
    let wrong = |error: serde_json::Error| Error::config("the configuration", error.to_string());
    // By way of a value, whose maps are sorted: the same configuration is the same bytes.
    let bytes = serde_json::to_value(&config).and_then(|value| serde_json::to_vec(&value));
    let id = Digest::of(&bytes.map_err(wrong)?);
    let blobs = Blobs::Archive(Arc::new(file), members);
    Ok(Found { image: image(id, None, config, given)?, name: Some(name.into()), blobs, files })
}

/// What an image says that is made of a directory.
fn first() -> ImageConfiguration {
    let mut config = ImageConfiguration::default();
    config.set_os("linux".into()).set_architecture(architecture().into());
    config.set_rootfs(RootFs::default()).set_config(None).set_history(None);
    config
}

/// A step of the history for the layer of this number; those below get one if they had none.
fn add_step(config: &mut ImageConfiguration, layer: usize) {
    let mut history = config.history().clone().unwrap_or_default();
    let told = history.iter().filter(|step| step.empty_layer() != Some(true)).count();
    let silent = layer.saturating_sub(told);
    history.extend(std::iter::repeat_n(History::default(), silent));
    history.extend(HistoryBuilder::default().created_by("jec image commit").build());
    config.set_history(Some(history));
}
