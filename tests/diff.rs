//! `jec diff`: two runs of one thing are equal, and what is changed is what differs.

mod common;

use std::fs;
use std::process::Command;

use common::{World, has_program, is_root, own_view, sh};
use serde_json::{Value, json};

fn differences(world: &World, a: &str, b: &str, code: i32) -> Vec<Value> {
    let told = world.tell(&["diff", "--json", a, b]);
    assert_eq!(told.code, code, "{}{}", told.out, told.err);
    let found: Value = serde_json::from_str(&told.out).expect("JSON");
    found["differences"].as_array().expect("a list").clone()
}

#[test]
fn a_read_only_root_is_one_difference_and_two_equal_runs_none() {
    let world = World::new();
    let rootfs = world.rootfs().to_string_lossy().into_owned();
    let words = ["--hostname", "box", &rootfs, "sleep", "60"];
    // Two of the standard streams are pipes of the test, which are counted by kind.
    let first = world.hold(&words);
    let second = world.hold(&words);
    let third = world.hold(&[&["--read-only"], &words[..]].concat());
    let [a, b, c] = [&first, &second, &third].map(|held| format!("pid:{}", held.pid));
    let without_cgroup = |list: Vec<Value>| -> Vec<String> {
        let keys = list.iter().map(|one| one["key"].as_str().expect("a key").to_owned());
        keys.filter(|key| key != "cgroup").collect()
    };
    let told = world.tell(&["diff", "--json", &a, &b]);
    let found: Value = serde_json::from_str(&told.out).expect("JSON");
    let equal = without_cgroup(found["differences"].as_array().expect("a list").clone());
    assert!(equal.is_empty(), "{equal:?}");
    assert_eq!(without_cgroup(differences(&world, &a, &c, 1)), ["mount./"]);
    assert!(differences(&world, &a, &a, 0).is_empty());
    for held in [first, second, third] {
        held.wait_after_kill();
    }
    world.assert_clean();
}

/// A program that ends at once is looked at while it ends: what is half gone must not be told.
#[test]
fn a_program_that_ends_at_once_leaves_equal_traces() {
    let world = World::new();
    let rootfs = world.rootfs().to_string_lossy().into_owned();
    let traces: Vec<_> = (0..12).map(|at| world.path(&format!("trace{at}"))).collect();
    let traces: Vec<_> = traces.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    for trace in &traces {
        world.run(&["--trace", trace, "--hostname", "box", &rootfs, "true"]).ok();
        assert!(differences(&world, &traces[0], trace, 0).is_empty());
        let ran =
            world.tell(&["diff", "--json", &format!("{trace}#seccomp"), &format!("{trace}#exec")]);
        let found: Value = serde_json::from_str(&ran.out).unwrap_or_default();
        let gone = |one: &&Value| one["key"] == "namespace.mnt" && one["b"].is_null();
        let lost = found["differences"].as_array().and_then(|all| all.iter().find(gone));
        assert!(lost.is_none() && (ran.code == 1 || ran.err.contains("had ended")), "{lost:?}");
    }
}

#[test]
fn two_stages_of_a_trace_differ_by_what_was_done_between_them() {
    let world = World::new();
    let rootfs = world.rootfs().to_string_lossy().into_owned();
    let trace = world.path("trace").to_string_lossy().into_owned();
    world.run(&["--trace", &trace, "--hostname", "box", &rootfs, "true"]).ok();
    let (before, after) = (format!("{trace}#pivot-root"), format!("{trace}#kernel-params"));
    let found = differences(&world, &before, &after, 1);
    assert!(found.iter().any(|one| one["key"] == "hostname" && one["b"] == "box"), "{found:?}");
    world.tell(&["diff", &trace, &trace]).ok();
    world.tell(&["diff", &trace, &format!("{trace}#nothing")]).fails(2, &["no stage"]);
}

fn is_stream(key: &str) -> bool {
    ["descriptor.0", "descriptor.1", "descriptor.2"].contains(&key)
}

/// The same bundle by another runtime: ids, capabilities, namespaces, limits and the filter are
/// the same. What differs is how paths are masked, and the cgroup's name.
#[test]
fn a_bundle_run_by_crun_differs_by_its_masks_alone() {
    if !is_root() || !has_program("crun") {
        skip!("takes crun, and root for the cgroups that it wants");
    }
    own_view();
    let world = World::new();
    let bundle = world.bundle("masks", |config| {
        sh("exec sleep 60")(config);
        config["ociVersion"] = json!("1.0.0"); // older builds of crun know no newer one
    });
    let (state, place) = (world.path("crun"), bundle.to_string_lossy().into_owned());
    let (pid_file, id) = (world.path("theirs"), world.id("crun"));
    let crun = |words: &[&str]| {
        let mut command = Command::new("crun");
        command.arg("--root").arg(&state).args(words);
        assert_eq!(world.ran_aside(command).code, 0, "{}", world.said());
    };
    crun(&["run", "-d", "-b", &place, "--pid-file", &pid_file.to_string_lossy(), &id]);
    let theirs = format!("pid:{}", fs::read_to_string(&pid_file).expect("a pid").trim());
    let ours = world.hold_bundle(&bundle);
    let found = differences(&world, &format!("pid:{}", ours.pid), &theirs, 1);
    crun(&["delete", "--force", &id]);
    ours.wait_after_kill();
    let keys = found.iter().map(|one| one["key"].as_str().expect("a key"));
    let (mounts, others): (Vec<_>, Vec<_>) = keys.partition(|key| key.starts_with("mount./"));
    assert!(mounts.iter().any(|key| key.starts_with("mount./proc/")), "{mounts:?}");
    // crun 1.8.1 leaves the C library's own two signals ignored.
    let known = |key: &&str| ["cgroup", "signals.ignored"].contains(key) || is_stream(key);
    assert!(others.iter().all(known), "{found:#?}");
    world.assert_clean();
}
