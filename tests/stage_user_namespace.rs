//! user-namespace: ids that mean something else outside.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Canary, World, for_me, is_root, without_namespace};
use serde_json::{Value, json};

/// The example's map asks for ids that only root may give.
fn as_this_user(config: &mut Value) {
    if !is_root() {
        without_namespace(config, "user");
        for_me(config);
    }
}

/// The example without its user namespace.
fn without(config: &mut Value) {
    without_namespace(config, "user");
    config["linux"]["uidMappings"] = Value::Null;
    config["linux"]["gidMappings"] = Value::Null;
}

fn script(text: &str, change: fn(&mut Value)) -> impl FnOnce(&mut Value) {
    let text = text.to_owned();
    move |config| {
        config["process"]["args"] = json!(["sh", "-c", text]);
        change(config);
    }
}

#[test]
fn root_of_the_example_is_nobody_in_particular_outside() {
    let world = World::new();
    let held =
        world.hold_bundle(&world.bundle("user-namespace", script("exec sleep 300", as_this_user)));
    let uid = if is_root() { 100_000 } else { nix::unistd::geteuid().as_raw() };
    assert_eq!(held.status("Uid"), format!("{uid}\t{uid}\t{uid}\t{uid}"));
    assert_ne!(held.namespace("user"), common::namespace_of(held.jec_pid(), "user"));
    drop(held);
    let ran = world.run_bundle(&world.bundle("user-namespace", script("id -u", as_this_user))).ok();
    assert_eq!(ran.out, "0\n");
    world.assert_clean();
}

#[test]
fn a_file_of_the_hosts_root_can_be_read_only_without_it() {
    if !is_root() {
        skip!("an ordinary user has no file that she herself may not read");
    }
    let world = World::new();
    let secret = world.path("shared");
    fs::create_dir(&secret).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(secret.join("secret"), "canary").unwrap();
    fs::set_permissions(secret.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let bundle = |change: fn(&mut Value)| {
        world.bundle("user-namespace", |config| {
            script("cat /tmp/secret", change)(config);
            let mount = json!({"destination": "/tmp", "source": secret, "options": ["bind"]});
            config["mounts"].as_array_mut().unwrap().push(mount);
        })
    };
    world.run_bundle(&bundle(|_| ())).fails(1, &["cat: can't open", "Permission denied"]);
    assert_eq!(world.run_bundle(&bundle(without)).ok().out, "canary");
}

#[test]
fn a_process_of_the_hosts_root_can_be_killed_only_without_it() {
    if !is_root() {
        skip!("an ordinary user has no process that she herself may not kill");
    }
    let world = World::new();
    let mut canary = Canary::sleeping();
    let kill = format!("kill -9 {}", canary.pid());
    let bundle = |change: fn(&mut Value)| {
        world.bundle("user-namespace", |config| {
            script(&kill, change)(config);
            without_namespace(config, "pid");
            config["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "proc");
        })
    };
    world.run_bundle(&bundle(|_| ())).fails(1, &["sh: can't kill pid", "Operation not permitted"]);
    assert!(canary.lives());
    world.run_bundle(&bundle(without)).ok();
    common::until("the canary ends", || !canary.lives());
}

#[test]
fn the_other_namespaces_belong_to_it() {
    let world = World::new();
    let bundle = world.bundle("user-namespace", |config| {
        script("hostname theirs && hostname", as_this_user)(config);
        let all = json!(["CAP_SYS_ADMIN"]);
        config["process"]["capabilities"] =
            json!({"bounding": all, "effective": all, "permitted": all});
    });
    assert_eq!(world.run_bundle(&bundle).ok().out, "theirs\n");
}

#[test]
fn a_user_who_may_have_no_more_of_them_is_told_so() {
    let world = World::new();
    let map = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
    let bundle = world.bundle("user-namespace", |config| {
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map.clone();
    });
    world
        .run_spoiled("echo 0 >/proc/sys/user/max_user_namespaces", &bundle)
        .fails(1, &["user-namespace (middle): unshare(", "ENOSPC", "no user namespace is left"]);
    world.assert_clean();
}

#[test]
fn an_ordinary_user_who_asks_for_none_is_refused_before_anything_is_made() {
    if is_root() {
        skip!("root may do without");
    }
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("user-namespace", without));
    ran.fails(1, &["linux.namespaces", "needs one of type user"]);
    world.assert_clean();
}

#[test]
fn a_root_file_system_out_of_reach_for_the_user_that_root_is_outside_is_explained() {
    if !is_root() {
        skip!("an ordinary user is herself outside");
    }
    let world = World::new();
    let bundle = world.bundle("user-namespace", |_| ());
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o700)).unwrap();
    world.run_bundle(&bundle).fails(1, &["propagation (init)", "EACCES", "namei -l"]);
    world.assert_clean();
}
