//! labels: the program has the label that was asked for, or there is no container.

mod common;

use std::fs;
use std::process::Command;

use common::process::{bundle, command, ran, script};
use common::{World, has_program, is_root};
use serde_json::{Value, json};

const ENABLED: &str = "/sys/module/apparmor/parameters/enabled";

/// Loads the profile of the example; false, with the reason, where that cannot be done.
fn has_profile() -> bool {
    let enabled = fs::read_to_string(ENABLED).unwrap_or_default();
    if !enabled.starts_with('Y') || !has_program("apparmor_parser") || !is_root() {
        println!("SKIPPED: no AppArmor here, or nobody who may load a profile");
        return false;
    }
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/labels/profile");
    Command::new("apparmor_parser").args(["-r", profile]).status().expect("a parser").success()
}

fn without_label(config: &mut Value) {
    config["process"].as_object_mut().expect("process").remove("apparmorProfile");
}

#[test]
fn the_profile_forbids_what_root_may_do_without_it() {
    if !has_profile() {
        return;
    }
    let with = ran("labels", |_| ());
    assert_eq!((with.code, &*with.out), (1, "jec-example (enforce)\n"), "{}", with.err);
    assert!(with.err.contains("Permission denied"), "{}", with.err);
    let free = ran("labels", without_label).ok();
    assert!(!free.out.contains("jec-example"), "{}", free.out);
}

#[test]
fn a_further_process_has_the_label_of_the_first_one_unless_it_asks_for_another() {
    if !has_profile() {
        return;
    }
    let world = World::new();
    let bundle = bundle(&world, "labels", |config| command(config, &["sleep", "60"]));
    let held = world.hold_bundle(&bundle);
    assert_eq!(held.proc("attr/current"), "jec-example (enforce)\n");
    let id = world.id("b");
    let look = ["cat", "/proc/self/attr/current"];
    assert_eq!(
        world.tell(&[&["exec", &id], &look[..]].concat()).ok().out,
        held.proc("attr/current")
    );
    let file = world.path("process.json");
    let object = json!({
        "args": look, "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0},
        "apparmorProfile": ""
    });
    fs::write(&file, object.to_string()).expect("a file");
    let path = file.to_string_lossy();
    assert_eq!(world.tell(&["exec", "-p", &path, &id]).ok().out, held.proc("attr/current"));
    let free = world.tell(&[&["exec", "--apparmor", "unconfined", &id], &look[..]].concat());
    assert_eq!(free.ok().out, "unconfined\n");
}

#[test]
fn a_label_that_nobody_here_knows_is_an_error_and_leaves_nothing() {
    for (name, word) in [("apparmorProfile", "apparmor/exec"), ("selinuxLabel", "EINVAL")] {
        let ran = ran("labels", |config| {
            without_label(config);
            config["process"][name] = json!("jec-has-no-such-label");
        });
        ran.fails(1, &["labels (init): ", word, "likely:"]);
    }
}

#[test]
fn without_a_label_nothing_is_written() {
    let world = World::new();
    let empty = |config: &mut Value| {
        config["process"]["apparmorProfile"] = json!("");
        config["process"]["selinuxLabel"] = json!("");
        script(config, "true");
    };
    let bundle = bundle(&world, "labels", empty);
    let told = world.run(&["--explain", "-b", &bundle.to_string_lossy(), &world.id("b")]).ok().err;
    assert!(told.contains("bounding") && !told.contains("attr/"), "{told}");
}

#[test]
fn a_mount_label_without_selinux_is_refused_by_the_file_system() {
    if fs::metadata("/sys/fs/selinux/enforce").is_ok() {
        println!("SKIPPED: SELinux is active here");
        return;
    }
    let ran = ran("labels", |config| {
        without_label(config);
        config["linux"]["mountLabel"] = json!("system_u:object_r:container_file_t:s0");
    });
    ran.fails(1, &["mounts (init): ", "context", "EINVAL"]);
}
