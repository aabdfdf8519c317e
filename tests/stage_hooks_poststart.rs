//! hooks-poststart: the host is told that the program runs.

mod common;
#[path = "common/hooks.rs"]
mod hooks;

use common::{World, for_me};
use hooks::{all_tell, hook, own_namespaces, state, telling, told, with};
use serde_json::json;

#[test]
fn the_program_of_the_example_runs_at_the_same_time() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("hooks-poststart", for_me)).ok();
    assert_eq!(ran.out, "told\n");
    world.assert_clean();
}

#[test]
fn it_runs_on_the_host_and_before_start_returns() {
    let world = World::new();
    let bundle = world.bundle("hooks-poststart", all_tell(&world));
    let id = world.id("p");
    world.create(&bundle, &id).ok();
    let pid = world.state(&id)["pid"].clone();
    assert!(!told(&world, "log").contains("poststart"));
    world.tell(&["start", &id]).ok();
    assert_eq!(told(&world, "poststart.ns"), own_namespaces());
    let state = state(&world, "poststart");
    assert_eq!((&state["status"], &state["pid"]), (&"running".into(), &pid));
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn one_that_fails_ends_the_container_and_the_next_one_does_not_run() {
    for (bad, word) in [(hook("exit 6"), "exit status 6"), (json!({"path": "/no/hook"}), "ENOENT")]
    {
        let world = World::new();
        let hooks = [bad, telling(&world, "poststart")];
        let bundle = world.bundle("hooks-poststart", with(&world, "poststart", &hooks));
        world.run_bundle(&bundle).fails(1, &["hooks-poststart", "hooks.poststart[0]", word]);
        assert_eq!(told(&world, "log"), "poststop\n");
        world.assert_clean();
        // Of a container that another jec has created, `start` does the same.
        let id = world.id("p");
        world.create(&bundle, &id).ok();
        world.tell(&["start", &id]).fails(1, &["hooks.poststart[0]", word]);
        world.tell(&["state", &id]).fails(1, &["does not exist"]);
        world.assert_clean();
    }
}
