//! What is started: a root file system with two small programs, and bundles as
//! an engine writes them. All lie on the tmpfs of [`crate::view`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::payload;
use crate::view::{self, PARENT};

const PLACE: &str = "/run/bench";
/// The files that an engine binds into every container, with what they hold.
const FILES: [(&str, &str); 4] = [
    ("/etc/hosts", "127.0.0.1 localhost\n"),
    ("/etc/hostname", "bench\n"),
    ("/etc/resolv.conf", "nameserver 192.0.2.1\n"),
    ("/run/.containerenv", ""),
];
const PROGRAMS: &str = "/bin/true";
const PAUSE: &str = "/bin/pause";

/// Everything that can be started, and with what.
pub struct Bundles {
    plain: Value,
    profile: Value,
    /// Whether the bundles carry device rules: not every runtime can have them everywhere.
    pub device_rules: bool,
}

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It ends at once.
    Ends,
    /// It stays until it is killed.
    Stays,
}

impl Bundles {
    /// Makes the root file system, and takes the configuration that `jec spec` prints.
    pub fn make(jec: &Path) -> Result<Self, String> {
        let text = |error: std::io::Error| format!("{PLACE}: {error}");
        let root = root();
        for directory in ["bin", "dev", "etc", "proc", "run", "sys", "tmp"] {
            fs::create_dir_all(root.join(directory)).map_err(text)?;
        }
        for (name, content) in FILES {
            let (source, target) = (source(name), root.join(&name[1..]));
            fs::create_dir_all(Path::new(PLACE).join("files")).map_err(text)?;
            fs::write(source, content).and_then(|()| fs::write(target, "")).map_err(text)?;
        }
        program(&root, PROGRAMS, &payload::true_program()).map_err(text)?;
        program(&root, PAUSE, &payload::pause_program()).map_err(text)?;
        let profile = spec(jec, &root)?;
        let mut plain = profile.clone();
        plain["linux"].as_object_mut().map(|linux| linux.remove("seccomp"));
        let bundles = Self { plain, profile, device_rules: true };
        let filter = crate::filter::compile(&bundles.profile["linux"]["seccomp"]);
        fs::write(filter_file(), filter).map_err(text)?;
        Ok(bundles)
    }

    /// Writes the bundle `name`, whose containers are in the cgroup of that name.
    /// `memory`: the limit in bytes.
    pub fn write(
        &self,
        name: &str,
        profile: bool,
        purpose: Purpose,
        memory: Option<u64>,
    ) -> Result<PathBuf, String> {
        let mut config = if profile { self.profile.clone() } else { self.plain.clone() };
        let program = if purpose == Purpose::Ends { PROGRAMS } else { PAUSE };
        config["process"]["args"] = json!([program]);
        config["linux"]["cgroupsPath"] = json!(format!("/{PARENT}/{name}"));
        if !self.device_rules {
            config["linux"]["resources"]["devices"] = json!([{ "allow": true, "access": "rwm" }]);
        }
        if view::has_controller("pids") {
            config["linux"]["resources"]["pids"] = json!({ "limit": 2048 });
        }
        if let Some(limit) = memory {
            // "swap" is the sum of both, so this leaves none.
            config["linux"]["resources"]["memory"] = json!({ "limit": limit, "swap": limit });
        }
        let directory = Path::new(PLACE).join(name);
        fs::create_dir_all(&directory)
            .and_then(|()| fs::write(directory.join("config.json"), config.to_string()))
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        Ok(directory)
    }
}

/// What `jec spec` prints, and what an engine (Podman) adds: the four files, annotations.
fn spec(jec: &Path, root: &Path) -> Result<Value, String> {
    let mut command = Command::new(jec);
    command.args(["spec", "--seccomp", "default"]).arg(root).arg(PROGRAMS);
    let told = command.output().map_err(|error| format!("{}: {error}", jec.display()))?;
    let mut config: Value = serde_json::from_slice(&told.stdout)
        .map_err(|_| String::from_utf8_lossy(&told.stderr).into_owned())?;
    if let Some(mounts) = config["mounts"].as_array_mut() {
        mounts.extend(FILES.iter().map(|(name, _)| {
            let options = ["bind", "rprivate", "nosuid", "nodev", "noexec"];
            let source = source(name);
            json!({ "destination": name, "type": "bind", "source": source, "options": options })
        }));
    }
    config["annotations"] = json!({
        "io.container.manager": "libpod",
        "org.opencontainers.image.stopSignal": "15",
    });
    Ok(config)
}

fn program(root: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = root.join(&name[1..]);
    fs::write(&path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// The pairs that are bound: the file of the host, the path inside.
pub fn binds() -> impl Iterator<Item = (String, &'static str)> {
    FILES.iter().map(|(name, _)| (source(name), *name))
}

fn source(name: &str) -> String {
    format!("{PLACE}/files/{}", name.rsplit('/').next().unwrap_or(name))
}

/// The root file system.
pub fn root() -> PathBuf {
    Path::new(PLACE).join("root")
}

/// The profile, compiled.
pub fn filter_file() -> PathBuf {
    Path::new(PLACE).join("filter")
}
