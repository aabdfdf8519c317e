//! Hooks that write down what they are given, into a directory that host and container share.
#![allow(dead_code)] // each test file uses a part

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::common::{World, for_me};

/// The six kinds, in the order of the specification.
pub const KINDS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// A hook: this script of the shell, with PATH and nothing else.
pub fn hook(script: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin", "MARK=1"]})
}

/// What hooks and programs share; `/shared` in the container.
pub fn shared(world: &World) -> PathBuf {
    let dir = world.path("shared");
    fs::create_dir_all(&dir).expect("mkdir");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&dir, mode).expect("mode");
    dir
}

/// A hook of this kind that writes down all it is given.
pub fn telling(world: &World, kind: &str) -> Value {
    let dir = shared(world).display().to_string();
    let dir = if kind == "startContainer" { "/shared" } else { &*dir };
    hook(&format!(
        "cd {dir}; echo {kind} >>log; cat >{kind}.state; pwd >/dev/null
         for n in mnt pid uts ipc net; do readlink /proc/self/ns/$n; done >{kind}.ns
         cat </proc/self/environ >{kind}.env; ls -l /proc/self/fd >{kind}.fd
         cat /proc/self/status >{kind}.status; cat /proc/self/cgroup >{kind}.cgroup"
    ))
}

/// A change of the config: all six kinds tell, the program tells too, and shares the directory.
pub fn all_tell(world: &World) -> impl Fn(&mut Value) + use<> {
    let dir = shared(world);
    let hooks: Value =
        KINDS.iter().map(|kind| (kind.to_string(), json!([telling(world, kind)]))).collect();
    move |config| {
        config["hooks"] = hooks.clone();
        config["annotations"] = json!({"com.example.key": "value"});
        let options = ["rbind", "rw"];
        let mount = json!({"destination": "/shared", "source": dir, "options": options});
        config["mounts"].as_array_mut().expect("mounts").push(mount);
        // The program waits for the hook of its start, so that the order is one.
        let script = "echo program >>/shared/log; cd /shared
            for n in mnt pid uts ipc net; do readlink /proc/self/ns/$n; done >program.ns
            until grep -q poststart log && [ -e poststart.cgroup ]; do sleep 0.05; done";
        config["process"]["args"] = json!(["sh", "-c", script]);
        for_me(config);
    }
}

/// A change of the config: these hooks of this kind, and one at the end that tells; `true` runs.
pub fn with(world: &World, kind: &str, hooks: &[Value]) -> impl Fn(&mut Value) + use<> {
    let (kind, hooks, last) = (kind.to_owned(), hooks.to_vec(), telling(world, "poststop"));
    move |config| {
        config["process"]["args"] = json!(["true"]);
        config["hooks"] = json!({"poststop": [last]});
        let list = config["hooks"].as_object_mut().expect("hooks").entry(&*kind);
        let list = list.or_insert(json!([])).as_array_mut().expect("a list");
        list.splice(0..0, hooks.clone());
        for_me(config);
    }
}

/// What a hook has written.
pub fn told(world: &World, name: &str) -> String {
    fs::read_to_string(shared(world).join(name)).unwrap_or_default()
}

/// The state that a hook was given.
pub fn state(world: &World, kind: &str) -> Value {
    serde_json::from_str(&told(world, &format!("{kind}.state"))).expect("JSON")
}

/// The namespaces of this test, as the hooks tell theirs.
pub fn own_namespaces() -> String {
    let link = |kind| fs::read_link(format!("/proc/thread-self/ns/{kind}")).expect("a namespace");
    ["mnt", "pid", "uts", "ipc", "net"].map(|kind| format!("{}\n", link(kind).display())).concat()
}
