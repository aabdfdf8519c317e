//! hooks-stop: poststop, once, when nothing is left.

mod common;
#[path = "common/hooks.rs"]
mod hooks;

use std::fs;

use common::{World, for_me, sh, until};
use hooks::{KINDS, all_tell, hook, own_namespaces, shared, state, telling, told, with};
use serde_json::json;

#[test]
fn the_hook_of_the_example_runs_after_the_end() {
    let world = World::new();
    let bundle = world.bundle("hooks-stop", for_me);
    assert_eq!(world.run_bundle(&bundle).ok().out, "done\n");
    assert_eq!(fs::read_to_string(bundle.join("rootfs/from-hook")).expect("a file"), "gone\n");
    world.assert_clean();
}

/// Program and poststart run at the same time; all others have their place.
fn assert_order(log: &str) {
    let mut lines: Vec<_> = log.lines().collect();
    let program = lines.iter().position(|line| *line == "program").expect("the program ran");
    assert!(program == 4 || program == 5, "{log}");
    lines.remove(program);
    assert_eq!(lines, KINDS);
}

#[test]
fn all_six_kinds_run_once_and_in_order() {
    let world = World::new();
    let bundle = world.bundle("hooks-stop", all_tell(&world));
    world.run_bundle(&bundle).ok();
    assert_order(&told(&world, "log"));
    world.assert_clean();
    fs::remove_dir_all(shared(&world)).expect("rm");
    shared(&world);
    let id = world.id("o");
    world.create(&bundle, &id).ok();
    assert_eq!(told(&world, "log").lines().collect::<Vec<_>>(), KINDS[..3]);
    world.tell(&["start", &id]).ok();
    until("it has ended", || world.tell(&["state", &id]).ok().out.contains("\"stopped\""));
    assert!(!told(&world, "log").contains("poststop"));
    world.delete(&[&id]).ok();
    assert_order(&told(&world, "log"));
    let state = state(&world, "poststop");
    assert_eq!((&state["status"], &state["id"]), (&"stopped".into(), &id.into()));
    assert_eq!(state["annotations"], json!({"com.example.key": "value"}));
    assert_eq!(state["bundle"], bundle.display().to_string());
    assert_eq!(told(&world, "poststop.ns"), own_namespaces());
    world.assert_clean();
}

#[test]
fn it_finds_the_container_gone() {
    let world = World::new();
    let (states, dir) = (world.path("state"), shared(&world));
    let script = format!(
        "ls {} >{}/left; echo end >>{}/left",
        states.display(),
        dir.display(),
        dir.display()
    );
    let bundle = world.bundle("hooks-stop", with(&world, "poststop", &[hook(&script)]));
    world.run_bundle(&bundle).ok();
    assert_eq!(told(&world, "left"), "end\n");
}

#[test]
fn it_runs_once_however_the_container_ends() {
    let world = World::new();
    let telling = telling(&world, "poststop");
    let bundle = world.bundle("hooks-stop", |config| {
        sh("exec sleep 300")(config);
        config["hooks"] = json!({"poststop": [telling]});
    });
    let held = world.hold_bundle(&bundle);
    let pid = nix::unistd::Pid::from_raw(held.pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("kill");
    assert_eq!(held.wait().code, 137);
    assert_eq!(told(&world, "log"), "poststop\n");
    let held = world.hold_bundle(&bundle);
    // Before that, jec would tell that its container was taken away.
    common::until("it runs", || world.state(&world.id("b"))["status"] == "running");
    world.delete(&["--force", &world.id("b")]).ok();
    assert_eq!(held.wait().code, 137);
    assert_eq!(told(&world, "log"), "poststop\npoststop\n");
    world.assert_clean();
}

#[test]
fn a_container_that_is_kept_still_has_its_end_before_it() {
    let world = World::new();
    let bundle = world.bundle("hooks-stop", with(&world, "poststop", &[]));
    let (id, path) = (world.id("b"), bundle.display().to_string());
    world.run(&["--keep", "-b", &path, &id]).ok();
    assert_eq!(told(&world, "log"), "");
    // The bundle is not needed for it.
    fs::remove_dir_all(&bundle).expect("rm");
    world.delete(&[&id]).ok();
    assert_eq!(told(&world, "log"), "poststop\n");
    world.assert_clean();
}

#[test]
fn one_that_fails_costs_a_warning_and_the_next_one_runs() {
    let world = World::new();
    let mut slow = hook("sleep 300");
    slow["timeout"] = json!(1);
    let bundle = world.bundle("hooks-stop", with(&world, "poststop", &[hook("exit 7"), slow]));
    let ran = world.run_bundle(&bundle).ok();
    for word in ["warning: hooks.poststop[0]", "exit status 7", "hooks.poststop[1]", "within 1s"] {
        assert!(ran.err.contains(word), "{word:?} is missing in {}", ran.err);
    }
    assert_eq!(told(&world, "log"), "poststop\n");
    world.assert_clean();
}

#[test]
fn it_runs_when_the_container_never_came_to_run() {
    let world = World::new();
    let change = with(&world, "poststop", &[]);
    let bundle = world.bundle("hooks-stop", |config| {
        change(config);
        config["process"]["args"] = json!(["/no/program"]);
    });
    world.run_bundle(&bundle).fails(127, &["ENOENT"]);
    assert_eq!(told(&world, "log"), "poststop\n");
    world.assert_clean();
}
