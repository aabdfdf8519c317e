//! A root that is made of an image's layers, and what the image says of its program.
//!
//! An image is written by somebody else: it may say what runs in the container, never how the
//! container is made. So its words become those of the flags, which win over them, and none of
//! its labels can become an annotation that jec itself heeds.

use std::collections::HashMap;
use std::ffi::CStr;
use std::path::PathBuf;

use oci_spec::image::{Config, ImageConfiguration};
use oci_spec::runtime::Mount;

use super::defaults::mount;
use super::environment::{Variable, variable};
use super::mounts::destination;
use super::user::{Accounts, UserFlag, read_found, user_flag};
use crate::error::{Error, Result, ensure};
use crate::images::digest::Digest;
use crate::images::import;
use crate::images::mapped;
use crate::images::merged;
use crate::images::store::Store;
use crate::plan::IdMaps;
use crate::plan::config::overlay::{IMAGE, LOWER};
use crate::sys::credentials;

/// Labels and annotations of this beginning are jec's own words.
const OURS: &str = "jec.";

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// As the user has written it.
    pub word: String,
    /// An empty directory, which the layers will cover.
    pub root: PathBuf,
    /// The layers, the topmost first.
    layers: Vec<PathBuf>,
    id: Digest,
    /// What the image says.
    config: ImageConfiguration,
    /// The store belongs to root of this machine.
    is_roots: bool,
}

impl Image {
    /// Looks the image up, imports it if need be, and keeps it from being removed.
    pub fn find(word: &str) -> Result<Self> {
        let store = Store::open()?;
        let image = import::get(&store, word)?;
        store.hold(&image)?;
        let mut layers: Vec<_> = image.stack().into_iter().map(|one| store.layer(one)).collect();
        if layers.is_empty() {
            layers.push(store.empty());
        }
        let is_roots = credentials::geteuid() == 0;
        let (word, root, id, config) = (word.into(), store.empty(), image.id, image.config);
        Ok(Self { word, root, layers, id, config, is_roots })
    }

    fn says(&self) -> Config {
        self.config.config().clone().unwrap_or_default()
    }

    fn wrong(&self, what: &str, problem: impl Into<String>) -> Error {
        Error::config(format!("{}: {what} of the image", self.word), problem)
    }

    /// The files of the layers have the ids that the owner of the store gave them: root those of
    /// this machine, others those that her containers have without flags.
    pub fn refuse_other_ids(&self, maps: Option<&IdMaps>) -> Result<()> {
        let kept = mapped::maps()?;
        let are_its = match (maps, &kept) {
            (None, _) => true,
            (Some(maps), Some(kept)) => maps == kept,
            (Some(_), None) => !self.is_roots,
        };
        let whose = if self.is_roots { "this machine" } else { "your containers without flags" };
        let problem = format!("the files of {} belong to the ids of {whose}: ", self.word)
            + "leave the flag out, or run the image as another user";
        ensure(are_its, || Error::config("--userns, --uidmap", problem))
    }

    /// etc/passwd and etc/group of the merged layers.
    pub fn accounts(&self) -> Result<Accounts> {
        let stack = merged::open(self.layers.iter().map(PathBuf::as_path))?;
        let read = |name: &CStr| match merged::find(&stack, &name.to_string_lossy())? {
            Some(found) => read_found(&found, name),
            None => Ok(String::new()),
        };
        Ok(Accounts { passwd: read(c"etc/passwd")?, group: read(c"etc/group")? })
    }

    /// Who runs the command when no flag says so.
    pub fn user(&self) -> Result<Option<UserFlag>> {
        let user = self.says().user().clone().filter(|user| !user.is_empty());
        let parse = |user: String| user_flag(&user).map_err(|problem| self.wrong("User", problem));
        user.map(parse).transpose()
    }

    /// What the environment begins with. A name without a value would be copied from ours.
    pub fn environment(&self) -> Result<Vec<Variable>> {
        let all = self.says().env().clone().unwrap_or_default();
        let with_value = all.iter().filter(|text| text.contains('='));
        let parse = |text: &String| variable(text).map_err(|problem| self.wrong("Env", problem));
        with_value.map(parse).collect()
    }

    /// Where the command starts.
    pub fn directory(&self) -> Result<Option<String>> {
        let directory = self.says().working_dir().clone().filter(|path| !path.is_empty());
        let parse = |path: String| destination(&path).map_err(|why| self.wrong("WorkingDir", why));
        directory.map(parse).transpose()
    }

    /// The entrypoint, and behind it the words of the user, or the image's own. Those belong to
    /// its own entrypoint: another one, and an empty one too, comes without them, as in Docker.
    pub fn command(&self, words: &[String], entrypoint: Option<&str>) -> Vec<String> {
        let says = self.says();
        let mut command = match entrypoint {
            None => says.entrypoint().clone().unwrap_or_default(),
            Some("") => vec![],
            Some(program) => vec![program.into()],
        };
        match words {
            [] if entrypoint.is_none() => command.extend(says.cmd().iter().flatten().cloned()),
            words => command.extend_from_slice(words),
        }
        command
    }

    /// A volume is a directory of its own, filled with what the image has there. These come before
    /// all other mounts, so that no image puts anything over /proc.
    pub fn volumes(&self) -> Result<Vec<Mount>> {
        let mut volumes = Vec::new();
        for path in self.says().volumes().iter().flatten() {
            volumes.push(destination(path).map_err(|problem| self.wrong("Volumes", problem))?);
        }
        // A map has no order: the same image makes the same spec, an outer one before an inner.
        volumes.sort();
        volumes.dedup();
        let options = ["nosuid", "nodev", "tmpcopyup"];
        let inner = volumes.iter().filter(|path| *path != "/");
        Ok(inner.map(|path| mount(path, "tmpfs", "tmpfs", &options)).collect())
    }

    /// The layers, and what the image says that a spec has no word for (image-spec, conversion.md).
    pub fn annotations(&self) -> HashMap<String, String> {
        let (says, config) = (self.says(), &self.config);
        let mut ports = says.exposed_ports().clone().unwrap_or_default();
        ports.sort();
        let mut all = HashMap::new();
        for (name, value) in [
            ("os", Some(config.os().to_string())),
            ("architecture", Some(config.architecture().to_string())),
            ("variant", config.variant().clone()),
            ("author", config.author().clone()),
            ("created", config.created().clone()),
            ("stopSignal", says.stop_signal().clone()),
            ("exposedPorts", Some(ports.join(",")).filter(|text| !text.is_empty())),
        ] {
            all.extend(value.map(|value| (format!("org.opencontainers.image.{name}"), value)));
        }
        let labels = says.labels().clone().unwrap_or_default();
        let theirs = |name: &str| !name.is_empty() && !name.starts_with(OURS);
        all.extend(labels.into_iter().filter(|(name, _)| theirs(name)));
        let layers: Vec<_> = self.layers.iter().map(|path| path.to_string_lossy()).collect();
        all.insert(LOWER.into(), layers.join(":"));
        all.insert(IMAGE.into(), self.id.to_string());
        all
    }
}
