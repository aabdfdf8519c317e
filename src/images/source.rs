//! Where an image comes from, as the command line names it.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result, ensure};

/// How an image lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory with oci-layout, index.json and blobs.
    Layout,
    /// The same in a tar archive.
    LayoutArchive,
    /// What `docker save` and `podman save` write.
    DockerArchive,
    /// A registry; the path is then the image's name.
    Registry,
}

/// How to speak to a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Without TLS.
    pub plain_http: bool,
    /// Certificates of those who may vouch for it, instead of the machine's.
    pub ca: Option<PathBuf>,
}

/// An image outside of the store: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As what to read it.
    pub kind: Kind,
    /// The directory or the file.
    pub path: PathBuf,
    /// Which of several images.
    pub tag: Option<String>,
    /// Where it is far away.
    pub access: Access,
}

/// What an image of a registry is called on the command line of `jec run`.
pub const REGISTRY: &str = "docker://";

/// Longer words first would not matter: each ends with its colon.
const KINDS: [(&str, Kind); 4] = [
    ("oci:", Kind::Layout),
    ("oci-archive:", Kind::LayoutArchive),
    ("docker-archive:", Kind::DockerArchive),
    (REGISTRY, Kind::Registry),
];

/// What an image of the store is called on the command line of `jec run`.
pub const STORED: &str = "image:";

/// Whether a TARGET means an image.
pub fn is_image(word: &str) -> bool {
    word.starts_with(STORED) || KINDS.iter().any(|(prefix, _)| word.starts_with(prefix))
}

impl Source {
    /// As written. As in skopeo the first colon ends the path.
    pub fn parse(word: &str) -> Result<Self> {
        let kind =
            KINDS.iter().find_map(|(prefix, kind)| Some((word.strip_prefix(prefix)?, *kind)));
        let problem = "write oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME] or \
            docker://NAME";
        let (rest, kind) = kind.ok_or_else(|| Error::config(word, problem))?;
        let (path, tag) = match rest.split_once(':') {
            _ if kind == Kind::Registry => (rest, None),
            Some((path, tag)) => (path, Some(tag.to_owned())),
            None => (rest, None),
        };
        let is_whole = !path.is_empty() && tag.as_deref() != Some("");
        ensure(is_whole, || Error::config(word, problem))?;
        Ok(Self { kind, path: path.into(), tag, access: Access::default() })
    }

    /// A name for what came from there and has none of its own: that of the file, and the tag.
    pub fn name(&self, tag: Option<&str>) -> String {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let name = path.file_name().unwrap_or(Path::new("image").as_os_str()).to_string_lossy();
        let name = name.strip_suffix(".tar").unwrap_or(&name);
        let letter = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        format!("{}:{}", name.chars().map(letter).collect::<String>(), tag.unwrap_or("latest"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_a_kind_a_path_and_perhaps_a_tag() {
        let found = |word| Source::parse(word).map(|s| (s.kind, s.path, s.tag));
        let (path, tag) = (PathBuf::from("a/b"), Some("1.0".to_owned()));
        assert_eq!(found("oci:a/b"), Ok((Kind::Layout, path.clone(), None)));
        assert_eq!(found("oci:a/b:1.0"), Ok((Kind::Layout, path.clone(), tag)));
        assert_eq!(found("docker://a/b"), Ok((Kind::Registry, path.clone(), None)));
        let name = Some("docker.io/x:1".to_owned());
        assert_eq!(
            found("docker-archive:a/b:docker.io/x:1"),
            Ok((Kind::DockerArchive, path, name))
        );
        for word in ["oci:", "oci::x", "oci:a:", "a/b", "docker://", "docker:x"] {
            assert!(found(word).is_err(), "{word}");
        }
        assert!(is_image("image:x") && is_image("oci-archive:x") && !is_image("./oci:x"));
    }

    #[test]
    fn a_nameless_image_is_called_like_its_file() {
        let name = |word, tag| Source::parse(word).unwrap().name(tag);
        assert_eq!(name("oci:/x/my box", None), "my-box:latest");
        assert_eq!(name("oci-archive:/x/a.tar", Some("2")), "a:2");
    }
}
