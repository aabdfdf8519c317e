//! The sentences of the specification: tests/spec/TABLE.md has a row for each, and each row a test
//! that exists, or a reason. The tests here are for those that no stage's test proves.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::process::{bundle, own_users};
use common::{World, has_cgroup2, is_root, own_view, sh, until, without_namespace};
use serde_json::{Value, json};

const WORDS: [&str; 5] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "REQUIRED"];

/// What keeps a row from being right, if anything does.
fn problem(cells: &[&str]) -> Option<String> {
    let [sentence, word, what, tests, verdict] = cells else {
        return Some("a row has five cells".into());
    };
    if sentence.is_empty() || what.is_empty() || !WORDS.contains(word) {
        return Some("no sentence, no summary, or no word of the specification".into());
    }
    let reason = ["differs: ", "not tested: "].iter().find_map(|word| verdict.strip_prefix(word));
    let has_reason = reason.is_some_and(|reason| reason.len() > 20);
    if *tests == "-" {
        return (!has_reason).then(|| "neither a test nor a reason".into());
    }
    if *verdict != "holds" && !has_reason {
        return Some(format!("the verdict {verdict:?} says nothing"));
    }
    tests.split(", ").find_map(missing)
}

/// Why there is no such test: `tests/file.rs name_of_the_function`.
fn missing(test: &str) -> Option<String> {
    let (file, name) = test.split_once(' ')?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let is_test = |pair: &[&str]| pair[0] == "#[test]" && pair[1] == format!("fn {name}() {{");
    (!lines.windows(2).any(is_test)).then(|| format!("{file} has no test {name}"))
}

#[test]
fn every_sentence_has_a_test_that_exists_or_a_reason() {
    let table = include_str!("spec/TABLE.md");
    let rows =
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| sentence"));
    let (mut wrong, mut count, mut before) = (Vec::new(), 0, (String::new(), 0));
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        wrong.extend(problem(&cells).map(|problem| format!("{row}\n    {problem}")));
        let (section, number) = cells[0].rsplit_once(' ').expect("a section and a number");
        let number: u32 = number.parse().expect("a number");
        let expected = if before.0 == section { before.1 + 1 } else { 1 };
        if number != expected {
            wrong.push(format!("{row}\n    sentence {expected} comes here"));
        }
        (before, count) = ((section.to_owned(), number), count + 1);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 300, "{count} rows");
}

#[test]
fn a_row_that_proves_nothing_is_found() {
    let good =
        ["State 1", "MUST", "x", "tests/spec.rs a_row_that_proves_nothing_is_found", "holds"];
    assert_eq!(problem(&good), None);
    for (at, cell) in [(0, ""), (1, "MAY"), (3, "tests/spec.rs problem"), (3, "-"), (4, "maybe")] {
        let mut bad = good;
        bad[at] = cell;
        assert!(problem(&bad).is_some(), "{bad:?}");
    }
}

/// A container that rests, with this configuration.
fn created(world: &World, change: impl Fn(&mut Value)) -> String {
    let bundle = bundle(world, "gate", change);
    let id = world.id("s");
    world.create(&bundle, &id).ok();
    id
}

/// What `jec state` says.
fn state(world: &World, id: &str) -> Value {
    serde_json::from_str(&world.tell(&["state", id]).ok().out).expect("JSON")
}

fn waits(config: &mut Value) {
    config["process"]["args"] =
        json!(["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done"]);
}

fn end(world: &World, id: &str) {
    world.delete(&["--force", id]).ok();
    world.assert_clean();
}

#[test]
fn the_state_has_every_property_of_the_specification() {
    let world = World::new();
    let id = created(&world, |config| {
        waits(config);
        config["annotations"] = json!({"com.example.key": "value"});
    });
    let found = state(&world, &id);
    assert_eq!(found["ociVersion"], "1.3.0");
    assert_eq!(found["id"], json!(id));
    assert_eq!(found["status"], "created");
    assert!(found["pid"].as_i64().is_some_and(|pid| pid > 1), "{found}");
    let place = found["bundle"].as_str().expect("a text");
    assert!(Path::new(place).is_absolute() && Path::new(place).join("config.json").exists());
    assert_eq!(found["annotations"], json!({"com.example.key": "value"}));
    end(&world, &id);
}

