//! No new privileges: execve can only take away.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::process::{bundle, command, has_ids, in_root};
use common::{Held, World, is_root, probe};
use serde_json::{Value, json};

#[test]
#[ignore = "a probe: runs inside a container"]
fn probe_powers() {
    probe::tell_powers();
}

#[test]
#[ignore = "a probe: runs inside a container"]
#[allow(unsafe_code)]
fn probe_clear() {
    // SAFETY: only numbers are passed.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) };
    probe::tell("clear", &probe::outcome(result.into()));
}

fn with_bit(config: &mut Value, bit: bool) {
    config["process"]["noNewPrivileges"] = json!(bit);
}

#[test]
fn su_of_the_example_is_of_no_use_and_without_the_bit_it_makes_root() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    if World::new().is_nosuid() {
        skip!("the directory for temporary files is mounted nosuid");
    }
    for bit in [true, false] {
        let world = World::new();
        let bundle = bundle(&world, "no-new-privs", |config| with_bit(config, bit));
        // What README.md says to do.
        let passwd = in_root(&bundle, "etc/passwd");
        let text = fs::read_to_string(&passwd).expect("passwd");
        fs::write(&passwd, text.replacen("root:x", "root:", 1)).expect("passwd");
        let set_uid = fs::Permissions::from_mode(0o4755);
        fs::set_permissions(in_root(&bundle, "bin/busybox"), set_uid).expect("its mode");
        let ran = world.run_bundle(&bundle);
        if bit {
            ran.fails(1, &["su: must be suid to work properly"]);
        } else {
            let out = ran.ok().out;
            assert!(out.starts_with("uid=0"), "{out}");
        }
        world.assert_clean();
    }
}

fn sleeping(world: &World, bit: bool) -> Held {
    let bundle = bundle(world, "no-new-privs", |config| {
        with_bit(config, bit);
        config["process"]["user"] = json!({"uid": 0, "gid": 0});
        command(config, &["sleep", "60"]);
    });
    world.hold(&["--bundle", &bundle.to_string_lossy(), &world.id("held")])
}

#[test]
fn the_host_sees_the_bit_and_without_the_property_there_is_none() {
    for bit in [true, false] {
        let world = World::new();
        let held = sleeping(&world, bit);
        assert_eq!(held.status("NoNewPrivs"), u8::from(bit).to_string());
    }
}

#[test]
fn the_bit_cannot_be_cleared() {
    let world = World::new();
    let bundle = bundle(&world, "no-new-privs", |config| {
        config["process"]["user"] = json!({"uid": 0, "gid": 0});
        probe::run_it(config, "probe_clear");
    });
    let told = probe::told(&world.run_bundle(&bundle).ok().out);
    assert_eq!(told["clear"], "EINVAL");
}

/// What a program finds that `prepare` has given more than its caller has.
fn powers(bit: bool, prepare: impl FnOnce(&Path)) -> BTreeMap<String, String> {
    let world = World::new();
    let bundle = bundle(&world, "no-new-privs", |config| {
        with_bit(config, bit);
        command(config, &probe::args("probe_powers"));
        config["process"]["capabilities"] = json!({"bounding": ["CAP_CHOWN"]});
    });
    fs::write(in_root(&bundle, "chown-me"), "").expect("a file");
    prepare(&bundle.join("rootfs"));
    probe::told(&world.run_bundle(&bundle).ok().out)
}

#[test]
fn a_set_uid_program_gains_nothing_and_without_the_bit_it_does() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    if World::new().is_nosuid() {
        skip!("the directory for temporary files is mounted nosuid");
    }
    let set_uid = |root: &Path| drop(probe::copy_to(root, "probe", 0o4755));
    let found = powers(true, set_uid);
    assert_eq!((&*found["euid"], &*found["CapEff"], &*found["chown"]), ("1000", "", "EPERM"));
    let found = powers(false, set_uid);
    assert_eq!((&*found["euid"], &*found["CapEff"], &*found["chown"]), ("0", "1", "ok"));
}

#[test]
fn a_program_with_file_capabilities_gains_nothing_and_without_the_bit_it_does() {
    if !is_root() {
        skip!("only root can give a file capabilities");
    }
    if World::new().is_nosuid() {
        skip!("the directory for temporary files is mounted nosuid");
    }
    let chown = |root: &Path| {
        let path = probe::copy_to(root, "probe", 0o755);
        probe::set_file_capabilities(&path, 1, 0);
    };
    let found = powers(true, chown);
    assert_eq!((&*found["CapEff"], &*found["chown"]), ("", "EPERM"));
    let found = powers(false, chown);
    assert_eq!((&*found["CapEff"], &*found["chown"]), ("1", "ok"));
}

#[test]
fn jec_run_sets_the_bit_unless_it_is_told_not_to() {
    let world = World::new();
    let root = world.rootfs().to_string_lossy().into_owned();
    let grep = ["--", "grep", "NoNewPrivs", "/proc/self/status"];
    let run = |flags: &[&str]| world.run(&[flags, &[&root], &grep].concat()).ok().out;
    assert_eq!(run(&[]), "NoNewPrivs:\t1\n");
    assert_eq!(run(&["--no-new-privs=false"]), "NoNewPrivs:\t0\n");
}
