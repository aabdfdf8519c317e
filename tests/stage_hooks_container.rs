//! hooks-container: createContainer, in the container's namespaces before the pivot.

mod common;
#[path = "common/hooks.rs"]
mod hooks;

use common::{World, for_me, is_root};
use hooks::{all_tell, hook, shared, state, telling, told, with};

#[test]
fn the_hook_of_the_example_sees_the_host_and_the_containers_mounts() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("hooks-container", for_me)).ok();
    // The container's own name comes later.
    assert_ne!(ran.out, "inside\n");
    assert!(!ran.out.is_empty());
    world.assert_clean();
}

#[test]
fn it_runs_in_the_namespaces_of_the_container_where_init_is_1() {
    let world = World::new();
    world.run_bundle(&world.bundle("hooks-container", all_tell(&world))).ok();
    assert_eq!(told(&world, "createContainer.ns"), told(&world, "program.ns"));
    let state = state(&world, "createContainer");
    assert_eq!((&state["status"], &state["pid"]), (&"creating".into(), &1.into()));
    assert_eq!(told(&world, "createContainer.env"), "PATH=/usr/bin:/bin\0MARK=1\0");
    let descriptors = told(&world, "createContainer.fd");
    assert_eq!(descriptors.matches(" -> ").count(), 4, "{descriptors}");
    let status = told(&world, "createContainer.status");
    assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");
    assert!(status.contains("SigIgn:\t0000000000000000"), "{status}");
    world.assert_clean();
}

#[test]
fn what_it_mounts_below_the_root_is_the_containers() {
    if !is_root() {
        skip!("mount(8) of the host does not mount for an ordinary user");
    }
    let world = World::new();
    let bundle = world.path("bundle-hooks-container");
    let root = bundle.join("rootfs/mnt").display().to_string();
    let script = format!("mkdir -p {root}; mount -t tmpfs mine {root}; echo found >{root}/file");
    let change = with(&world, "createContainer", &[hook(&script)]);
    let bundle = world.bundle("hooks-container", |config| {
        change(config);
        config["process"]["args"] = serde_json::json!(["cat", "/mnt/file"]);
    });
    assert_eq!(world.run_bundle(&bundle).ok().out, "found\n");
    assert!(!bundle.join("rootfs/mnt/file").exists());
    world.assert_clean();
}

#[test]
fn one_that_fails_or_hangs_ends_the_container() {
    let dir = |world: &World| shared(world).display().to_string();
    let world = World::new();
    let hooks = [hook("echo no >&2; exit 4"), telling(&world, "createContainer")];
    let bundle = world.bundle("hooks-container", with(&world, "createContainer", &hooks));
    let words = ["hooks-container (init): hooks.createContainer[0]", "exit status 4", "said: no"];
    world.run_bundle(&bundle).fails(1, &words);
    assert_eq!(told(&world, "log"), "poststop\n");
    world.assert_clean();
    let mut slow = hook(&format!("sleep 300 & sleep 300; : {}", dir(&world)));
    slow["timeout"] = 1.into();
    let bundle = world.bundle("hooks-container", with(&world, "createContainer", &[slow]));
    world.run_bundle(&bundle).fails(1, &["did not end within 1s"]);
    world.assert_clean();
}