#[test]
fn the_status_goes_from_created_to_running_to_stopped() {
    let world = World::new();
    let id = created(&world, waits);
    assert_eq!(state(&world, &id)["status"], "created");
    world.tell(&["start", &id]).ok();
    assert_eq!(state(&world, &id)["status"], "running");
    world.tell(&["kill", &id, "KILL"]).ok();
    until("it has ended", || state(&world, &id)["status"] == "stopped");
    end(&world, &id);
}

#[test]
fn a_configuration_that_changes_after_create_changes_nothing() {
    let world = World::new();
    let bundle = bundle(&world, "gate", |config| {
        config["process"]["args"] = json!(["sh", "-c", "echo first"]);
    });
    let id = world.id("s");
    world.create(&bundle, &id).ok();
    let file = bundle.join("config.json");
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replace("echo first", "echo second")).expect("the file");
    world.tell(&["start", &id]).ok();
    // Not at its first word: jec itself may have warned before.
    until("it has spoken", || world.said().contains("first") || world.said().contains("second"));
    assert!(world.said().contains("first") && !world.said().contains("second"));
    end(&world, &id);
}

#[test]
fn an_operation_without_an_id_is_an_error() {
    let world = World::new();
    for operation in ["state", "create", "start", "kill", "delete"] {
        let ran = world.tell(&[operation]);
        assert!(ran.code != 0 && ran.err.contains("ID"), "{operation}: {}", ran.err);
    }
    // The bundle is where jec is, unless it is named; here is none.
    let mut command = world.jec();
    command.args(["create", &world.id("s")]).current_dir(world.dir.path());
    common::Ran::of(command).fails(1, &["config.json", "does not exist"]);
    world.assert_clean();
}

#[test]
fn a_configuration_without_a_process_is_refused_by_create_already() {
    let world = World::new();
    let bundle = bundle(&world, "gate", |config| {
        config.as_object_mut().expect("an object").remove("process");
    });
    world.create(&bundle, &world.id("s")).fails(1, &["process."]);
    world.assert_clean();
}

#[test]
fn a_stopped_container_takes_no_signal() {
    let world = World::new();
    let id = created(&world, |config| config["process"]["args"] = json!(["true"]));
    world.tell(&["start", &id]).ok();
    until("it has ended", || state(&world, &id)["status"] == "stopped");
    let before = state(&world, &id);
    world.tell(&["kill", &id, "TERM"]).fails(1, &["not running"]);
    assert_eq!(state(&world, &id), before);
    end(&world, &id);
}

#[test]
fn a_created_and_a_running_container_get_the_signal() {
    let world = World::new();
    let id = created(&world, waits);
    world.tell(&["kill", &id, "KILL"]).ok();
    until("it has ended", || state(&world, &id)["status"] == "stopped");
    end(&world, &id);
    let id = created(&world, waits);
    world.tell(&["start", &id]).ok();
    // Until the shell has set its trap, nobody hears.
    until("it has ended", || {
        world.tell(&["kill", &id, "TERM"]);
        state(&world, &id)["status"] == "stopped"
    });
    end(&world, &id);
}

#[test]
fn what_create_has_not_made_outlives_delete() {
    let world = World::new();
    let volume = world.path("volume");
    fs::create_dir(&volume).expect("a directory");
    fs::write(volume.join("file"), "precious").expect("a file");
    let bundle = bundle(&world, "gate", |config| {
        waits(config);
        let mounts = config["mounts"].as_array_mut().expect("mounts");
        mounts.push(json!({"destination": "/volume", "source": volume, "options": ["bind"]}));
    });
    let id = world.id("s");
    world.create(&bundle, &id).ok();
    world.tell(&["start", &id]).ok();
    end(&world, &id);
    assert_eq!(fs::read_to_string(volume.join("file")).expect("it stays"), "precious");
    assert!(bundle.join("config.json").exists() && bundle.join("rootfs/bin").exists());
}

#[test]
fn annotations_are_passed_on_and_their_values_are_texts() {
    let world = World::new();
    let given = json!({"org.opencontainers.unknown": "x", "empty": ""});
    let id = created(&world, |config| {
        waits(config);
        config["annotations"] = given.clone();
    });
    assert_eq!(state(&world, &id)["annotations"], given);
    end(&world, &id);
    let bundle = bundle(&world, "gate", |config| config["annotations"] = json!({"a": 1}));
    world.create(&bundle, &world.id("t")).fails(1, &["annotations.a"]);
}

