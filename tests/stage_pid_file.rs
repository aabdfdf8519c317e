//! pid-file: init's number is where it was asked for, whole, and last of all.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use common::{Ran, World, for_me, sh};

#[test]
fn the_pid_file_holds_the_number_of_process_1() {
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("pid-file", sh("exec sleep 300")));
    let text = fs::read_to_string(world.path("pid")).expect("the pid file");
    assert_eq!(text, held.pid.to_string());
    let inside = held.status("NSpid");
    assert_eq!(inside.split_whitespace().last(), Some("1"), "{inside}");
    let mode = fs::metadata(world.path("pid")).expect("stat").permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "{mode:o}");
}

#[test]
fn a_pid_file_that_cannot_be_written_ends_the_container() {
    let world = World::new();
    let bundle = world.bundle("pid-file", for_me);
    let id = world.id("b");
    for (file, errno) in [("/nowhere/pid", "ENOENT"), ("/proc/pid", "ENOENT"), ("/", "E")] {
        let words = ["--pid-file", file, "-b", &*bundle.to_string_lossy(), &*id];
        let ran = world.run(&words).fails(1, &["pid-file (runtime): ", errno]);
        assert!(file != "/nowhere/pid" || ran.err.contains("likely:"), "{}", ran.err);
        world.assert_clean();
    }
}

#[test]
fn a_link_that_waits_at_the_temporary_name_is_not_followed() {
    let world = World::new();
    let bundle = world.bundle("pid-file", sh("true"));
    let (id, pid_file, victim) = (world.id("b"), world.path("pid"), world.path("victim"));
    fs::write(&victim, "precious").expect("a file");
    symlink(&victim, world.path(&format!("pid.jec-{id}"))).expect("a link");
    world
        .run(&["--pid-file", &pid_file.to_string_lossy(), "-b", &bundle.to_string_lossy(), &id])
        .ok();
    assert_eq!(fs::read_to_string(&victim).expect("a file"), "precious");
}

#[test]
fn a_relative_pid_file_is_relative_to_where_jec_was_started() {
    let world = World::new();
    let bundle = world.bundle("pid-file", sh("true"));
    let mut command = world.jec();
    command.args(["run", "--pid-file", "here", "-b"]).arg(bundle).arg(world.id("b"));
    command.current_dir(world.dir.path());
    Ran::of(command).ok();
    assert!(fs::read_to_string(world.path("here")).expect("the file").parse::<i32>().is_ok());
}
