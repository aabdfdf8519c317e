//! From the specification's configuration to the plan.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use oci_spec::runtime::{Linux, Spec};

use super::mounts::Surroundings;
use super::{Plan, Root};
use super::{devices, document, kernel, mount_words, mounts, namespaces, process, resources};
use super::{scheduling, seccomp, strings, unsupported, version};
use crate::error::{Error, Result};
use crate::sys::file;

impl Plan {
    /// Reads `config.json` in `bundle` for the container `id`.
    pub fn from_bundle(id: &str, bundle: &Path) -> Result<Self> {
        let shown = bundle.display().to_string();
        let (directory, path) = document::open_directory(file::HERE, &shown, bundle)?;
        let text = document::read(directory.as_fd(), &path)?;
        let (spec, mut warnings) = document::parse(&text, &path)?;
        let mut plan = Self::from_spec(id, &path, &spec, &text)?;
        warnings.append(&mut plan.warnings);
        plan.warnings = warnings;
        Ok(plan)
    }

    /// Checks `spec`, whose text is `config`, and turns it into a plan. Relative paths start at
    /// `bundle`, which has to exist, as has the root file system.
    pub fn from_spec(id: &str, bundle: &Path, spec: &Spec, config: &str) -> Result<Self> {
        check_id(id)?;
        let mut warnings = Vec::new();
        version::check(spec.version(), &mut warnings)?;
        unsupported::refuse(spec)?;
        let shown = bundle.display().to_string();
        let (directory, bundle) = document::open_directory(file::HERE, &shown, bundle)?;
        let linux = spec.linux().as_ref();
        let linux = linux
            .ok_or_else(|| Error::config("linux", "is missing: there would be no isolation"))?;
        let namespaces = namespaces::namespaces(linux, &mut warnings)?;
        let around = Surroundings { bundle: &bundle, namespaces: &namespaces };
        let given =
            spec.process().as_ref().ok_or_else(|| Error::config("process", "is missing"))?;
        let mut process = process::process(given, &namespaces, &mut warnings)?;
        process.personality =
            linux.personality().as_ref().map(scheduling::personality).transpose()?;
        Ok(Self {
            id: id.into(),
            config: config.into(),
            annotations: annotations(spec)?,
            root: root(spec, linux, directory.as_fd())?,
            mounts: mounts::mounts(spec.mounts().as_ref(), &around, &mut warnings)?,
            devices: devices::devices(linux.devices().as_ref(), &namespaces, &mut warnings)?,
            masked_paths: strings::absolute_list(
                "linux.maskedPaths",
                linux.masked_paths().as_ref(),
            )?,
            readonly_paths: strings::absolute_list(
                "linux.readonlyPaths",
                linux.readonly_paths().as_ref(),
            )?,
            kernel: kernel::parameters(spec, &namespaces)?,
            cgroup: resources::cgroup(linux)?,
            seccomp: linux
                .seccomp()
                .as_ref()
                .map(|given| seccomp::profile_for(given, process.no_new_privileges))
                .transpose()?,
            process,
            bundle,
            namespaces,
            warnings,
        })
    }
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

/// In the order of their keys: a hash map has none, and two runs should write the same state.
fn annotations(spec: &Spec) -> Result<Vec<(String, String)>> {
    let given: BTreeMap<_, _> = spec.annotations().iter().flatten().collect();
    if given.keys().any(|key| key.is_empty()) {
        return Err(Error::config("annotations", "has an empty key"));
    }
    Ok(given.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn root(spec: &Spec, linux: &Linux, bundle: BorrowedFd) -> Result<Root> {
    let Some(given) = spec.root() else {
        return Err(Error::config("root", "is missing"));
    };
    let (_, path) = document::open_directory(bundle, "root.path", given.path())?;
    Ok(Root {
        path: strings::c_path("root.path", &path)?,
        readonly: given.readonly().unwrap_or(false),
        propagation: propagation(linux.rootfs_propagation().as_ref())?,
        no_pivot: false,
    })
}

/// linux.rootfsPropagation as flags of mount(2): with `r` before the word it holds for all mounts
/// below as well, as in runc and crun; 0 where the configuration is silent.
fn propagation(word: Option<&String>) -> Result<u64> {
    let Some(word) = word.filter(|word| !word.is_empty()) else {
        return Ok(0);
    };
    let flags = mount_words::propagation(word).ok_or_else(|| {
        let problem = format!("{word:?} is not shared, slave, private or unbindable");
        Error::config("linux.rootfsPropagation", problem)
    })?;
    Ok(flags.bits())
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
}
