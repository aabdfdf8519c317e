//! open-gate: whoever starts holds the baton, and only one does.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use common::{World, sh, until};

#[test]
fn what_only_execve_knows_is_told_by_start() {
    let world = World::new();
    let bundle = world.bundle("open-gate", |config| {
        common::for_me(config);
        config["process"]["args"] = serde_json::json!(["/broken"]);
    });
    let broken = bundle.join("rootfs/broken");
    std::fs::write(&broken, b"\x7fELF").expect("a file");
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    let id = world.id("g");
    world.create(&bundle, &id).ok();
    world.tell(&["start", &id]).fails(126, &["exec (init): execve(", "ENOEXEC"]);
    until("it has ended", || world.tell(&["state", &id]).ok().out.contains("\"stopped\""));
    world.delete(&[&id]).ok();
    world.assert_clean();
}

#[test]
fn of_eight_that_start_one_container_exactly_one_does() {
    let world = World::new();
    let bundle = world.bundle("open-gate", sh("echo started; sleep 300"));
    let id = world.id("g");
    world.create(&bundle, &id).ok();
    let start = || {
        let mut command = world.jec();
        command.args(["start", &id]).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("jec")
    };
    let all: Vec<_> = (0..8).map(|_| start()).collect();
    let ends: Vec<_> =
        all.into_iter().map(|jec| jec.wait_with_output().expect("its end")).collect();
    assert_eq!(ends.iter().filter(|end| end.status.success()).count(), 1, "{ends:?}");
    until("the program speaks", || world.said().contains("started"));
    assert_eq!(world.said().matches("started").count(), 1);
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn what_is_not_created_cannot_be_started() {
    let world = World::new();
    world.tell(&["start", "nobody"]).fails(1, &["\"nobody\"", "does not exist"]);
    let bundle = world.bundle("open-gate", sh("sleep 300"));
    let held = world.hold_bundle(&bundle);
    let id = world.id("b");
    until("it runs", || world.state(&id)["status"] == "running");
    world.tell(&["start", &id]).fails(1, &["running", "not created"]);
    assert_eq!(held.wait_after_kill().code, 137);
    world.assert_clean();
}