#[test]
fn the_default_filesystems_are_in_what_jec_spec_writes() {
    let world = World::new();
    let rootfs = world.rootfs();
    let text = world.tell(&["spec", &rootfs.to_string_lossy(), "true"]).ok().out;
    let spec: Value = serde_json::from_str(&text).expect("JSON");
    let mounts = spec["mounts"].as_array().expect("mounts");
    for (destination, kind) in
        [("/proc", "proc"), ("/sys", "sysfs"), ("/dev/pts", "devpts"), ("/dev/shm", "tmpfs")]
    {
        let is_it = |mount: &&Value| mount["destination"] == destination;
        let found = mounts.iter().find(is_it).unwrap_or_else(|| panic!("no {destination}"));
        assert!(found["type"] == kind || (kind == "sysfs" && found["type"] == "none"), "{found}");
    }
}

/// Owner, group and mode of everything below.
fn owners(path: &Path, all: &mut Vec<(PathBuf, u32, u32, u32)>) {
    let meta = fs::symlink_metadata(path).expect("metadata");
    all.push((path.to_owned(), meta.uid(), meta.gid(), meta.mode()));
    if meta.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path).expect("a directory").flatten().collect();
        names.sort_by_key(fs::DirEntry::file_name);
        for entry in names {
            owners(&entry.path(), all);
        }
    }
}

#[test]
fn a_user_namespace_changes_no_owner_on_the_host() {
    let world = World::new();
    let bundle = world.bundle("gate", |config| {
        own_users(config);
        config["process"]["args"] = json!(["true"]);
    });
    let (mut before, mut after) = (Vec::new(), Vec::new());
    owners(&bundle.join("rootfs/bin"), &mut before);
    world.run_bundle(&bundle).ok();
    owners(&bundle.join("rootfs/bin"), &mut after);
    assert!(before.len() > 1);
    assert_eq!(before, after);
}

/// A world where cgroups can be made, if there is one.
fn with_cgroups() -> Option<World> {
    own_view();
    if is_root() && has_cgroup2() {
        return Some(World::new());
    }
    println!("SKIPPED: it takes root, and a pure cgroup v2 tree");
    None
}

fn at(path: String) -> impl Fn(&mut Value) {
    move |config| {
        waits(config);
        config["linux"]["cgroupsPath"] = json!(path);
    }
}

#[test]
fn a_cgroup_that_is_in_use_is_refused() {
    let Some(world) = with_cgroups() else { return };
    let path = format!("/{}", world.id("shared"));
    let id = created(&world, at(path.clone()));
    let second = bundle(&world, "gate", at(path.clone()));
    world.create(&second, &world.id("t")).fails(1, &[&path, "in use"]);
    assert_eq!(state(&world, &id)["status"], "created");
    end(&world, &id);
}

#[test]
fn the_same_cgroups_path_is_the_same_place() {
    let Some(world) = with_cgroups() else { return };
    let path = format!("/{}", world.id("place"));
    for _ in 0..2 {
        let id = created(&world, at(path.clone()));
        let pid = state(&world, &id)["pid"].to_string();
        let inside =
            fs::read_to_string(format!("/sys/fs/cgroup{path}/cgroup.procs")).expect("procs");
        assert_eq!(inside.trim(), pid);
        end(&world, &id);
    }
}

#[test]
fn the_owner_of_the_cgroup_stays() {
    let Some(world) = with_cgroups() else { return };
    let path = format!("/{}", world.id("owned"));
    let id = created(&world, |config| {
        at(path.clone())(config);
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    });
    let mut found = Vec::new();
    owners(Path::new(&format!("/sys/fs/cgroup{path}")), &mut found);
    assert!(found.len() > 5 && found.iter().all(|(_, uid, ..)| *uid == 0), "{found:?}");
    end(&world, &id);
}

