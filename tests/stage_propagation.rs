//! propagation: what is mounted inside stays inside; what the host mounts is
//! heard, as far as the configuration says.

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use common::bundle::{
    add_mount, for_me, in_user_namespace, mount_at, mounts_of, sh, shell, sleeps,
};
use common::{Held, Ran, World, is_root};
use serde_json::json;

/// A host whose mounts are shared, as systemd makes them, with a volume. The
/// mount namespace is the test's own, so the machine sees nothing of it.
const SHARED_HOST: &str =
    "mkdir -p vol; mount -t tmpfs vol vol; mkdir vol/sub; mount --make-rshared /";

/// A bundle with that volume on /vol; null leaves rootfsPropagation out.
fn bundle(world: &World, root: &serde_json::Value, words: &[&str], line: Option<&str>) -> PathBuf {
    let volume = world.path("vol").to_string_lossy().into_owned();
    world.bundle("propagation", |config| {
        config["linux"]["rootfsPropagation"] = root.clone();
        if root.is_null() {
            config["linux"].as_object_mut().unwrap().remove("rootfsPropagation");
        }
        match line {
            Some(line) => shell(config, line),
            None => sleeps(config),
        }
        add_mount(config, "/vol", "bind", &volume, words);
    })
}

/// Waits until a process sees a mount, at most five seconds.
fn sees(pid: i32, point: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if mounts_of(pid).iter().any(|mount| mount.point == point) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Mounts a tmpfs in the host of a held container.
fn host_mounts(held: &Held, point: &str) {
    let mut command = Command::new("nsenter");
    command.args(["--target", &held.jec_pid().to_string(), "--mount"]);
    if !is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    Ran::of({
        command.args(["mount", "-t", "tmpfs", "late", point]);
        command
    })
    .ok();
}

#[test]
fn the_example_shows_its_own_mount_and_the_host_does_not_get_it() {
    let world = World::new();
    let bundle = world.bundle("propagation", for_me);
    let ran = world.run_bundle(&bundle).ok();
    assert!(ran.out.contains(" / /tmp ") && ran.out.contains("only-inside"), "{}", ran.out);
    world.assert_clean();
}

#[test]
fn a_mount_made_inside_a_shared_volume_does_not_reach_the_host() {
    let world = World::new();
    let line = "mount -t tmpfs leak /vol/sub && exec sleep 1000";
    let bundle = bundle(&world, &json!(null), &["rbind"], Some(line));
    let held = world.hold_on(SHARED_HOST, &bundle);
    assert!(sees(held.pid, "/vol/sub"), "the mount was made");
    let host = mounts_of(held.jec_pid());
    let volume = world.path("vol").to_string_lossy().into_owned();
    assert!(mount_at(&host, &volume).is("shared:"), "the host's volume is shared");
    assert!(!host.iter().any(|mount| mount.point.ends_with("/vol/sub")), "{host:#?}");
    drop(held);
    world.assert_clean();
}

#[test]
fn without_the_stage_the_same_mount_reaches_the_host() {
    let user = if is_root() { "" } else { "--user --map-root-user" };
    let world = World::new();
    let ran = sh(&format!(
        "cd {}; unshare {user} --mount --propagation private sh -e -c '{SHARED_HOST}
         unshare --mount --propagation unchanged mount -t tmpfs leak vol/sub
         cat /proc/self/mountinfo'",
        world.dir.path().display()
    ));
    assert!(ran.ok().out.contains("/vol/sub "), "a bare new mount namespace leaks");
}

#[test]
fn what_the_host_mounts_in_a_volume_is_seen_inside_unless_the_root_is_private() {
    for (root, heard) in [(json!(null), true), (json!("slave"), true), (json!("private"), false)] {
        let world = World::new();
        let bundle = bundle(&world, &root, &["rbind"], None);
        let held = world.hold_on(SHARED_HOST, &bundle);
        host_mounts(&held, &world.path("vol/sub").to_string_lossy());
        if heard {
            assert!(sees(held.pid, "/vol/sub"), "{root}");
        } else {
            // Propagation happens inside mount(2), which has returned.
            let inside = mounts_of(held.pid);
            assert!(!inside.iter().any(|mount| mount.point == "/vol/sub"), "{inside:#?}");
        }
    }
}

#[test]
fn each_word_of_rootfs_propagation_has_its_effect_on_the_root() {
    let cases = [
        (json!(null), ["master:"].as_slice(), ["shared:", "unbindable"].as_slice()),
        (json!("slave"), &["master:"], &["shared:"]),
        (json!("rslave"), &["master:"], &["shared:"]),
        (json!("shared"), &["shared:", "master:"], &[]),
        (json!("private"), &[], &["shared:", "master:", "unbindable"]),
        (json!("unbindable"), &["unbindable"], &["shared:", "master:"]),
    ];
    for (word, with, without) in cases {
        let world = World::new();
        let bundle = bundle(&world, &word, &["rbind"], None);
        let held = world.hold_on(SHARED_HOST, &bundle);
        let root = mount_at(&mounts_of(held.pid), "/");
        assert!(with.iter().all(|tag| root.is(tag)), "{word}: {root:?}");
        assert!(!without.iter().any(|tag| root.is(tag)), "{word}: {root:?}");
    }
}

#[test]
fn the_word_of_a_mount_holds_against_that_of_the_root_unless_that_one_is_recursive() {
    let cases = [
        ("slave", "rshared", ["shared:", "master:"].as_slice(), [].as_slice()),
        ("shared", "private", &[], &["shared:", "master:"]),
        ("shared", "slave", &["master:"], &["shared:"]),
        ("slave", "unbindable", &["unbindable"], &["master:"]),
        ("rslave", "rshared", &["master:"], &["shared:"]),
    ];
    for (root, word, with, without) in cases {
        let world = World::new();
        let bundle = bundle(&world, &json!(root), &["rbind", word], None);
        let held = world.hold_on(SHARED_HOST, &bundle);
        let volume = mount_at(&mounts_of(held.pid), "/vol");
        assert!(with.iter().all(|tag| volume.is(tag)), "{root}, {word}: {volume:?}");
        assert!(!without.iter().any(|tag| volume.is(tag)), "{root}, {word}: {volume:?}");
    }
}

#[test]
fn a_shared_volume_of_a_shared_root_is_a_new_peer_group_that_the_host_does_not_hear() {
    let world = World::new();
    let line = "mount -t tmpfs leak /vol/sub && exec sleep 1000";
    let bundle = bundle(&world, &json!("rshared"), &["rbind", "rshared"], Some(line));
    let held = world.hold_on(SHARED_HOST, &bundle);
    assert!(sees(held.pid, "/vol/sub"));
    let host = mounts_of(held.jec_pid());
    assert!(!host.iter().any(|mount| mount.point.ends_with("/vol/sub")), "{host:#?}");
}

#[test]
fn a_root_that_the_mapped_user_cannot_reach_is_an_error_that_says_so() {
    if !is_root() {
        skip!("only root can map another user than herself, without subordinate ids");
    }
    let world = World::new();
    let bundle = world.bundle("propagation", |config| {
        in_user_namespace(config);
        config["linux"]["uidMappings"][0]["hostID"] = json!(100_000);
        config["linux"]["gidMappings"][0]["hostID"] = json!(100_000);
    });
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(world.dir.path(), closed).unwrap();
    let ran = world.run_bundle(&bundle);
    ran.fails(1, &["propagation (init): open_tree(", "EACCES", "namei -l"]);
    world.assert_clean();
}
