//! remove: nothing is left.

mod common;
#[path = "common/trace.rs"]
mod trace;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use common::{World, for_me, has_cgroup2, is_root, own_view, sh};
use trace::{Act, trace};

fn cgroup(id: &str) -> PathBuf {
    PathBuf::from(format!("/sys/fs/cgroup/jec/{id}"))
}

#[test]
fn neither_state_nor_cgroup_is_left_when_the_program_has_ended() {
    own_view();
    let world = World::new();
    assert_eq!(world.run_bundle(&world.bundle("remove", for_me)).code, 3);
    assert!(!world.path("state").join(world.id("b")).exists());
    assert!(!cgroup(&world.id("b")).exists());
    world.assert_clean();
}

#[test]
fn with_keep_both_are_left_until_delete() {
    own_view();
    let world = World::new();
    let bundle = world.bundle("remove", for_me);
    let id = world.id("b");
    assert_eq!(world.run(&["--keep", "-b", &bundle.to_string_lossy(), &id]).code, 3);
    assert_eq!(world.state(&id)["status"], "stopped");
    assert!(!is_root() || cgroup(&id).exists());
    world.run_bundle(&bundle).fails(1, &["exists already"]);
    world.delete(&[&id]).ok();
    world.assert_clean();
    world.delete(&[&id]).fails(1, &["does not exist"]);
    world.delete(&["--force", &id]).ok();
    assert_eq!(world.run_bundle(&bundle).code, 3, "the id is free");
}

#[test]
fn cgroups_that_the_container_made_inside_go_as_well() {
    if !is_root() || !has_cgroup2() && fs::metadata("/sys/fs/cgroup/unified").is_err() {
        skip!("it takes root and cgroup v2");
    }
    own_view();
    let world = World::new();
    let bundle = world.bundle("remove", |config| {
        sh("mkdir -p /sys/fs/cgroup/a/b/c /sys/fs/cgroup/d && echo made")(config);
        let mounts = config["mounts"].as_array_mut().expect("mounts");
        mounts.push(serde_json::json!({
            "destination": "/sys/fs/cgroup", "type": "cgroup2", "source": "cgroup2", "options": []
        }));
    });
    assert_eq!(world.run_bundle(&bundle).out, "made\n");
    world.assert_clean();
}

#[test]
fn a_delete_does_not_take_the_id_from_a_new_container() {
    let world = World::new();
    let bundle = world.bundle("remove", for_me);
    let id = world.id("b");
    let keep = || world.run(&["--keep", "-b", &bundle.to_string_lossy(), &id]).code;
    assert_eq!(keep(), 3);
    let mut command = world.jec();
    command.arg("delete").arg(&id).stdout(Stdio::null()).stderr(Stdio::null());
    // While this delete is at work, another one finishes first, and the id is taken again.
    let mut looked = 0;
    let traced = trace(command, Duration::from_secs(60), |call| {
        if call.number == libc::SYS_openat && call.text(1) == id {
            looked += 1;
            if looked == 2 {
                world.delete(&[&id]).ok();
                assert_eq!(keep(), 3);
            }
        }
        Act::Go
    });
    assert_eq!((looked >= 2, traced.code), (true, 0));
    assert_eq!(world.state(&id)["status"], "stopped", "the new container is still there");
    world.delete(&[&id]).ok();
    world.assert_clean();
}
