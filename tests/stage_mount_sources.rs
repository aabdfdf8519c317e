//! mount-sources: id-mapped mounts.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use common::{Ran, World, is_root, sh, with_namespace};
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

/// Who has CAP_SYS_ADMIN in the container's user namespace only must not mount for the host.
#[test]
fn a_mount_made_inside_an_id_mapped_volume_does_not_reach_the_host() {
    if !is_root() {
        skip!("id-mapping takes root of the host");
    }
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    // Of the host, whose volume is a shared mount.
    let script = |volume: &Path, then: &str| {
        let volume = volume.display();
        format!(
            "mount --bind {volume} {volume} && mount --make-shared {volume} && {then}; cat /proc/self/mountinfo"
        )
    };
    for options in [json!(["rbind", "idmap"]), json!(["rbind", "idmap", "rshared"])] {
        let (world, volume) = (World::new(), volume());
        fs::create_dir(volume.path().join("sub")).unwrap();
        let bundle = world.bundle("mount-sources", |config| {
            sh("mount -t tmpfs leak /tmp/sub && cat /proc/self/mountinfo")(config);
            with_namespace(config, "user", None);
            config["linux"]["uidMappings"] = map.clone();
            config["linux"]["gidMappings"] = map.clone();
            for set in ["bounding", "effective", "permitted"] {
                config["process"]["capabilities"][set] = json!(["CAP_SYS_ADMIN"]);
            }
            config["mounts"][2] =
                json!({"destination": "/tmp", "source": volume.path(), "options": options});
        });
        let then = script(volume.path(), &world.run_words(&bundle));
        let seen = Ran::of({
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private", "sh", "-c", &then]);
            command
        });
        let seen = seen.ok().out;
        assert!(seen.contains(" /tmp/sub "), "the mount was made: {seen}");
        let host = format!(" {}/sub ", volume.path().display());
        assert!(!seen.contains(&host), "{options}: {seen}");
        world.assert_clean();
    }
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
