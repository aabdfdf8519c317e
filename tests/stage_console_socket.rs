//! console-socket: the master of the terminal comes out to jec, and nothing
//! that could carry it back stays inside.

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::bundle::{for_me, shell, sleeps};
use common::{Ran, World};
use serde_json::json;

/// What the descriptors of a process lead to.
fn descriptors(pid: i32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    entries
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect()
}

#[test]
fn the_example_has_the_terminal_that_the_configuration_describes() {
    let world = World::new();
    let bundle = world.bundle("console-socket", for_me);
    let ran = world.run_bundle(&bundle).ok();
    assert!(ran.out.contains("rows 30; columns 100"), "{}", ran.out);
    assert!(!ran.out.contains("socket:"), "{}", ran.out);
    world.assert_clean();
}

#[test]
fn jec_holds_the_master_and_the_container_only_the_slave() {
    let world = World::new();
    let bundle = world.bundle("console-socket", |config| {
        for_me(config);
        sleeps(config);
    });
    let held = world.hold_bundle(&bundle);
    let inside = descriptors(held.pid);
    assert_eq!(inside, ["/dev/pts/0"; 3], "{inside:?}");
    // jec takes it out of the socket after the program has begun.
    let masters = || {
        let outside = descriptors(held.jec_pid());
        outside.iter().filter(|name| name.ends_with("ptmx")).count()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while masters() == 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(masters(), 1);
}

#[test]
fn a_terminal_that_nobody_would_hold_is_refused() {
    let world = World::new();
    let bundle = world.bundle("console-socket", for_me);
    let words = ["process.terminal: ", "nobody", "--console-socket"];
    world.create(&bundle, &world.id("create")).fails(1, &words);
    let path = bundle.to_string_lossy();
    world.run(&["--detach", "-b", &path, &world.id("run")]).fails(1, &words);
    world.assert_clean();
}

#[test]
fn without_a_terminal_there_is_neither_a_master_nor_this_stage() {
    let world = World::new();
    let bundle = world.bundle("console-socket", |config| {
        for_me(config);
        sleeps(config);
        config["process"]["terminal"] = json!(false);
        config["process"].as_object_mut().unwrap().remove("consoleSize");
    });
    let held = world.hold_bundle(&bundle);
    assert!(!descriptors(held.jec_pid()).iter().any(|name| name.ends_with("ptmx")));
    assert!(!descriptors(held.pid).iter().any(|name| name.contains("pts")));
    drop(held);
    let bundle = bundle.to_string_lossy().into_owned();
    fs::write(format!("{bundle}/config.json"), {
        let text = fs::read_to_string(format!("{bundle}/config.json")).unwrap();
        text.replace("[\"sleep\",\"1000\"]", "[\"true\"]")
    })
    .unwrap();
    let ran = world.run(&["--explain", "-b", &bundle, &world.id("e")]).ok();
    assert!(ran.err.contains("\npropagation ") && !ran.err.contains("\nconsole"), "{}", ran.err);
}

#[test]
fn all_that_the_program_writes_before_its_end_arrives() {
    let world = World::new();
    let bundle = world.bundle("console-socket", |config| {
        for_me(config);
        shell(config, "stty raw; seq 60000; echo the end");
    });
    let ran = world.run_bundle(&bundle).ok();
    let expected: String =
        (1..=60000).map(|n| format!("{n}\n")).chain(["the end\n".into()]).collect();
    // The end of jec's own input is typed as Ctrl-D, which the terminal may echo.
    let shown = ran.out.replace("^D", "").replace('\u{8}', "");
    assert!(shown == expected, "{} bytes of {}", ran.out.len(), expected.len());
}

#[test]
fn with_few_descriptors_it_works_or_fails_by_name_and_leaves_nothing_unsaid() {
    let mut failures = Vec::new();
    // How many it takes depends on the machine: with a cgroup it is one more.
    for limit in 4..=20 {
        let world = World::new();
        let bundle = world.bundle("console-socket", for_me);
        let mut command = std::process::Command::new("sh");
        let line = format!("ulimit -n {limit}; exec \"$@\"");
        command.args(["-c", &line, "sh"]).arg(common::jec_path()).arg("--root");
        command.arg(world.path("state")).args(["run", "-b"]).arg(&bundle).arg(world.id("l"));
        let ran = Ran::of(command);
        if ran.code == 0 {
            world.assert_clean();
        } else {
            assert!(ran.err.contains("EMFILE"), "{limit}: {}", ran.err);
            // Too few to clean up as well: then it says so.
            if !ran.err.contains("cleaning up failed") {
                world.assert_clean();
            }
            failures.push(ran.err);
        }
    }
    assert!(!failures.is_empty(), "four descriptors are too few");
    let here = failures.iter().any(|text| text.contains("console-socket (runtime): socketpair("));
    assert!(here, "{failures:#?}");
}
