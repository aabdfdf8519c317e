//! become-root: uid 0 of the user namespace.

mod common;

use common::{Canary, World, for_me, is_root, sh, shell, until, with_namespace, without_namespace};
use serde_json::{Value, json};

/// The example, for whoever runs the test.
fn as_this_user(config: &mut Value) {
    if !is_root() {
        without_namespace(config, "user");
        for_me(config);
    }
}

/// A user namespace of the host, made by unshare(1) with these options; and its path.
fn foreign(options: &[&str]) -> (Canary, String) {
    let mut command = std::process::Command::new("unshare");
    let canary = Canary::of(command.arg("--user").args(options).args(["sleep", "300"]));
    let comm = format!("/proc/{}/comm", canary.pid());
    until("it sleeps", || std::fs::read_to_string(&comm).is_ok_and(|name| name == "sleep\n"));
    let path = format!("/proc/{}/ns/user", canary.pid());
    (canary, path)
}

/// The example in that user namespace.
fn joining(config: &mut Value, path: &str) {
    with_namespace(config, "user", Some(path));
    config["linux"]["uidMappings"] = Value::Null;
    config["linux"]["gidMappings"] = Value::Null;
}

#[test]
fn what_the_container_makes_belongs_to_its_root() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("become-root", as_this_user)).ok();
    let line: Vec<&str> = ran.out.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((line[2], line[3]), ("0", "0"), "{}", ran.out);
    assert!(ran.out.contains("uid=0(root) gid=0(root)"), "{}", ran.out);
    world.assert_clean();
}

#[test]
fn whoever_keeps_an_id_that_is_not_mapped_can_make_nothing() {
    if !is_root() {
        skip!("the id of an ordinary user is always mapped");
    }
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("become-root", |config| {
        config["process"]["args"] = json!(["sleep", "300"]);
    }));
    let enter = |more: &str| {
        shell(&format!("nsenter --user --mount {more} -t {} /bin/touch /tmp/mine", held.pid))
    };
    let bare = enter("--preserve-credentials");
    assert!(bare.err.contains("Value too large for defined data type"), "EOVERFLOW: {bare:?}");
    enter("").ok();
}

#[test]
fn the_groups_of_the_caller_are_dropped() {
    if !is_root() {
        skip!("an ordinary user gave setgroups up for her map");
    }
    let world = World::new();
    let bundle = world.bundle("become-root", |config| {
        config["process"]["args"] = json!(["grep", "Groups", "/proc/self/status"]);
    });
    let words = format!("setpriv --groups 4,20 {}", world.run_words(&bundle));
    assert_eq!(shell(&words).ok().out.trim(), "Groups:");
    assert_eq!(
        shell("setpriv --groups 4,20 grep Groups /proc/self/status").out.trim(),
        "Groups:\t4 20"
    );
}

#[test]
fn a_user_namespace_in_which_setgroups_was_given_up_can_be_joined() {
    let world = World::new();
    let (canary, path) = foreign(&["--map-root-user"]);
    let held = world.hold_bundle(&world.bundle("become-root", |config| {
        joining(config, &path);
        sh("exec sleep 300")(config);
    }));
    assert_eq!(held.namespace("user"), common::namespace_of(canary.pid(), "user"));
    assert_eq!(held.proc("setgroups"), "deny\n");
    drop(held);
    world.assert_clean();
}

#[test]
fn a_user_namespace_without_ids_has_no_root_to_become() {
    let world = World::new();
    let (_canary, path) = foreign(&[]);
    let bundle = world.bundle("become-root", |config| joining(config, &path));
    world.run_bundle(&bundle).fails(1, &["become-root (middle): set", "likely:", "uid_map"]);
    world.assert_clean();
}
