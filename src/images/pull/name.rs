//! What an image of a registry is called: `busybox`, `host:5000/name:tag`, `name@sha256:…`.

use std::net::IpAddr;

use crate::error::{Error, Result, ensure};
use crate::images::digest::Digest;

/// The registry that is meant when none is named, as people write it.
const HUB: &str = "docker.io";

/// The longest name of a repository, and of a tag.
const LONGEST: (usize, usize) = (255, 128);

/// A name, with all that Docker lets people leave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The registry: a host, perhaps with a port.
    pub host: String,
    /// The repository there.
    pub path: String,
    tag: String,
    /// The only manifest that will do.
    pub digest: Option<Digest>,
}

impl Name {
    /// As written.
    pub fn parse(word: &str) -> Result<Self> {
        let problem = "names no image: write NAME, NAME:TAG or HOST[:PORT]/NAME[:TAG], in small \
            letters, e.g. busybox or registry.example.org/team/app:1.0";
        let wrong = || Error::config(format!("{word:?}"), problem);
        let (rest, digest) = match word.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (word, None),
        };
        let (host, rest) = match rest.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
            _ => (HUB, rest),
        };
        let (path, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
        let is_hub = host == HUB || host == "index.docker.io";
        let library = if is_hub && !path.contains('/') { "library/" } else { "" };
        ensure(is_host(host) && is_path(path) && is_tag(tag), wrong)?;
        let host = if is_hub { HUB } else { host }.to_owned();
        Ok(Self { host, path: format!("{library}{path}"), tag: tag.into(), digest })
    }

    /// What the registry is asked for: a digest, or a tag.
    pub fn reference(&self) -> String {
        self.digest.as_ref().map_or_else(|| self.tag.clone(), Digest::to_string)
    }

    /// As people write it, and as the store calls it.
    pub fn short(&self) -> String {
        let path = self.path.strip_prefix("library/").filter(|_| self.host == HUB);
        let host = if self.host == HUB { String::new() } else { format!("{}/", self.host) };
        let end =
            self.digest.as_ref().map_or_else(|| format!(":{}", self.tag), |it| format!("@{it}"));
        format!("{host}{}{end}", path.unwrap_or(&self.path))
    }

    /// Where its registry listens.
    pub fn server(&self) -> &str {
        if self.host == HUB { "registry-1.docker.io" } else { &self.host }
    }

    /// What config.json calls its registry.
    pub fn login(&self) -> &str {
        if self.host == HUB { "index.docker.io" } else { &self.host }
    }
}

/// Whether a host is this machine: nobody listens on the way to it.
pub fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_host(host: &str) -> bool {
    let port = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    let (name, port) = port.unwrap_or((host, "0"));
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let is_name = !name.is_empty() && name.bytes().all(letter);
    (is_name || inner.is_some_and(|name| name.parse::<IpAddr>().is_ok()))
        && port.parse::<u16>().is_ok()
}

/// Small letters and digits; one point, one or two low lines, or hyphens between them.
fn is_path(path: &str) -> bool {
    let letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let part = |part: &str| {
        let ends = [part.bytes().next(), part.bytes().next_back()];
        ends.iter().all(|end| end.is_some_and(letter))
            && part.bytes().all(|byte| letter(byte) || b"._-".contains(&byte))
            && !part.contains("..")
    };
    path.len() <= LONGEST.0 && path.split('/').all(part)
}

fn is_tag(tag: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST.1).contains(&tag.len()) && tag.bytes().all(letter) && !tag.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_docker_means_by_them() {
        let hex = "a".repeat(64);
        let pinned = format!("localhost/a@sha256:{hex}");
        for (word, host, path, reference, short) in [
            ("busybox", "docker.io", "library/busybox", "latest", "busybox:latest"),
            ("a/b:1.0", "docker.io", "a/b", "1.0", "a/b:1.0"),
            ("docker.io/busybox", "docker.io", "library/busybox", "latest", "busybox:latest"),
            ("h:5000/n:t", "h:5000", "n", "t", "h:5000/n:t"),
            ("ghcr.io/a/b__c/d", "ghcr.io", "a/b__c/d", "latest", "ghcr.io/a/b__c/d:latest"),
            (&pinned, "localhost", "a", &pinned[12..], &pinned),
        ] {
            let name = Name::parse(word).unwrap();
            assert_eq!((&*name.host, &*name.path), (host, path), "{word}");
            assert_eq!((&*name.reference(), &*name.short()), (reference, short), "{word}");
        }
        for word in [
            "",
            "A",
            "a:",
            ":a",
            "a//b",
            "/a",
            "a/../b",
            "a b",
            "a@sha256:1",
            "h:5/",
            "u:p@h/a",
            "h:x/a",
            "h:70000/a",
            "[x]/a",
            "[::1/a",
            "a?b",
            "a:b/c",
            "a:-b",
            "é",
            "https://h/a",
        ] {
            assert!(Name::parse(word).is_err(), "{word}");
        }
    }

    #[test]
    fn only_this_machine_is_local() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:1", "127.9.9.9", "[::1]:5000"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["localhost.example.org", "128.0.0.1", "127.0.0.1.example.org", "docker.io"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
