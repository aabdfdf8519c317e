//! hooks-runtime: prestart and createRuntime, on the host.

mod common;
#[path = "common/hooks.rs"]
mod hooks;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Ran, World, for_me, processes_with, until};
use hooks::{all_tell, hook, own_namespaces, shared, state, telling, told, with};
use serde_json::json;

#[test]
fn both_kinds_of_the_example_run_in_order_and_before_the_program() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("hooks-runtime", for_me)).ok();
    assert_eq!(ran.out, "prestart\ncreateRuntime\n");
    world.assert_clean();
}

#[test]
fn a_hook_gets_the_state_its_environment_and_nothing_else() {
    let world = World::new();
    let bundle = world.bundle("hooks-runtime", all_tell(&world));
    let mut command = world.jec();
    command.arg("run").arg("-b").arg(&bundle).arg(world.id("b")).env("SECRET", "1");
    Ran::of(command).ok();
    for kind in ["prestart", "createRuntime"] {
        let state = state(&world, kind);
        assert_eq!(state["status"], "creating");
        assert_eq!(state["id"], world.id("b"));
        assert_eq!(state["ociVersion"], "1.3.0");
        assert_eq!(state["bundle"], bundle.display().to_string());
        assert_eq!(state["annotations"], json!({"com.example.key": "value"}));
        assert!(state["pid"].as_i64().expect("a pid") > 1);
        assert_eq!(told(&world, &format!("{kind}.ns")), own_namespaces());
        let environment = told(&world, &format!("{kind}.env"));
        assert_eq!(environment, "PATH=/usr/bin:/bin\0MARK=1\0");
        // 3 is the directory that ls reads, 1 the file that the shell has opened.
        let descriptors = told(&world, &format!("{kind}.fd"));
        assert_eq!(descriptors.matches(" -> ").count(), 4, "{descriptors}");
        let status = told(&world, &format!("{kind}.status"));
        for line in ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"] {
            assert!(status.contains(line), "{status}");
        }
        let own = fs::read_to_string("/proc/self/cgroup").expect("cgroup");
        assert_eq!(told(&world, &format!("{kind}.cgroup")), own);
    }
    world.assert_clean();
}

#[test]
fn the_state_names_init_before_it_has_left_the_hosts_root() {
    let world = World::new();
    let dir = shared(&world).display().to_string();
    let script =
        format!("pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); cat /proc/$pid/comm >{dir}/comm");
    let bundle = world.bundle("hooks-runtime", with(&world, "createRuntime", &[hook(&script)]));
    world.run_bundle(&bundle).ok();
    assert_eq!(told(&world, "comm"), "jec:[2:INIT]\n");
}

#[test]
fn a_hook_that_fails_ends_the_container_and_those_after_it_do_not_run() {
    for kind in ["prestart", "createRuntime"] {
        let world = World::new();
        let hooks = [hook("echo the reason >&2; sleep 300 & exit 3"), telling(&world, kind)];
        let bundle = world.bundle("hooks-runtime", with(&world, kind, &hooks));
        let place = format!("hooks-runtime (runtime): hooks.{kind}[0]: \"/bin/sh\" failed");
        world.run_bundle(&bundle).fails(1, &[&place, "exit status 3", "the reason"]);
        assert_eq!(told(&world, "log"), "poststop\n");
        assert_eq!(state(&world, "poststop")["status"], "stopped");
        world.assert_clean();
    }
}

#[test]
fn a_hook_that_cannot_be_executed_says_why() {
    let world = World::new();
    let bundle =
        world.bundle("hooks-runtime", with(&world, "prestart", &[json!({"path": "/no/hook"})]));
    let words = [
        "hooks-runtime (runtime): hooks.prestart[0]: execve(\"/no/hook\", [\"/no/hook\"]",
        "ENOENT",
        "likely: ",
    ];
    world.run_bundle(&bundle).fails(1, &words);
    world.assert_clean();
}

#[test]
fn a_hook_that_takes_too_long_is_killed_with_all_it_started() {
    let world = World::new();
    let mark = world.dir.path().display().to_string();
    let mut slow = hook(&format!("sh -c 'sleep 300; : {mark}' & sleep 300; : {mark}"));
    slow["timeout"] = json!(1);
    let bundle = world.bundle("hooks-runtime", with(&world, "createRuntime", &[slow]));
    let begin = Instant::now();
    world.run_bundle(&bundle).fails(1, &["hooks.createRuntime[0]", "did not end within 1s"]);
    assert!(begin.elapsed() < Duration::from_secs(30));
    assert_eq!(processes_with(&mark), [0; 0]);
    world.assert_clean();
}

#[test]
fn ten_hooks_that_flood_close_or_leave_their_standard_input_are_no_trouble() {
    let world = World::new();
    let flood = hook("head -c 10000000 /dev/zero; head -c 10000000 /dev/zero >&2");
    let closing = hook("exec <&- >&- 2>&-; sleep 0.1");
    // What goes on behind a hook that succeeds is its own affair.
    let leaving = hook("sleep 0.3 >/dev/null 2>&1 & :");
    let mut hooks = vec![flood, closing, leaving];
    hooks.extend((0..7).map(|_| telling(&world, "prestart")));
    let change = with(&world, "prestart", &hooks);
    let bundle = world.bundle("hooks-runtime", |config| {
        change(config);
        // More than a pipe holds.
        config["annotations"] = json!({"large": "x".repeat(200_000)});
    });
    world.run_bundle(&bundle).ok();
    assert_eq!(told(&world, "log"), format!("{}poststop\n", "prestart\n".repeat(7)));
    assert_eq!(
        state(&world, "prestart")["annotations"]["large"].as_str().map(str::len),
        Some(200_000)
    );
    world.assert_clean();
}

/// `jec run` of a bundle whose createRuntime hook says that it runs, and then `script`.
fn hanging(world: &World, script: &str) -> std::process::Child {
    let dir = shared(world).display().to_string();
    let hooks = [hook(&format!("echo >{dir}/runs; {script}; : {dir}"))];
    let bundle = world.bundle("hooks-runtime", with(world, "createRuntime", &hooks));
    let mut command = world.jec();
    command.arg("run").arg("-b").arg(bundle).arg(world.id("b"));
    let jec = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("jec");
    until("the hook runs", || fs::exists(shared(world).join("runs")).is_ok_and(|is| is));
    jec
}

#[test]
fn a_signal_for_jec_ends_a_hook_that_hangs() {
    let world = World::new();
    let mut jec = hanging(&world, "sleep 300");
    let pid = nix::unistd::Pid::from_raw(jec.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("kill");
    assert_eq!(jec.wait().expect("an end").code(), Some(143));
    world.assert_clean();
}

#[test]
fn a_hook_that_kills_jec_ends_with_it_and_one_delete_cleans_up() {
    let world = World::new();
    let mut jec = hanging(&world, "kill -9 $PPID; sleep 5");
    assert_eq!(jec.wait().expect("an end").code(), None);
    world.delete(&["--force", &world.id("b")]).ok();
    assert_eq!(told(&world, "log"), "poststop\n");
    world.assert_clean();
}
