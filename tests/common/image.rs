//! Images made by the tests: image layouts, and the archives that hold them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// A member of a layer.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    Directory,
    File(&'a [u8]),
    /// A file of this user and group.
    Of(u64, &'a [u8]),
    Link(&'a str),
}

/// How a layer lies in the layout.
#[derive(Clone, Copy)]
pub enum Pack {
    Plain,
    Gzip,
    Zstd,
}

/// A tar archive.
pub fn tar(items: &[(&str, Item)]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (name, item) in items {
        let (kind, bytes, owner): (_, &[u8], _) = match item {
            Item::Directory => (EntryType::Directory, b"", 0),
            Item::File(bytes) => (EntryType::Regular, bytes, 0),
            Item::Of(owner, bytes) => (EntryType::Regular, bytes, *owner),
            Item::Link(_) => (EntryType::Symlink, b"", 0),
        };
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_mtime(1000);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_size(bytes.len() as u64);
        match item {
            Item::Link(to) => archive.append_link(&mut header, name, to).expect("a link"),
            _ => archive.append_data(&mut header, name, bytes).expect("a member"),
        }
    }
    archive.into_inner().expect("an archive")
}

pub fn digest(bytes: &[u8]) -> String {
    let hex: Vec<_> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

pub fn packed(bytes: &[u8], pack: Pack) -> (Vec<u8>, &'static str) {
    let base = "application/vnd.oci.image.layer.v1.tar";
    match pack {
        Pack::Plain => (bytes.to_vec(), base),
        Pack::Gzip => {
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gz.write_all(bytes).expect("gzip");
            (gz.finish().expect("gzip"), "application/vnd.oci.image.layer.v1.tar+gzip")
        }
        Pack::Zstd => {
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            let bytes = ruzstd::encoding::compress_to_vec(bytes, level);
            (bytes, "application/vnd.oci.image.layer.v1.tar+zstd")
        }
    }
}

/// What the tests of one image are about.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// This machine, as images say it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// An image layout in a directory.
pub struct Layout(pub PathBuf);

impl Layout {
    pub fn new(path: PathBuf) -> Self {
        fs::create_dir_all(path.join("blobs/sha256")).expect("a layout");
        fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
        Self(path)
    }

    pub fn path_of(&self, digest: &str) -> PathBuf {
        self.0.join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }

    /// Adds a blob, and describes it.
    pub fn blob(&self, bytes: &[u8], media: &str) -> Value {
        let digest = digest(bytes);
        fs::write(self.path_of(&digest), bytes).expect("a blob");
        json!({"mediaType": media, "digest": digest, "size": bytes.len()})
    }

    /// Adds a document.
    pub fn document(&self, value: &Value, media: &str) -> Value {
        self.blob(value.to_string().as_bytes(), media)
    }

    /// Adds an image, whose manifest `change` may spoil; describes the manifest.
    pub fn image(
        &self,
        layers: &[(Vec<u8>, Pack)],
        config: &Value,
        change: impl FnOnce(&mut Value, &mut Value),
    ) -> Value {
        let ids: Vec<_> = layers.iter().map(|(bytes, _)| digest(bytes)).collect();
        let mut whole = json!({"architecture": architecture(), "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": ids}});
        let blobs: Vec<_> = layers
            .iter()
            .map(|(bytes, pack)| {
                let (bytes, media) = packed(bytes, *pack);
                self.blob(&bytes, media)
            })
            .collect();
        let mut manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": blobs});
        change(&mut manifest, &mut whole);
        if manifest["config"].is_null() {
            manifest["config"] = self.document(&whole, "application/vnd.oci.image.config.v1+json");
        }
        self.document(&manifest, MANIFEST)
    }

    /// Writes index.json.
    pub fn index(&self, manifests: &[Value]) {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(self.0.join("index.json"), index.to_string()).expect("index.json");
    }

    /// The same as a tar archive beside the directory.
    pub fn archive(&self) -> PathBuf {
        let path = self.0.with_extension("tar");
        let mut archive = Builder::new(fs::File::create(&path).expect("a file"));
        archive.append_dir_all(".", &self.0).expect("an archive");
        archive.into_inner().expect("an archive");
        path
    }
}

/// With a tag.
pub fn tagged(mut manifest: Value, tag: &str) -> Value {
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
    manifest
}

/// For another machine, or for this one.
pub fn of_platform(mut manifest: Value, architecture: &str) -> Value {
    manifest["platform"] = json!({"os": "linux", "architecture": architecture});
    manifest
}

/// What `docker save` writes: layers twice, once as links, as the old ones did.
pub fn docker_archive(path: &Path, name: &str, layers: &[Vec<u8>], config: &Value) {
    let ids: Vec<_> = layers.iter().map(|bytes| digest(bytes)).collect();
    let config = json!({"architecture": architecture(), "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": ids}})
    .to_string();
    let hex = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    let file = format!("{}.json", hex(&digest(config.as_bytes())));
    let names: Vec<_> = ids.iter().map(|id| format!("{}/layer.tar", &hex(id)[..16])).collect();
    let manifest = json!([{"Config": file, "RepoTags": [name], "Layers": names}]).to_string();
    let real: Vec<_> = ids.iter().map(|id| format!("{}.tar", hex(id))).collect();
    let links: Vec<_> = real.iter().map(|name| format!("../{name}")).collect();
    let mut items: Vec<(&str, Item)> = vec![(&file, Item::File(config.as_bytes()))];
    for (at, bytes) in layers.iter().enumerate() {
        items.push((&names[at], Item::Link(&links[at])));
        items.push((&real[at], Item::File(bytes)));
    }
    items.push(("manifest.json", Item::File(manifest.as_bytes())));
    fs::write(path, tar(&items)).expect("an archive");
}
