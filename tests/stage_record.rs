//! record: the id is taken, and what will be made is written down first.

mod common;
#[path = "common/trace.rs"]
mod trace;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;
use std::time::Duration;

use common::{Ran, World, for_me, is_root, jec_path, own_view, sh, shell, until};
use serde_json::Value;
use trace::{Act, JEC, trace};

fn read(world: &World, id: &str, name: &str) -> String {
    fs::read_to_string(world.path("state").join(id).join(name)).expect(name)
}

#[test]
fn the_intent_says_what_a_crash_could_leave_behind() {
    own_view();
    let world = World::new();
    let bundle = world.bundle("record", sh("exec sleep 300"));
    let _held = world.hold_bundle(&bundle);
    let id = world.id("b");
    let intent: Value = serde_json::from_str(&read(&world, &id, "intent.json")).expect("JSON");
    assert_eq!(intent["id"], *id);
    assert_eq!(intent["bundle"], bundle.to_string_lossy().into_owned());
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("boot_id");
    assert_eq!(intent["boot"], boot.trim());
    if is_root() {
        assert_eq!(intent["cgroup"], format!("/jec/{id}"));
    }
    let config: Value = serde_json::from_str(&read(&world, &id, "config.json")).expect("JSON");
    assert_eq!(config["process"]["args"][2], "exec sleep 300");
}

#[test]
fn nobody_else_can_read_the_state() {
    let world = World::new();
    let _held = world.hold_bundle(&world.bundle("record", sh("exec sleep 300")));
    let dir = world.path("state").join(world.id("b"));
    let mode = |path: &std::path::Path| fs::metadata(path).expect("stat").permissions().mode();
    assert_eq!(mode(&dir) & 0o7777, 0o700);
    for entry in fs::read_dir(&dir).expect("the directory").flatten() {
        assert_eq!(mode(&entry.path()) & 0o7777, 0o600, "{entry:?}");
    }
}

/// Rootless engines call jec as root of a user namespace, who may not write to /run.
#[test]
fn root_of_a_user_namespace_keeps_states_where_she_may() {
    let world = World::new();
    let hers = world.path("hers");
    fs::create_dir(&hers).expect("a directory");
    let list = |namespaces: &str| {
        let jec = format!("XDG_RUNTIME_DIR={} {}", hers.display(), jec_path().display());
        let script = format!("mount -t tmpfs none /run && {jec} list && ls /run");
        let words = format!("unshare {namespaces} --mount --propagation private sh -c");
        shell(&format!("{words} '{script}'")).ok().out
    };
    assert!(!list("--user --map-root-user").contains("jec"));
    fs::remove_dir(hers.join("jec")).expect("the directory of states");
    // Root of the machine has one place, however she came to be root.
    if is_root() {
        assert!(list("").contains("jec"));
        assert!(!hers.join("jec").exists());
    }
}

#[test]
fn an_id_that_is_taken_is_refused_and_its_owner_is_let_be() {
    own_view();
    let world = World::new();
    let bundle = world.bundle("record", sh("exec sleep 300"));
    let held = world.hold_bundle(&bundle);
    until("the state says running", || world.state(&world.id("b"))["status"] == "running");
    let before = world.state(&world.id("b"));
    world.run_bundle(&bundle).fails(1, &["container", "exists already", "jec delete --force"]);
    assert_eq!(world.state(&world.id("b")), before);
    let lives = || fs::exists(format!("/proc/{}/root", held.pid)).is_ok_and(|lives| lives);
    assert!(lives());
    assert_eq!(held.wait_after_kill().code, 137);
    world.assert_clean();
}

#[test]
fn the_intent_is_on_disk_before_anything_is_made() {
    own_view();
    let world = World::new();
    let bundle = world.bundle("record", for_me);
    let mut command = world.jec();
    command.args(["run", "-b"]).arg(&bundle).arg(world.id("b"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let cgroups = |call: &trace::Call| {
        call.number == libc::SYS_mkdirat && !call.text(1).starts_with('/') && call.role == JEC
    };
    let mut order = Vec::new();
    trace(command, Duration::from_secs(60), |call| {
        let what = match call.number {
            libc::SYS_fsync => "sync",
            libc::SYS_renameat if call.text(1) == "intent.json.new" => "intent",
            libc::SYS_clone3 => "process",
            _ if cgroups(call) && call.text(1) != world.id("b") => "directory",
            _ => return Act::Go,
        };
        order.push(what);
        Act::Go
    });
    let at = |what| order.iter().position(|step| *step == what).expect(what);
    assert!(order.starts_with(&["sync", "intent", "sync"]), "{order:?}");
    assert!(at("intent") < at("process"), "{order:?}");
    if is_root() {
        assert!(at("intent") < at("directory"), "{order:?}");
    }
}

#[test]
fn a_full_disk_is_an_error_that_says_so_and_frees_the_id() {
    if !is_root() {
        skip!("mounting a small file system takes root");
    }
    let world = World::new();
    let bundle = world.bundle("record", for_me);
    let words = world.run_words(&bundle);
    let state = world.path("state");
    let script = format!(
        "mount -t tmpfs -o size=4k,mode=700 none {0} && {{ {words}; code=$?; ls -A {0}; exit $code; }}",
        state.display()
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    command.stdin(Stdio::null());
    let ran = Ran::of(command).fails(1, &["record (runtime)", "ENOSPC", "likely:", "df "]);
    assert_eq!(ran.out, "", "the id is free again");
}

#[test]
fn a_state_directory_that_others_may_write_is_refused() {
    let world = World::new();
    let state = world.path("state");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).expect("mode");
    let bundle = world.bundle("record", for_me);
    world.run_bundle(&bundle).fails(1, &["somebody else could write", "cure:"]);
    // A link in its place is not followed.
    fs::remove_dir(&state).expect("rmdir");
    std::os::unix::fs::symlink("/tmp", &state).expect("symlink");
    assert_eq!(world.run_bundle(&bundle).code, 1);
    fs::remove_file(&state).expect("unlink");
}

#[test]
fn the_directories_above_the_states_are_made_too_and_a_link_to_nowhere_is_told() {
    let world = World::new();
    let run = |root: &std::path::Path| {
        let mut command = std::process::Command::new(common::jec_path());
        command.arg("--root").arg(root).args(["run"]).arg(world.rootfs()).arg("true");
        Ran::of(command)
    };
    run(&world.path("state/of/an/engine")).ok();
    assert_eq!(fs::read_dir(world.path("state/of/an/engine")).expect("made").count(), 0);
    symlink("/no/where", world.path("state/link")).expect("a link");
    run(&world.path("state/link/x")).fails(1, &["mkdirat", "link/x", "ENOENT"]);
}
