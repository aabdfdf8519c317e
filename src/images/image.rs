//! An image as the store knows it.

use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// A configuration, and the layers that make its root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The digest of the configuration, which names all layers: so this names everything.
    pub id: Digest,
    /// The digest of the manifest it came with, if it came with one.
    pub manifest: Option<Digest>,
    /// The lowest first.
    pub layers: Vec<Layer>,
    /// What to run, and how.
    pub config: ImageConfiguration,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The digest of its tar, not compressed: its name in the store.
    #[serde(rename = "diffId")]
    pub diff_id: Digest,
    /// The digest of the blob it came as.
    pub digest: Option<Digest>,
    /// The length of that blob, in bytes.
    pub size: u64,
}

impl Image {
    /// What overlayfs has to show, the topmost first. It takes no directory twice; of a layer that
    /// comes again the upper one hides all that the lower one has.
    pub fn stack(&self) -> Vec<&Digest> {
        let mut stack: Vec<&Digest> = Vec::new();
        for layer in self.layers.iter().rev() {
            if !stack.contains(&&layer.diff_id) {
                stack.push(&layer.diff_id);
            }
        }
        stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_comes_twice_is_shown_once_where_it_is_uppermost() {
        let layer = |text: &[u8]| Layer { diff_id: Digest::of(text), digest: None, size: 0 };
        let layers = [b"a", b"b", b"a", b"c"].map(|text| layer(text)).to_vec();
        let config = ImageConfiguration::default();
        let image = Image { id: Digest::of(b""), manifest: None, layers, config };
        let stack = [b"c", b"a", b"b"].map(|text| Digest::of(text));
        assert_eq!(image.stack(), stack.iter().collect::<Vec<_>>());
    }
}
