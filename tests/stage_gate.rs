//! gate: between create and start there is init, and no jec.

mod common;

use std::fs;

use common::{World, sh, until};

/// Field 4 of /proc/PID/stat: the parent.
fn parent_of(pid: i32) -> i32 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat");
    let fields = text.rsplit_once(") ").expect("a name").1;
    fields.split_whitespace().nth(1).and_then(|field| field.parse().ok()).expect("a parent")
}

#[test]
fn a_created_container_rests_and_runs_when_it_is_started() {
    let world = World::new();
    let bundle = world.bundle("gate", sh("echo started; read line < /proc/self/stat; sleep 300"));
    let id = world.id("g");
    world.create(&bundle, &id).ok();
    let state = world.state(&id);
    assert_eq!(state["status"], "created");
    let pid = i32::try_from(state["pid"].as_i64().expect("a pid")).expect("a pid");
    assert_eq!(fs::read_to_string(world.path("pid")).expect("the pid file"), pid.to_string());
    // Its jec has ended, and it has not.
    let name = fs::read_to_string(format!("/proc/{}/comm", parent_of(pid))).expect("comm");
    assert_ne!(name, "jec\n");
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).expect("comm");
    assert_eq!(name, "jec:[2:INIT]\n");
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!world.said().contains("started"));
    world.tell(&["start", &id]).ok();
    until("the program speaks", || world.said().contains("started"));
    assert_eq!(world.state(&id)["status"], "running");
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn a_container_that_was_never_started_is_killed_or_deleted() {
    let world = World::new();
    let bundle = world.bundle("gate", sh("echo started"));
    for words in [&["delete"][..], &["delete", "--force"]] {
        let id = world.id("g");
        world.create(&bundle, &id).ok();
        let mut line = words.to_vec();
        line.push(&id);
        world.tell(&line).ok();
        world.assert_clean();
    }
    let id = world.id("k");
    world.create(&bundle, &id).ok();
    world.tell(&["kill", &id, "KILL"]).ok();
    until("it has ended", || world.tell(&["state", &id]).ok().out.contains("\"stopped\""));
    world.tell(&["start", &id]).fails(1, &["stopped"]);
    world.delete(&[&id]).ok();
    world.assert_clean();
}
