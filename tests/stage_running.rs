//! running: the program has started, and the state says which process it is.

mod common;
#[path = "common/trace.rs"]
mod trace;

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use common::{World, for_me, sh, until};
use trace::{Act, INIT, JEC, trace};

/// Field 22 of /proc/PID/stat.
fn start_time(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat");
    let fields = text.rsplit_once(')').expect("a name").1.split_whitespace().nth(19);
    fields.and_then(|field| field.parse().ok()).expect("a number")
}

#[test]
fn the_state_names_the_process_and_when_it_started() {
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("running", sh("exec sleep 300")));
    let id = world.id("b");
    until("the state says running", || world.state(&id)["status"] == "running");
    let state = world.state(&id);
    assert_eq!(state["pid"], held.pid);
    assert_eq!(state["started"], start_time(held.pid));
    assert_eq!((&state["id"], &state["ociVersion"]), (&id.into(), &"1.3.0".into()));
}

#[test]
fn a_container_is_not_called_running_before_execve() {
    let world = World::new();
    let bundle = world.bundle("running", sh("true"));
    let id = world.id("b");
    let mut command = world.jec();
    command.args(["run", "-b"]).arg(&bundle).arg(&id).stdout(Stdio::null()).stderr(Stdio::null());
    let mut at_execve = None;
    trace(command, Duration::from_secs(60), |call| {
        if call.role == INIT && call.number == libc::SYS_execve {
            at_execve = Some(world.state(&id)["status"].clone());
        }
        Act::Go
    });
    assert_eq!(at_execve, Some("created".into()));
}

#[test]
fn a_program_that_has_ended_before_start_looks_has_run() {
    let world = World::new();
    let id = world.id("b");
    world.create(&world.bundle("running", sh("true")), &id).ok();
    let pid = fs::read_to_string(world.path("pid")).expect("the pid file");
    let name = || fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let own = name();
    let gone = || !fs::exists(format!("/proc/{pid}")).expect("proc");
    let mut start = world.jec();
    start.args(["start", &id]).stdout(Stdio::null());
    start.stderr(fs::File::create(world.path("err")).expect("a file"));
    // Until whoever is its parent now has waited for it, too.
    let traced = trace(start, Duration::from_secs(60), |call| {
        if call.role == JEC && call.number == libc::SYS_openat && name() != own {
            until("nothing is left of the program", gone);
        }
        Act::Go
    });
    let err = fs::read_to_string(world.path("err")).expect("err");
    assert_eq!((traced.code, &*err), (0, ""));
    assert!(world.tell(&["state", &id]).ok().out.contains("\"stopped\""));
    world.delete(&[&id]).ok();
    world.assert_clean();
}

#[test]
fn a_program_that_cannot_start_was_never_running() {
    let world = World::new();
    let bundle = world.bundle("running", |config| {
        config["process"]["args"] = serde_json::json!(["/broken"]);
        for_me(config);
    });
    fs::write(bundle.join("rootfs/broken"), "no program").expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bundle.join("rootfs/broken"), mode).expect("mode");
    world.run_bundle(&bundle).fails(126, &["exec (init): execve(\"/broken\"", "ENOEXEC"]);
    world.assert_clean();
}

#[test]
fn a_running_container_is_not_deleted_without_force() {
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("running", sh("exec sleep 300")));
    let id = world.id("b");
    until("the state says running", || world.state(&id)["status"] == "running");
    world.delete(&[&id]).fails(1, &["is running (pid", "--force"]);
    assert_eq!(world.state(&id)["status"], "running");
    world.delete(&["--force", &id]).ok();
    assert_eq!(held.wait().code, 137);
    world.assert_clean();
}

#[test]
fn a_container_that_is_deleted_while_it_starts_says_so() {
    let world = World::new();
    let bundle = world.bundle("running", sh("exec sleep 300"));
    let id = world.id("b");
    let mut command = world.jec();
    command.args(["run", "-b"]).arg(&bundle).arg(&id).stdout(Stdio::null());
    command.stderr(fs::File::create(world.path("err")).expect("a file"));
    let traced = trace(command, Duration::from_secs(60), |call| {
        if call.role == INIT && call.number == libc::SYS_execve {
            fs::remove_dir_all(world.path("state").join(&id)).expect("rm");
        }
        Act::Go
    });
    let err = fs::read_to_string(world.path("err")).expect("err");
    assert_eq!(traced.code, 1, "{err}");
    assert!(err.contains("running (runtime): ") && err.contains("likely: "), "{err}");
    world.assert_clean();
}