#[test]
fn without_the_property_resctrl_is_not_touched() {
    let world = World::new();
    let bundle = bundle(&world, "gate", sh("true"));
    let words = ["--explain", "-b", &*bundle.to_string_lossy(), &*world.id("s")];
    let told = world.run(&words).ok().err;
    assert!(told.contains("execve") && !told.contains("resctrl"), "{told}");
}

/// A container with this configuration runs.
fn runs(change: impl Fn(&mut Value)) {
    let world = World::new();
    world
        .run_bundle(&bundle(&world, "gate", |config| {
            config["process"]["args"] = json!(["true"]);
            change(config);
        }))
        .ok();
}

fn texts(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap_or_else(|_| panic!("{value}"))
}

#[test]
fn features_tell_what_is_there_and_no_more() {
    let world = World::new();
    let features: Value = serde_json::from_str(&world.tell(&["features"]).ok().out).expect("JSON");
    let linux = &features["linux"];
    assert!(!features.to_string().contains("null"), "{features}");
    for version in ["ociVersionMin", "ociVersionMax"] {
        runs(|config| config["ociVersion"] = features[version].clone());
    }
    runs(|config| {
        for hook in texts(&features["hooks"]) {
            config["hooks"][hook] = json!([]);
        }
    });
    assert_eq!(texts(&features["hooks"]).len(), 6);
    let words = texts(&features["mountOptions"]);
    assert!(words.len() > 60 && !words.iter().any(|word| word.contains('=') || word == "size"));
    let known = texts(&linux["capabilities"]);
    runs(|config| {
        // All of them take a machine of one's own, or a user namespace.
        without_namespace(config, "user");
        own_users(config);
        config["process"]["capabilities"] = json!({"bounding": known});
    });
    runs(|config| {
        let args = |op: &String| json!({"index": 0, "value": 9, "op": op});
        let rules: Vec<_> = texts(&linux["seccomp"]["operators"])
            .iter()
            .map(|op| json!({"names": ["acct"], "action": "SCMP_ACT_ERRNO", "args": [args(op)]}))
            .collect();
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules,
            "flags": linux["seccomp"]["knownFlags"].as_array().expect("flags")[1..3],
        });
        config["process"]["noNewPrivileges"] = json!(true);
    });
    // Modes and flags of the memory policy are read; which go together only the kernel knows.
    for mode in texts(&linux["memoryPolicy"]["modes"]) {
        let has_none = ["MPOL_DEFAULT", "MPOL_LOCAL"].contains(&&*mode);
        let policy = json!({"mode": mode, "nodes": if has_none { "" } else { "0" }});
        refused_by_nobody_but_the_kernel(&policy);
    }
    for flag in texts(&linux["memoryPolicy"]["flags"]) {
        let policy = json!({"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]});
        refused_by_nobody_but_the_kernel(&policy);
    }
    // Whether the machine has it is another question, and none for this document.
    assert_eq!(linux["intelRdt"], json!({"enabled": true, "schemata": true, "monitoring": true}));
    for name in ["apparmor", "selinux", "netDevices"] {
        assert_eq!(linux[name]["enabled"], true, "{name}");
    }
    assert_eq!(linux["mountExtensions"]["idmap"]["enabled"], true);
    assert_eq!(
        (&linux["cgroup"]["systemd"], &linux["cgroup"]["v1"]),
        (&json!(true), &json!(false))
    );
}

fn refused_by_nobody_but_the_kernel(policy: &Value) {
    let world = World::new();
    let ran = world.run_bundle(&bundle(&world, "gate", |config| {
        config["process"]["args"] = json!(["true"]);
        config["linux"]["memoryPolicy"] = policy.clone();
    }));
    assert!(ran.code == 0 || ran.err.contains("set_mempolicy"), "{policy}: {}", ran.err);
}

#[test]
fn an_id_mapping_that_is_nowhere_is_an_error() {
    if !is_root() {
        println!("SKIPPED: an ordinary user always has a user namespace to take it from");
        return;
    }
    for word in ["idmap", "ridmap"] {
        let world = World::new();
        let bundle = bundle(&world, "gate", |config| {
            let mount = json!({"destination": "/mnt", "source": "/", "options": ["bind", word]});
            config["mounts"].as_array_mut().expect("mounts").push(mount);
        });
        world.run_bundle(&bundle).fails(1, &["mounts[", "uidMappings"]);
    }
}
