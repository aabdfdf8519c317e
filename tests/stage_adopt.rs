//! adopt: init is jec's child, and its end is jec's to tell.

mod common;

use std::process::Stdio;

use common::{Ran, World, for_me, sh};

#[test]
fn the_exit_status_of_the_program_is_that_of_jec() {
    let world = World::new();
    assert_eq!(world.run_bundle(&world.bundle("adopt", for_me)).code, 42);
    world.assert_clean();
}

#[test]
fn a_program_that_a_signal_ended_is_told_as_the_shell_tells_it() {
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("adopt", sh("exec sleep 300")));
    let pid = nix::unistd::Pid::from_raw(held.pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(held.wait().code, 137);
    world.assert_clean();
}

#[test]
fn init_is_a_child_of_jec_although_the_middle_made_it() {
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("adopt", sh("exec sleep 300")));
    assert_eq!(held.status("PPid"), held.jec_pid().to_string());
}

#[test]
fn its_number_is_in_the_state() {
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("adopt", sh("exec sleep 300")));
    let path = world.path("state").join(world.id("b")).join("state.json");
    let state: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(state["pid"], held.pid);
}

#[test]
fn a_caller_that_ignores_sigchld_does_not_take_the_status_away() {
    let world = World::new();
    let bundle = world.bundle("adopt", for_me);
    let mut command = std::process::Command::new("env");
    let words = world.run_words(&bundle);
    command.args(["--ignore-signal=CHLD", "sh", "-c", &format!("exec {words}")]);
    let ran = Ran::of({
        command.stdin(Stdio::null());
        command
    });
    assert_eq!(ran.code, 42, "{ran:?}");
    world.assert_clean();
}
