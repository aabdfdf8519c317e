//! From the specification's configuration to the plan.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, Spec};
use semver::Version;

use super::property::{absolute, c_string, each, each_entry, ensure, inside};
use super::{Plan, Root, bundle, devices, kernel, mount_options, mounts, namespaces, process};
use super::{resources, rules, seccomp};
use crate::error::{Error, Result};
use crate::sys::file;

impl Plan {
    /// Reads `config.json` in `bundle` for the container `id`.
    pub fn from_bundle(id: &str, bundle: &Path) -> Result<Self> {
        let (directory, path) = open(bundle)?;
        let shown = path.join("config.json").display().to_string();
        let text = bundle::read(directory.as_fd(), &shown)?;
        let (spec, warnings) = bundle::parse(&text, &shown)?;
        Self::build(id, &path, &spec, text, warnings)
    }

    /// Checks `spec`, whose text is `config`, and turns it into a plan. Relative paths start at
    /// `bundle`, which has to exist, as has the root file system.
    pub fn from_spec(id: &str, bundle: &Path, spec: &Spec, config: &str) -> Result<Self> {
        let document = serde_json::to_value(spec)
            .map_err(|error| Error::config("config.json", error.to_string()))?;
        rules::check(&document)?;
        Self::build(id, bundle, spec, config.into(), Vec::new())
    }

    fn build(
        id: &str,
        bundle: &Path,
        spec: &Spec,
        config: String,
        mut warnings: Vec<String>,
    ) -> Result<Self> {
        check_id(id)?;
        check_version(spec.version(), &mut warnings)?;
        let missing = |name| move || Error::config(name, "is missing");
        let linux = spec.linux().as_ref().ok_or_else(missing("linux"))?;
        let process = spec.process().as_ref().ok_or_else(missing("process"))?;
        let (directory, bundle) = open(bundle)?;
        let namespaces = namespaces::namespaces(linux, &mut warnings).map_err(inside("linux"))?;
        let process = process::process(process, linux, &namespaces, &mut warnings)?;
        let profile = |given| seccomp::profile_for(given, process.no_new_privileges);
        let seccomp = linux.seccomp().as_ref().map(profile).transpose()?;
        Ok(Self {
            id: id.into(),
            config,
            annotations: each_entry("annotations", spec.annotations(), |key, value| {
                ensure(!key.is_empty(), "", "is an empty key")?;
                Ok((key.into(), value.clone()))
            })?,
            root: root(spec, linux, directory.as_fd())?,
            mounts: mounts::mounts(spec.mounts().as_ref(), &bundle, &namespaces, &mut warnings)?,
            devices: devices::devices(linux.devices().as_ref(), &namespaces, &mut warnings)?,
            masked_paths: each("linux.maskedPaths", linux.masked_paths(), absolute)?,
            readonly_paths: each("linux.readonlyPaths", linux.readonly_paths(), absolute)?,
            kernel: kernel::parameters(spec, linux, &namespaces)?,
            cgroup: resources::cgroup(linux)?,
            seccomp,
            process,
            bundle,
            namespaces,
            warnings,
        })
    }
}

/// Opens the bundle, and says where it is.
fn open(bundle: &Path) -> Result<(OwnedFd, PathBuf)> {
    let shown = bundle.display().to_string();
    bundle::open_directory(file::HERE, bundle).map_err(inside(&shown))
}

fn root(spec: &Spec, linux: &Linux, bundle: BorrowedFd) -> Result<Root> {
    let given = spec.root().as_ref().ok_or_else(|| Error::config("root", "is missing"))?;
    let opened = bundle::open_directory(bundle, given.path());
    let path = opened.and_then(|(_, path)| c_string(path)).map_err(inside("root.path"))?;
    let word = linux.rootfs_propagation().as_deref().unwrap_or_default();
    let propagation = mount_options::root_propagation(word);
    Ok(Root {
        path,
        readonly: given.readonly().unwrap_or(false),
        propagation: propagation.map_err(inside("linux.rootfsPropagation"))?,
        no_pivot: false,
    })
}

/// The newest version whose properties are known here.
const KNOWN: Version = Version::new(1, 3, 0);

/// Within a major version everything stays compatible; a newer minor one may have properties
/// that are unknown here, and unknown ones have to be ignored.
fn check_version(text: &str, warnings: &mut Vec<String>) -> Result<()> {
    let version = Version::parse(text).map_err(|error| {
        let problem = format!("{text:?} is not a version as semver.org defines it: {error}");
        Error::config("ociVersion", problem)
    })?;
    let is_compatible = version.major == KNOWN.major;
    let problem = format!("{text} is incompatible with {}.x", KNOWN.major);
    ensure(is_compatible, "ociVersion", problem)?;
    if version.minor > KNOWN.minor {
        let Version { major, minor, .. } = KNOWN;
        warnings.push(format!("ociVersion: {text} is newer than {major}.{minor}"));
    }
    Ok(())
}

/// Refuses an id that could lead out of the state directory, of which it is a part.
pub fn check_id(id: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+.-".contains(&byte);
    let problem = match id {
        "" => "is empty",
        "." | ".." => "is a directory's own name",
        _ if id.len() > 1024 => "is longer than 1024 bytes",
        _ if !id.bytes().all(plain) => {
            "has other characters than letters, digits, `_`, `+`, `.` and `-`"
        }
        _ => return Ok(()),
    };
    Err(Error::config(format!("container id {:?}", shortened(id)), problem))
}

fn shortened(id: &str) -> String {
    id.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_inside_the_state_directory() {
        let long = "a".repeat(1024);
        for id in ["a", "A_b+c.d-e", "...", "-x", "0", &long] {
            assert!(check_id(id).is_ok(), "{id}");
        }
        let too_long = "a".repeat(1025);
        for id in ["", ".", "..", "a/b", "/", "a b", "ä", "a\0", "a\n", "a:b", &too_long] {
            assert!(check_id(id).is_err(), "{id:?}");
        }
    }

    #[test]
    fn versions_are_semantic_ones_of_major_one() {
        for version in ["1.0.0", "1.0.2-dev", "1.3.0", "1.2.1+dev", "1.0.0-rc.1+a.b-c", "1.9.0"] {
            assert!(check_version(version, &mut Vec::new()).is_ok(), "{version}");
        }
        let bad = [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "v1.0.0",
            "01.0.0",
            "1.0.0-",
            "1.0.0+",
            "1.0.0-a..b",
            "1.0.0-01",
            "1.-1.0",
            "1.0.0 ",
            "0.1.0",
            "2.0.0",
            "99999999999999999999.0.0",
            "1.0.x",
        ];
        for version in bad {
            assert!(check_version(version, &mut Vec::new()).is_err(), "{version}");
        }
    }

    #[test]
    fn a_newer_minor_version_is_a_warning() {
        let mut warnings = Vec::new();
        check_version("1.3.9", &mut warnings).unwrap();
        assert!(warnings.is_empty());
        check_version("1.4.0", &mut warnings).unwrap();
        assert_eq!(warnings, ["ociVersion: 1.4.0 is newer than 1.3"]);
    }
}
