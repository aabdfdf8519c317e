//! hooks-start: startContainer, inside, at `start` and not before.

mod common;
#[path = "common/hooks.rs"]
mod hooks;

use common::{World, for_me, is_root};
use hooks::{all_tell, hook, state, told, with};
use serde_json::json;

#[test]
fn the_hook_of_the_example_runs_in_the_root_of_the_container() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("hooks-start", for_me)).ok();
    assert_eq!(ran.out, "inside\n");
    world.assert_clean();
}

#[test]
fn it_runs_inside_and_is_told_that_the_container_is_created() {
    let world = World::new();
    world.run_bundle(&world.bundle("hooks-start", all_tell(&world))).ok();
    assert_eq!(told(&world, "startContainer.ns"), told(&world, "program.ns"));
    let state = state(&world, "startContainer");
    assert_eq!((&state["status"], &state["pid"]), (&"created".into(), &1.into()));
    assert_eq!(told(&world, "startContainer.env"), "PATH=/usr/bin:/bin\0MARK=1\0");
    let descriptors = told(&world, "startContainer.fd");
    // The words of busybox: a first line, then 0 to 2, and the directory that ls reads.
    assert_eq!(descriptors.lines().count(), 5, "{descriptors}");
}

#[test]
fn it_does_not_run_before_start_and_one_that_fails_there_destroys_the_container() {
    let world = World::new();
    let hooks = [hook("echo >/began; exit 5")];
    let bundle = world.bundle("hooks-start", with(&world, "startContainer", &hooks));
    let id = world.id("s");
    world.create(&bundle, &id).ok();
    assert!(!bundle.join("rootfs/began").exists());
    let words = ["hooks-start (init): hooks.startContainer[0]", "exit status 5"];
    world.tell(&["start", &id]).fails(1, &words);
    assert!(bundle.join("rootfs/began").exists());
    assert_eq!(told(&world, "log"), "poststop\n");
    world.delete(&["--force", &id]).ok();
    assert_eq!(told(&world, "log"), "poststop\n");
    world.assert_clean();
    world.run_bundle(&bundle).fails(1, &words);
    assert_eq!(told(&world, "log"), "poststop\npoststop\n");
    world.assert_clean();
}

#[test]
fn it_has_no_more_than_the_program_will_have() {
    if !is_root() {
        skip!("an ordinary user maps one id only");
    }
    let world = World::new();
    let script = "cat /proc/self/status >/tmp/status";
    let change = with(&world, "startContainer", &[hook(script)]);
    let bundle = world.bundle("hooks-start", |config| {
        change(config);
        config["process"]["user"] = json!({"uid": 1234, "gid": 1234});
        config["process"]["args"] = json!(["cat", "/tmp/status"]);
    });
    std::fs::create_dir_all(bundle.join("rootfs/tmp")).expect("mkdir");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(bundle.join("rootfs/tmp"), mode).expect("mode");
    let out = world.run_bundle(&bundle).ok().out;
    assert!(out.contains("Uid:\t1234\t1234"), "{out}");
    assert!(out.contains("CapEff:\t0000000000000000"), "{out}");
}

#[test]
fn a_filter_that_knows_no_clone3_does_not_stop_it() {
    if !is_root() {
        skip!("without noNewPrivileges a filter takes CAP_SYS_ADMIN of the host");
    }
    let world = World::new();
    let change = with(&world, "startContainer", &[hook("echo found >/began")]);
    let bundle = world.bundle("hooks-start", |config| {
        change(config);
        config["process"]["noNewPrivileges"] = json!(false);
        config["process"]["args"] = json!(["cat", "/began"]);
        let rule = json!({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38});
        config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    });
    assert_eq!(world.run_bundle(&bundle).ok().out, "found\n");
    world.assert_clean();
}
