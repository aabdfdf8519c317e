//! mount-sources: id-mapped mounts.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use common::{World, is_root, sh, with_namespace};
use serde_json::{Value, json};

/// A directory with a file in it, on a disk that can be id-mapped (in the lab, where Linux is 6.1,
/// the tmpfs on /tmp cannot) and that other users may search (a home directory they may not).
fn volume() -> tempfile::TempDir {
    let dir = tempfile::Builder::new().tempdir_in("/var/tmp").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.path().join("letter"), "for you").unwrap();
    dir
}

/// The example's third mount, of that directory.
fn mount_of(config: &mut Value, source: &Path) {
    config["mounts"][2]["source"] = json!(source);
}

fn owner(listing: &str) -> (&str, &str) {
    let line = listing.lines().find(|line| line.ends_with("letter")).expect("the file");
    let words: Vec<&str> = line.split_whitespace().collect();
    (words[2], words[3])
}

#[test]
fn files_of_the_hosts_root_belong_to_1000_in_the_volume_of_the_example() {
    if !is_root() {
        skip!("id-mapping takes root of the host");
    }
    let (world, volume) = (World::new(), volume());
    let ran =
        world.run_bundle(&world.bundle("mount-sources", |config| mount_of(config, volume.path())));
    assert_eq!(owner(&ran.ok().out), ("1000", "1000"));
    let bundle = world.bundle("mount-sources", |config| {
        mount_of(config, volume.path());
        config["mounts"][2]["options"] = json!(["bind", "ro"]);
        config["mounts"][2]["uidMappings"] = Value::Null;
        config["mounts"][2]["gidMappings"] = Value::Null;
    });
    assert_eq!(owner(&world.run_bundle(&bundle).ok().out), ("0", "0"));
    world.assert_clean();
}

#[test]
fn a_relative_source_starts_at_the_bundle() {
    if !is_root() {
        skip!("id-mapping takes root of the host");
    }
    let world = World::new();
    // Nothing but the name is looked at here, so that any file system will do.
    let bundle = world.bundle("mount-sources", |_| ());
    world.run_bundle(&bundle).fails(
        1,
        &["mount-sources (runtime): open_tree(", "/bundle-mount-sources/data\"", "ENOENT"],
    );
    world.assert_clean();
}

#[test]
fn with_the_containers_own_map_its_root_can_write_into_a_volume_of_the_hosts_root() {
    if !is_root() {
        skip!("id-mapping takes root of the host");
    }
    let (world, volume) = (World::new(), volume());
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    let bundle = |options: Value| {
        world.bundle("mount-sources", |config| {
            sh("echo mine >/tmp/answer")(config);
            with_namespace(config, "user", None);
            config["linux"]["uidMappings"] = map.clone();
            config["linux"]["gidMappings"] = map.clone();
            config["mounts"][2] =
                json!({"destination": "/tmp", "source": volume.path(), "options": options});
        })
    };
    world.run_bundle(&bundle(json!(["bind"]))).fails(1, &["can't create /tmp/answer"]);
    world.run_bundle(&bundle(json!(["bind", "idmap"]))).ok();
    let answer = fs::metadata(volume.path().join("answer")).unwrap();
    assert_eq!((answer.uid(), answer.gid()), (0, 0), "as the host sees it");
    world.assert_clean();
}

#[test]
fn a_file_system_that_cannot_be_id_mapped_is_named_as_the_cause() {
    if !is_root() {
        skip!("id-mapping takes root of the host");
    }
    let world = World::new();
    let bundle = world.bundle("mount-sources", |config| mount_of(config, Path::new("/proc")));
    world
        .run_bundle(&bundle)
        .fails(1, &["mount-sources (runtime): mount_setattr(", "EINVAL", "cannot be id-mapped"]);
    world.assert_clean();
}

#[test]
fn an_ordinary_user_is_told_that_only_root_may() {
    if is_root() {
        skip!("root may");
    }
    let world = World::new();
    let bundle = world.bundle("mount-sources", |config| {
        mount_of(config, &world.path(""));
        common::for_me(config);
    });
    world.run_bundle(&bundle).fails(1, &["mount-sources (runtime)", "EPERM", "root alone"]);
    world.assert_clean();
}
