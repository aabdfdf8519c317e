//! Who takes part, and the command line of each for every operation.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::bundle::{self, Bundles, Purpose};
use crate::process::{GIVEN, Line, c};
use crate::view;

/// How many containers are started at once.
pub const AT_ONCE: usize = 8;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    Run,
    Cycle,
    Exec,
    Eight,
}

impl Operation {
    pub const ALL: [Self; 4] = [Self::Run, Self::Cycle, Self::Exec, Self::Eight];

    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Cycle => "create, start, delete",
            Self::Exec => "exec",
            Self::Eight => "8 at once",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Floor,
    Oci,
    Bubblewrap,
}

pub struct Runtime {
    pub name: &'static str,
    pub path: PathBuf,
    pub version: String,
    kind: Kind,
    /// create, start and delete; exec: as the runtime's own help knows them.
    pub has_create: bool,
    pub has_exec: bool,
}

/// All that are installed here, the floor and jec first.
pub fn installed(floor: &Path, jec: &Path) -> Vec<Runtime> {
    let peers = [("crun", Kind::Oci), ("runc", Kind::Oci), ("youki", Kind::Oci)];
    let mut found = vec![
        Runtime::new("floor", floor.into(), Kind::Floor),
        Runtime::new("jec", jec.into(), Kind::Oci),
    ];
    for (name, kind) in peers.into_iter().chain([("bwrap", Kind::Bubblewrap)]) {
        let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];
        let path = places.iter().map(|place| Path::new(place).join(name)).find(|p| p.exists());
        found.extend(path.map(|path| Runtime::new(name, path, kind)));
    }
    found
}

impl Runtime {
    fn new(name: &'static str, path: PathBuf, kind: Kind) -> Self {
        let version = match kind {
            Kind::Floor => String::new(),
            _ => version(&path),
        };
        let mut runtime = Self { name, path, version, kind, has_create: false, has_exec: false };
        runtime.has_create = ["create", "start", "delete"].iter().all(|word| runtime.knows(word));
        runtime.has_exec = runtime.has_create && runtime.knows("exec");
        runtime
    }

    fn knows(&self, command: &str) -> bool {
        self.kind == Kind::Oci && self.line().with(command).with("--help").succeeds()
    }

    pub fn is_oci(&self) -> bool {
        self.kind == Kind::Oci
    }

    pub fn has(&self, operation: Operation) -> bool {
        match operation {
            Operation::Run | Operation::Eight => true,
            Operation::Cycle => self.has_create,
            Operation::Exec => self.has_exec,
        }
    }

    pub fn line(&self) -> Line {
        Line::new([self.path.to_string_lossy()])
    }

    fn words(&self, words: &[&str]) -> Line {
        words.iter().fold(self.line(), |line, word| line.with(word))
    }

    /// The commands of an operation, and whether they run at once.
    pub fn lines(
        &self,
        operation: Operation,
        profile: bool,
        bundles: &Bundles,
    ) -> Result<Vec<Line>, String> {
        match operation {
            Operation::Run => Ok(vec![self.run(0, profile, bundles)?]),
            Operation::Eight => (0..AT_ONCE).map(|n| self.run(n, profile, bundles)).collect(),
            Operation::Cycle => self.cycle("once", profile, Purpose::Ends, bundles),
            Operation::Exec => {
                Ok(vec![self.words(&["exec", &self.resident(profile), "/bin/true"])])
            }
        }
    }

    /// create, start, delete of the container `name`.
    pub fn cycle(
        &self,
        name: &str,
        profile: bool,
        purpose: Purpose,
        bundles: &Bundles,
    ) -> Result<Vec<Line>, String> {
        let bundle = bundles.write(&kind(name, profile), profile, purpose, None)?;
        let bundle = bundle.to_string_lossy();
        Ok(vec![
            self.words(&["create", "--bundle", &bundle, name]),
            self.words(&["start", name]),
            self.words(&["delete", "--force", name]),
        ])
    }

    /// The id of the container that exec goes into.
    pub fn resident(&self, profile: bool) -> String {
        kind(&format!("resident-{}", self.name), profile)
    }

    /// One container, from its start to its end; `slot` tells several apart.
    pub fn run(&self, slot: usize, profile: bool, bundles: &Bundles) -> Result<Line, String> {
        match self.kind {
            Kind::Floor => Ok(self.floor(profile, bundles.device_rules)),
            Kind::Bubblewrap => Ok(self.bubblewrap(profile)),
            Kind::Oci => {
                let name = kind(&format!("run-{slot}"), profile);
                let bundle = bundles.write(&name, profile, Purpose::Ends, None)?;
                Ok(self.words(&["run", "--bundle", &bundle.to_string_lossy(), &name]))
            }
        }
    }

    /// `run` of a bundle that was written already.
    pub fn run_bundle(&self, bundle: &Path, id: &str) -> Line {
        self.words(&["run", "--bundle", &bundle.to_string_lossy(), id])
    }

    fn floor(&self, profile: bool, device_rules: bool) -> Line {
        let mut line = self.words(&["--cgroup", &view::parent().to_string_lossy()]);
        for (from, to) in bundle::binds() {
            line = line.with("--bind").with(&format!("{from}={to}"));
        }
        if !device_rules {
            line = line.with("--no-device-rules");
        }
        if view::has_controller("pids") {
            line = line.with("--limit").with("pids.max=2048");
        }
        if profile {
            line = line.with("--filter").with(&bundle::filter_file().to_string_lossy());
        }
        line.with(&bundle::root().to_string_lossy()).with("/bin/true")
    }

    /// As near to the others as its command line gets: no cgroup, no masked paths.
    fn bubblewrap(&self, profile: bool) -> Line {
        let root = bundle::root();
        let mut line = self.words(&["--unshare-ipc", "--unshare-pid", "--unshare-net"]);
        let more = ["--unshare-uts", "--unshare-cgroup", "--hostname", "bench", "--new-session"];
        line = more.iter().fold(line, |line, word| line.with(word));
        line = line.with("--bind").with(&root.to_string_lossy()).with("/");
        for (from, to) in bundle::binds() {
            line = line.with("--bind").with(&from).with(to);
        }
        let mounts = "--proc /proc --dev /dev --mqueue /dev/mqueue --ro-bind /sys /sys \
                      --die-with-parent --cap-drop ALL";
        line = mounts.split_whitespace().fold(line, Line::with);
        if profile {
            line = line.with("--seccomp").with(&GIVEN.to_string());
            line.given = Some(c(&bundle::filter_file().to_string_lossy()));
        }
        line.with("/bin/true")
    }
}

fn kind(name: &str, profile: bool) -> String {
    format!("{name}-{}", if profile { "profile" } else { "plain" })
}

/// The first line of --version, without the name.
fn version(path: &Path) -> String {
    let told = Command::new(path).arg("--version").output();
    let told = told.map(|told| String::from_utf8_lossy(&told.stdout).into_owned());
    let first = told.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
    first.rsplit(' ').next().unwrap_or_default().to_owned()
}
