//! id-map: which id inside is which id outside.

mod common;

use std::path::{Path, PathBuf};

use common::{Ran, World, for_me, has_program, is_root, shell, with_namespace, without_namespace};
use serde_json::{Value, json};

/// A map of these lines: inside, outside, count.
fn map(lines: &[(u32, u32, u32)]) -> Value {
    let line = |(inside, outside, count): &(u32, u32, u32)| json!({"containerID": inside, "hostID": outside, "size": count});
    lines.iter().map(line).collect()
}

/// The example with these maps.
fn bundle(world: &World, uids: &[(u32, u32, u32)], gids: &[(u32, u32, u32)]) -> PathBuf {
    world.bundle("id-map", |config| {
        config["linux"]["uidMappings"] = map(uids);
        config["linux"]["gidMappings"] = map(gids);
    })
}

/// The words of a map, as the kernel prints it.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Our first range of subordinate ids, in this file.
fn subordinate(file: &str) -> Option<(u32, u32)> {
    let name = shell("id -un").out;
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{}:", name.trim())))?;
    let (first, count) = line.split_once(':')?;
    Some((first.parse().ok()?, count.parse().ok()?))
}

fn own_ids() -> (u32, u32) {
    (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
}

#[test]
fn the_example_has_the_three_lines_of_its_config() {
    if !is_root() {
        skip!("only root may give any ids away");
    }
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("id-map", |_| ())).ok();
    let lines = ["0", "100000", "1000", "1000", "200000", "1", "1001", "101001", "64535"];
    assert_eq!(words(&ran.out), [lines, lines].concat());
    world.assert_clean();
}

#[test]
fn without_a_map_everybody_is_nobody_and_with_it_root() {
    let bare = shell("unshare --user id -u").ok();
    assert_eq!(bare.out, "65534\n");
    let world = World::new();
    let bundle = world.bundle("id-map", |config| {
        without_namespace(config, "user");
        for_me(config);
        if is_root() {
            with_namespace(config, "user", None);
        }
        config["process"]["args"] = json!(["id", "-u"]);
    });
    assert_eq!(world.run_bundle(&bundle).ok().out, "0\n");
}

#[test]
fn an_ordinary_user_maps_her_own_id_after_giving_up_setgroups() {
    if is_root() {
        skip!("root gives nothing up");
    }
    let world = World::new();
    let (uid, gid) = own_ids();
    let bundle = world.bundle("id-map", |config| {
        config["linux"]["uidMappings"] = map(&[(0, uid, 1)]);
        config["linux"]["gidMappings"] = map(&[(0, gid, 1)]);
        config["process"]["args"] = json!(["sleep", "300"]);
    });
    let held = world.hold_bundle(&bundle);
    assert_eq!(words(&held.proc("uid_map")), ["0", &uid.to_string(), "1"]);
    assert_eq!(words(&held.proc("gid_map")), ["0", &gid.to_string(), "1"]);
    assert_eq!(held.proc("setgroups"), "deny\n");
}

#[test]
fn an_ordinary_user_maps_her_ranges_with_newuidmap() {
    let ranges = (subordinate("/etc/subuid"), subordinate("/etc/subgid"));
    let ((first, count), (first_gid, count_gid)) = match ranges {
        (Some(uids), Some(gids)) if !is_root() && has_program("newuidmap") => (uids, gids),
        _ => skip!("no ordinary user with ranges and newuidmap"),
    };
    let world = World::new();
    let (uid, gid) = own_ids();
    let bundle = bundle(
        &world,
        &[(0, uid, 1), (1, first, count)],
        &[(0, gid, 1), (1, first_gid, count_gid)],
    );
    let ran = world.run_bundle(&bundle).ok();
    let [uid, first, count] = [uid, first, count].map(|number| number.to_string());
    assert_eq!(words(&ran.out)[..6], ["0", &uid, "1", "1", &first, &count]);
    world.assert_clean();
}

#[test]
fn ids_that_are_not_hers_are_refused_by_newuidmap_and_the_file_to_look_into_is_named() {
    if is_root() || !has_program("newuidmap") {
        skip!("no ordinary user with newuidmap");
    }
    let world = World::new();
    let (uid, gid) = own_ids();
    // The host's root as user 1 of the container.
    let bundle = bundle(&world, &[(0, uid, 1), (1, 0, 1)], &[(0, gid, 1)]);
    world
        .run_bundle(&bundle)
        .fails(1, &["id-map (runtime): newuidmap(", "not allowed", "EPERM", "/etc/subuid"]);
    world.assert_clean();
}

fn run_with_path(world: &World, bundle: &Path, path: &str) -> Ran {
    let mut command = world.jec();
    command.arg("run").arg("--bundle").arg(bundle).arg(world.id("b")).env("PATH", path);
    Ran::of(command)
}

#[test]
fn a_machine_without_newuidmap_is_told_what_to_install() {
    if is_root() {
        skip!("root needs no newuidmap");
    }
    let world = World::new();
    let (uid, gid) = own_ids();
    let bundle = bundle(&world, &[(0, uid, 1), (1, 100_000, 1)], &[(0, gid, 1), (1, 100_000, 1)]);
    run_with_path(&world, &bundle, "/nonexistent")
        .fails(1, &["id-map (runtime): newuidmap(", "ENOENT", "package uidmap"]);
    world.assert_clean();
}

#[test]
fn root_of_a_user_namespace_can_give_only_what_she_has() {
    let world = World::new();
    let bundle = bundle(&world, &[(0, 5, 1)], &[(0, 5, 1)]);
    let ran = world.run_spoiled("true", &bundle);
    ran.fails(1, &["id-map (runtime): write(", "\"0 5 1\\n\"", "likely:"]);
    world.assert_clean();
}

#[test]
fn maps_that_the_kernel_would_refuse_are_refused_before_anything_is_made() {
    let world = World::new();
    let good = [(0, 100_000, 65536)];
    for (uids, gids, wrong) in [
        (&[(0, 5, 10), (5, 50, 10)][..], &good[..], "linux.uidMappings[1]: overlaps"),
        (&good, &[(0, 5, 0)], "linux.gidMappings[0].size: maps nothing"),
        (&[(0, u32::MAX, 1)], &good, "linux.uidMappings[0]: goes beyond"),
        (&good, &[], "linux.gidMappings: a new user namespace without it has no ids"),
    ] {
        world.run_bundle(&bundle(&world, uids, gids)).fails(1, &[wrong]);
        world.assert_clean();
    }
}
