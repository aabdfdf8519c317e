//! spawn-middle: born in the cgroup, gone without a trace.

mod common;

use std::process::{Command, Stdio};

use common::{Ran, World, has_cgroup2, in_pure_cgroup2, is_root, sh, shell, without_namespace};

#[test]
fn the_container_has_been_in_its_cgroup_since_before_it_was_one() {
    if !is_root() && !has_cgroup2() {
        skip!("no cgroup v2 here, and only root can make a view that has it");
    }
    let world = World::new();
    let run = |bundle: &std::path::Path| {
        let words = world.run_words(bundle);
        if has_cgroup2() { shell(&words).ok() } else { in_pure_cgroup2(&words).ok() }
    };
    // A cgroup namespace has the cgroup for its root in which its maker was at that moment.
    let inside = run(&world.bundle("spawn-middle", common::for_me));
    assert!(inside.out.contains("0::/\n"), "{}", inside.out);
    let outside = run(&world.bundle("spawn-middle", |config| {
        without_namespace(config, "cgroup");
        common::for_me(config);
    }));
    let id = world.id("b");
    assert!(outside.out.contains(&format!("/jec/{id}\n")), "{}", outside.out);
    world.assert_clean();
}

#[test]
fn without_a_cgroup_it_stays_where_jec_is() {
    if has_cgroup2() {
        skip!("this machine has cgroup v2, so there is always a cgroup");
    }
    let world = World::new();
    let bundle = world.bundle("spawn-middle", |config| {
        without_namespace(config, "cgroup");
        common::for_me(config);
    });
    let ours = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    assert_eq!(world.run_bundle(&bundle).ok().out, ours);
}

#[test]
fn the_middle_is_gone_when_the_program_runs() {
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("spawn-middle", sh("exec sleep 300")));
    let jec = held.jec_pid();
    let children = std::fs::read_to_string(format!("/proc/{jec}/task/{jec}/children")).unwrap();
    assert_eq!(children.trim(), held.pid.to_string(), "one child, and no zombie");
}

#[test]
fn explain_shows_three_processes_at_work() {
    let world = World::new();
    let bundle = world.bundle("spawn-middle", common::for_me);
    let id = world.id("b");
    let ran = world.run(&["--explain", "--bundle", &bundle.to_string_lossy(), &id]).ok();
    let at = |text: &str| ran.err.find(text).unwrap_or_else(|| panic!("{text}: {}", ran.err));
    assert!(at("spawn-middle · runtime") < at("jec:[1:MIDDLE]"));
    assert!(at("jec:[1:MIDDLE]") < at("jec:[2:INIT]"));
}

#[test]
fn a_user_who_may_have_no_more_processes_is_told_so() {
    if is_root() {
        skip!("RLIMIT_NPROC does not hold for root");
    }
    let world = World::new();
    let words = world.run_words(&world.bundle("spawn-middle", common::for_me));
    let mut command = Command::new("bash");
    command.args(["-c", &format!("ulimit -u 1; exec {words}")]).stdin(Stdio::null());
    Ran::of(command).fails(1, &["spawn-middle (runtime): clone3(", "EAGAIN", "no more processes"]);
    world.assert_clean();
}
