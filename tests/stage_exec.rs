//! Exec: init becomes the program.

mod common;

use std::os::unix::fs::MetadataExt;

use common::process::{bundle, command, in_root, program, ran, script};
use common::{Ran, World};
use serde_json::json;

#[test]
fn the_example_runs_as_process_one_and_its_status_is_jecs() {
    let ran = ran("exec", |_| ());
    assert_eq!((ran.code, &*ran.out), (7, "I am process 1\nsh\n"), "{}", ran.err);
}

#[test]
fn init_becomes_the_program_and_nothing_of_jec_is_left_in_it() {
    let world = World::new();
    let bundle = bundle(&world, "exec", |config| command(config, &["sleep", "60"]));
    let held = world.hold(&["--bundle", &bundle.to_string_lossy(), &world.id("held")]);
    // The file that runs is the container's, and no page of jec's is mapped.
    let busybox = std::fs::metadata(in_root(&bundle, "bin/busybox")).expect("busybox");
    let exe = std::fs::metadata(format!("/proc/{}/exe", held.pid)).expect("exe");
    assert_eq!((exe.dev(), exe.ino()), (busybox.dev(), busybox.ino()));
    assert!(!held.proc("maps").contains("jec"), "{}", held.proc("maps"));
    assert_eq!(held.proc("cmdline"), "sleep\x0060\0");
    assert_eq!(held.proc("comm"), "sleep\n");
    drop(held);
    world.assert_clean();
}

#[test]
fn the_environment_is_the_configurations_and_not_that_of_jec() {
    let world = World::new();
    let bundle = bundle(&world, "exec", |config| {
        config["process"]["env"] = json!(["PATH=/bin", "HOME=/", "A=1", "EMPTY="]);
        command(config, &["cat", "/proc/self/environ"]);
    });
    let mut jec = world.jec();
    jec.env("SECRET", "of the host").args(["run", "--bundle"]).arg(&bundle).arg(world.id("env"));
    let ran = Ran::of(jec).ok();
    assert_eq!(ran.out, "PATH=/bin\0HOME=/\0A=1\0EMPTY=\0");
}

#[test]
fn a_script_without_its_interpreter_is_not_found_and_jec_says_what_is_missing() {
    for (first, errno, code) in [
        ("#!/nope\n", "ENOENT", 127),
        ("#!/bin/directory\n", "EACCES", 126),
        ("no line that names one\n", "ENOEXEC", 126),
        ("", "ENOEXEC", 126),
    ] {
        let world = World::new();
        let bundle = bundle(&world, "exec", |config| command(config, &["/bin/it"]));
        std::fs::create_dir(in_root(&bundle, "bin/directory")).expect("a directory");
        program(&bundle, "bin/it", first.as_bytes(), 0o755);
        let ran = world.run_bundle(&bundle);
        let ran = ran.fails(code, &["exec (init): execve(\"/bin/it\"", errno, "likely:"]);
        assert_eq!(ran.out, "");
        world.assert_clean();
        // The other half: with an interpreter that is there, the same file runs.
        program(&bundle, "bin/it", b"#!/bin/sh\necho runs\n", 0o755);
        assert_eq!(world.run_bundle(&bundle).ok().out, "runs\n");
    }
}

#[test]
fn a_program_of_another_machine_is_told_apart_from_a_missing_one() {
    let world = World::new();
    let bundle = bundle(&world, "exec", |config| command(config, &["/bin/it"]));
    let mut elf = std::fs::read(in_root(&bundle, "bin/busybox")).expect("busybox");
    elf[18] = 0xf3; // e_machine of <elf.h>: EM_RISCV
    program(&bundle, "bin/it", &elf, 0o755);
    world.run_bundle(&bundle).fails(126, &["ENOEXEC", "another kind of processor"]);
    world.assert_clean();
}

#[test]
fn arguments_that_the_kernel_does_not_take_are_e2big_and_nothing_is_left() {
    // MAX_ARG_STRLEN of <linux/binfmts.h>: 32 pages for one string.
    let long = "x".repeat(32 * 4096);
    let fitting = "x".repeat(32 * 4096 - 1);
    let fails = ran("exec", |config| command(config, &["true", &long]));
    fails.fails(126, &["exec (init): ", "E2BIG", "likely:"]);
    ran("exec", |config| command(config, &["true", &fitting])).ok();
}

#[test]
fn a_program_that_somebody_is_writing_is_etxtbsy_and_126() {
    let world = World::new();
    let bundle = bundle(&world, "exec", |config| command(config, &["/bin/it"]));
    program(&bundle, "bin/it", b"#!/bin/busybox true\n", 0o755);
    let it = in_root(&bundle, "bin/it");
    let writer = std::fs::File::options().append(true).open(it).expect("the program");
    let ran = world.run_bundle(&bundle);
    if ran.code == 0 {
        skip!("Linux 6.11 and 6.12 let a file be executed that is open for writing");
    }
    ran.fails(126, &["exec (init): ", "ETXTBSY", "open for writing"]);
    drop(writer);
    world.run_bundle(&bundle).ok();
    world.assert_clean();
}

#[test]
fn the_signal_that_ends_the_program_is_128_and_its_number() {
    for (signal, code) in [("KILL", 137), ("TERM", 143), ("SEGV", 139)] {
        // Process 1 is deaf to what it has no handler for; a child of it is not.
        let ran =
            ran("exec", |config| script(config, &format!("sh -c 'kill -{signal} $$'; exit $?")));
        assert_eq!(ran.code, code, "{signal}: {}", ran.err);
    }
}

#[test]
fn create_has_failed_if_the_program_has_not_started_so_no_state_says_running() {
    let world = World::new();
    let bundle = bundle(&world, "exec", |config| command(config, &["/bin/it"]));
    program(&bundle, "bin/it", b"#!/nope\n", 0o755);
    let mut jec = world.jec();
    jec.args(["run", "--keep", "--bundle"]).arg(&bundle).arg(world.id("keep"));
    Ran::of(jec).fails(127, &["exec (init)"]);
    world.assert_clean();
}
