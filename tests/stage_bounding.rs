//! Bounding: the ceiling of all capabilities, lowered for ever.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use common::process::{bundle, command, has_ids, in_root, ran};
use common::{Ran, World, is_root, probe};
use serde_json::{Value, json};

#[test]
#[ignore = "a probe: runs inside a container"]
fn probe_powers() {
    probe::tell_powers();
}

#[test]
fn the_example_can_chown_and_nothing_else() {
    let ran = ran("bounding", |_| ());
    assert_eq!((ran.code, &*ran.out), (1, "CapBnd:\t0000000000000001\n"));
    assert!(ran.err.contains("chroot") && !ran.err.contains("chown"), "{}", ran.err);
}

#[test]
fn every_capability_of_the_kernel_is_dropped_that_is_not_named() {
    for (names, mask) in [
        (json!([]), "0000000000000000"),
        (json!(["CAP_CHOWN"]), "0000000000000001"),
        (json!(["CAP_KILL", "CAP_CHECKPOINT_RESTORE"]), "0000010000000020"),
    ] {
        let world = World::new();
        let bundle = bundle(&world, "bounding", |config| {
            config["process"]["capabilities"] = json!({ "bounding": names });
            command(config, &["sleep", "60"]);
        });
        let held = world.hold(&["--bundle", &bundle.to_string_lossy(), &world.id("held")]);
        assert_eq!(held.status("CapBnd"), mask);
    }
    // The other half: this process has more than any of these.
    let own = fs::read_to_string("/proc/self/status").expect("status");
    assert!(!is_root() || own.contains("CapBnd:\t000001f"), "{own}");
}

/// What a set-user-ID root program finds, started by uid 1000 below this ceiling.
fn set_uid_program(bounding: &Value) -> BTreeMap<String, String> {
    let world = World::new();
    let bundle = bundle(&world, "bounding", |config| {
        command(config, &probe::args("probe_powers"));
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        config["process"]["capabilities"] = json!({ "bounding": bounding });
    });
    probe::copy_to(&bundle.join("rootfs"), "probe", 0o4755);
    fs::write(in_root(&bundle, "chown-me"), "").expect("a file");
    probe::told(&world.run_bundle(&bundle).ok().out)
}

#[test]
fn a_set_uid_program_of_the_image_gets_no_more_than_the_ceiling() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    if World::new().is_nosuid() {
        skip!("the directory for temporary files is mounted nosuid");
    }
    let found = set_uid_program(&json!([]));
    assert_eq!((&*found["euid"], &*found["CapEff"], &*found["chown"]), ("0", "", "EPERM"));
    // The other half: what the ceiling lets through it does have.
    let found = set_uid_program(&json!(["CAP_CHOWN"]));
    assert_eq!((&*found["euid"], &*found["CapEff"], &*found["chown"]), ("0", "1", "ok"));
}

#[test]
fn uid_0_has_its_whole_ceiling_after_execve_so_the_ceiling_is_what_counts() {
    let sets = json!({"bounding": ["CAP_CHOWN", "CAP_SYS_CHROOT"]});
    let change = |no_new_privileges: bool| {
        let sets = sets.clone();
        move |config: &mut Value| {
            config["process"]["capabilities"] = sets;
            config["process"]["noNewPrivileges"] = json!(no_new_privileges);
            command(config, &["grep", "CapEff", "/proc/self/status"]);
        }
    };
    assert_eq!(ran("bounding", change(false)).ok().out, "CapEff:\t0000000000040001\n");
    assert_eq!(ran("bounding", change(true)).ok().out, "CapEff:\t0000000000000000\n");
}

#[test]
fn a_jec_that_may_not_lower_the_ceiling_says_so_and_leaves_nothing() {
    if !is_root() {
        skip!("in a user namespace of its own jec always may");
    }
    let world = World::new();
    let bundle = bundle(&world, "bounding", |_| ());
    let mut jec = Command::new("setpriv");
    jec.args(["--bounding-set", "-setpcap"]).arg(common::jec_path());
    jec.arg("--root").arg(world.path("state")).args(["run", "--bundle"]).arg(&bundle).arg("c1");
    let ran = Ran::of(jec);
    ran.fails(1, &["bounding (init): prctl(PR_CAPBSET_DROP, ", "EPERM", "CAP_SETPCAP"]);
    world.assert_clean();
}
