//! Changes to a bundle's config.json, and hosts of our own: a private mount
//! namespace in which a test may mount what it likes before jec starts there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Held, Ran, World, is_root, jec_path};

/// What an ordinary user needs on top of a bundle made for root: a user
/// namespace that maps her own id.
pub fn for_me(config: &mut Value) {
    if is_root() {
        return;
    }
    in_user_namespace(config);
}

/// A user namespace with one id: root inside is whoever runs the test.
pub fn in_user_namespace(config: &mut Value) {
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let linux = &mut config["linux"];
    linux["uidMappings"] = json!([{"containerID": 0, "hostID": uid, "size": 1}]);
    linux["gidMappings"] = json!([{"containerID": 0, "hostID": gid, "size": 1}]);
    linux["namespaces"].as_array_mut().expect("namespaces").push(json!({"type": "user"}));
}

/// The same on a host of our own, where whoever runs the test is root already.
pub fn in_user_namespace_of_a_host(config: &mut Value) {
    in_user_namespace(config);
    config["linux"]["uidMappings"][0]["hostID"] = json!(0);
    config["linux"]["gidMappings"][0]["hostID"] = json!(0);
}

/// The program: a line for the shell of the container.
pub fn shell(config: &mut Value, line: &str) {
    config["process"]["args"] = json!(["sh", "-c", line]);
}

/// Keeps the container for the test to look at.
pub fn sleeps(config: &mut Value) {
    config["process"]["args"] = json!(["sleep", "1000"]);
}

/// Grants these capabilities, in the four sets that count for root.
pub fn grant(config: &mut Value, names: &[&str]) {
    let mut sets = json!({});
    for set in ["bounding", "effective", "permitted"] {
        sets[set] = json!(names);
    }
    config["process"]["capabilities"] = sets;
}

/// One more entry at the end of the mount list.
pub fn add_mount(config: &mut Value, destination: &str, kind: &str, source: &str, words: &[&str]) {
    let entry =
        json!({"destination": destination, "type": kind, "source": source, "options": words});
    config["mounts"].as_array_mut().expect("mounts").push(entry);
}

/// Takes the mount on this destination out of the list.
pub fn drop_mount(config: &mut Value, destination: &str) {
    let list = config["mounts"].as_array_mut().expect("mounts");
    list.retain(|entry| entry["destination"] != destination);
}

/// A line of mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, Clone)]
pub struct MountLine {
    /// Which part of the file system is shown.
    pub root: String,
    /// Where.
    pub point: String,
    /// Per mount: `ro`, `nosuid`, …
    pub options: Vec<String>,
    /// `shared:1`, `master:2`, `unbindable`.
    pub tags: Vec<String>,
    /// The type.
    pub fstype: String,
    /// Of the superblock.
    pub super_options: Vec<String>,
}

/// The mounts that a process sees; the topmost of several on one point is the last.
pub fn mounts_of(pid: i32) -> Vec<MountLine> {
    let text = fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("mountinfo");
    text.lines().map(parse).collect()
}

fn parse(line: &str) -> MountLine {
    let words: Vec<&str> = line.split(' ').collect();
    let dash = words.iter().position(|word| *word == "-").expect("a dash");
    let list = |text: &str| text.split(',').map(str::to_owned).collect();
    MountLine {
        root: words[3].into(),
        point: words[4].into(),
        options: list(words[5]),
        tags: words[6..dash].iter().map(ToString::to_string).collect(),
        fstype: words[dash + 1].into(),
        super_options: list(words[dash + 3]),
    }
}

/// The topmost mount on this point.
#[track_caller]
pub fn mount_at(mounts: &[MountLine], point: &str) -> MountLine {
    let found = mounts.iter().rfind(|mount| mount.point == point);
    found.unwrap_or_else(|| panic!("nothing is mounted on {point}: {mounts:#?}")).clone()
}

impl MountLine {
    /// Whether the mount has this option.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|found| found == option)
    }

    /// Whether a tag begins with this word.
    pub fn is(&self, tag: &str) -> bool {
        self.tags.iter().any(|found| found.starts_with(tag))
    }
}

impl World {
    /// A shell line in a mount namespace of its own (for an ordinary user also
    /// a user namespace), whose mounts nobody else sees; `"$@"` in it is `jec ARGS`.
    pub fn on_a_host(&self, line: &str, args: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        if !is_root() {
            // With her subordinate ids: of a single id, setgroups(2) is denied.
            command.args(["--user", "--map-root-user", "--map-auto"]);
        }
        command.args(["--mount", "--propagation", "private", "sh", "-e", "-c", line, "sh"]);
        command.arg(jec_path()).arg("--root").arg(self.path("state")).args(args);
        command.stdin(Stdio::null()).current_dir(self.dir.path());
        command
    }

    /// `jec run` of a bundle to its end, on a host that `setup` has prepared.
    pub fn run_on(&self, setup: &str, bundle: &Path) -> Ran {
        let (id, bundle) = (self.id("h"), bundle.to_string_lossy());
        Ran::of(self.on_a_host(&format!("{setup}\nexec \"$@\""), &["run", "-b", &bundle, &id]))
    }

    /// The same, held: `jec_pid` is a process of that host.
    pub fn hold_on(&self, setup: &str, bundle: &Path) -> Held {
        let (id, bundle, pid) = (self.id("h"), bundle.to_string_lossy(), self.path("pid"));
        let args = ["run", "--pid-file", &pid.to_string_lossy(), "-b", &bundle, &id];
        self.hold_command(self.on_a_host(&format!("{setup}\nexec \"$@\""), &args))
    }
}

/// Runs a shell line to its end.
pub fn sh(line: &str) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-e", "-c", line]).stdin(Stdio::null());
    Ran::of(command)
}
