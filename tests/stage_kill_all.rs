//! kill-all: no process of the container survives it.

mod common;

use std::fs;

use common::{
    World, for_me, has_cgroup2, is_root, own_view, processes_with, sh, until, without_namespace,
};

/// Three daemons, each in a session of its own, that carry `mark` in their arguments.
fn daemons(mark: &str) -> String {
    format!(
        "for n in 1 2 3; do setsid sh -c 'sleep 300; : {mark}' >/dev/null 2>&1 & done; sleep 0.1; echo started"
    )
}

fn mark(world: &World) -> String {
    world.dir.path().to_string_lossy().into_owned()
}

/// What the test itself would leave.
fn end_all(world: &World) {
    for pid in processes_with(&mark(world)) {
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).ok();
    }
}

#[test]
fn the_daemons_of_the_example_end_with_it() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("kill-all", for_me)).ok();
    assert_eq!(ran.out, "done\n");
    world.assert_clean();
}

#[test]
fn whatever_the_program_leaves_behind_ends_with_its_pid_namespace() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("kill-all", sh(&daemons(&mark(&world))))).ok();
    assert_eq!(ran.out, "started\n");
    assert_eq!(processes_with(&mark(&world)), [0; 0]);
}

fn without_pids(script: &str) -> impl Fn(&mut serde_json::Value) {
    let change = sh(script);
    move |config| {
        change(config);
        without_namespace(config, "pid");
    }
}

#[test]
fn without_a_pid_namespace_the_cgroup_holds_them_together() {
    if !is_root() {
        skip!("an ordinary user has a cgroup only where one was delegated to her");
    }
    own_view();
    let world = World::new();
    world.run_bundle(&world.bundle("kill-all", without_pids(&daemons(&mark(&world))))).ok();
    assert_eq!(processes_with(&mark(&world)), [0; 0]);
    world.assert_clean();
}

#[test]
fn without_both_they_stay() {
    if has_cgroup2() {
        skip!("this machine has cgroup v2");
    }
    let world = World::new();
    world.run_bundle(&world.bundle("kill-all", without_pids(&daemons(&mark(&world))))).ok();
    let left = processes_with(&mark(&world));
    end_all(&world);
    assert_eq!(left.len(), 3, "a machine that kills them has to be told of in the README");
}

#[test]
fn a_fork_bomb_cannot_outrun_it() {
    own_view();
    let world = World::new();
    // Every process starts its successor before it ends: whoever lists them never has them all.
    let script = format!(
        "echo 'sh $0 $1 & sleep 0.05' >/bomb
         for n in 1 2 3 4 5 6 7 8; do sh /bomb {} >/dev/null 2>&1 & done; sleep 0.5",
        mark(&world)
    );
    world.run_bundle(&world.bundle("kill-all", sh(&script))).ok();
    assert_eq!(processes_with(&mark(&world)), [0; 0]);
    world.assert_clean();
}

#[test]
fn a_stopped_and_a_frozen_container_can_be_killed() {
    if !is_root() {
        skip!("freezing takes a cgroup, which an ordinary user has only where one was delegated");
    }
    own_view();
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("kill-all", sh("exec sleep 300")));
    let id = world.id("b");
    until("the state says running", || world.state(&id)["status"] == "running");
    fs::write(format!("/sys/fs/cgroup/jec/{id}/cgroup.freeze"), "1").expect("freeze");
    let pid = nix::unistd::Pid::from_raw(held.pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).expect("stop");
    world.delete(&["--force", &id]).ok();
    assert_eq!(held.wait().code, 137);
    world.assert_clean();
}

#[test]
fn a_recorded_cgroup_of_another_boot_belongs_to_somebody_else() {
    if !is_root() {
        skip!("an ordinary user has a cgroup only where one was delegated to her");
    }
    own_view();
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("kill-all", sh("exec sleep 300")));
    // What a state directory on disk holds after the machine was started again.
    let (id, old) = (world.id("b"), world.id("old"));
    let state = world.path("state");
    fs::create_dir(state.join(&old)).expect("mkdir");
    let intent = fs::read_to_string(state.join(&id).join("intent.json")).expect("intent");
    let mut intent: serde_json::Value = serde_json::from_str(&intent).expect("JSON");
    assert_eq!(intent["cgroup"], format!("/jec/{id}"));
    intent["id"] = old.clone().into();
    let boot = intent["boot"].clone();
    intent["boot"] = "00000000-0000-0000-0000-000000000000".into();
    let file = state.join(&old).join("intent.json");
    fs::write(&file, intent.to_string()).expect("intent");
    world.delete(&["--force", &old]).ok();
    assert!(fs::exists(format!("/proc/{}/ns/pid", held.pid)).is_ok_and(|lives| lives));
    // The other half: of this boot it is what was left behind, and is killed.
    fs::create_dir(state.join(&old)).expect("mkdir");
    intent["boot"] = boot;
    fs::write(&file, intent.to_string()).expect("intent");
    world.delete(&["--force", &old]).ok();
    assert_eq!(held.wait().code, 137);
    world.assert_clean();
}
