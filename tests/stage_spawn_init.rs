//! spawn-init: the namespaces that init is born into.

mod common;

use std::os::fd::AsRawFd;

use common::{
    Canary, World, is_root, namespace_of, sh, shell, with_host_programs, with_namespace,
    without_namespace,
};

#[test]
fn the_program_of_the_example_is_process_1_and_sees_nobody_else() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("spawn-init", common::for_me)).ok();
    assert!(ran.out.contains("I am process 1"), "{}", ran.out);
    assert_eq!(ran.out.lines().count(), 3, "the heading and one process: {}", ran.out);
    world.assert_clean();
}

#[test]
fn every_namespace_of_the_list_is_new_and_every_other_is_the_hosts() {
    let world = World::new();
    let bundle = world.bundle("spawn-init", |config| {
        sh("exec sleep 300")(config);
        without_namespace(config, "ipc");
    });
    let held = world.hold_bundle(&bundle);
    let me = i32::try_from(std::process::id()).unwrap();
    for (kind, shared) in [
        ("mnt", false),
        ("pid", false),
        ("uts", false),
        ("cgroup", false),
        ("net", false),
        ("ipc", true),
        ("time", true),
        ("user", is_root()),
    ] {
        assert_eq!(held.namespace(kind) == namespace_of(me, kind), shared, "{kind}");
    }
    drop(held);
    world.assert_clean();
}

#[test]
fn a_process_of_the_host_can_be_killed_only_without_a_pid_namespace() {
    let world = World::new();
    let mut canary = Canary::sleeping();
    let kill = format!("kill -9 {}", canary.pid());
    let ran = world.run_bundle(&world.bundle("spawn-init", sh(&kill)));
    assert!(ran.code == 1 && ran.err.contains("No such process"), "{ran:?}");
    assert!(canary.lives());
    let bundle = world.bundle("spawn-init", |config| {
        sh(&kill)(config);
        without_namespace(config, "pid");
        // Only who owns the pid namespace may mount its /proc.
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "proc");
    });
    world.run_bundle(&bundle).ok();
    common::until("the canary ends", || !canary.lives());
    world.assert_clean();
}

/// A System V shared memory segment of the host, removed at the end.
struct Segment(String);

impl Segment {
    fn new() -> Self {
        let out = shell("ipcmk -M 4096 -p 0600").ok().out;
        Self(out.trim().rsplit(' ').next().unwrap().to_owned())
    }
    fn exists(&self) -> bool {
        shell(&format!("ipcs -m -i {}", self.0)).out.contains("bytes=4096")
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        shell(&format!("ipcrm -m {}", self.0));
    }
}

#[test]
fn shared_memory_of_the_host_can_be_removed_only_without_an_ipc_namespace() {
    let world = World::new();
    let segment = Segment::new();
    assert!(segment.exists());
    let remove = format!("/usr/bin/ipcrm -m {}", segment.0);
    let bundle = world.bundle("spawn-init", |config| {
        sh(&remove)(config);
        with_host_programs(config);
    });
    world.run_bundle(&bundle).fails(1, &["invalid id"]);
    assert!(segment.exists());
    let bundle = world.bundle("spawn-init", |config| {
        sh(&remove)(config);
        with_host_programs(config);
        without_namespace(config, "ipc");
    });
    world.run_bundle(&bundle).ok();
    assert!(!segment.exists());
}

#[test]
fn when_process_1_ends_so_does_everybody_inside() {
    let world = World::new();
    let script = "sleep 300 & setsid sleep 301 & exec true";
    world.run_bundle(&world.bundle("spawn-init", sh(script))).ok();
    world.assert_clean();
}

#[test]
fn a_kind_of_namespace_that_is_used_up_is_named_as_such() {
    let world = World::new();
    let bundle = world.bundle("spawn-init", |_| ());
    let spoil = "echo 0 >/proc/sys/user/max_uts_namespaces";
    world
        .run_spoiled(spoil, &bundle)
        .fails(1, &["spawn-init (middle): clone3(", "CLONE_NEWUTS", "ENOSPC", "used up"]);
    world.assert_clean();
}

#[test]
fn a_pid_namespace_whose_process_1_has_ended_takes_nobody_any_more() {
    if !is_root() {
        skip!("joining a pid namespace alone takes root");
    }
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("spawn-init", sh("exec sleep 300")));
    let namespace = std::fs::File::open(format!("/proc/{}/ns/pid", held.pid)).unwrap();
    drop(held);
    let path = format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd());
    let bundle = world.bundle("spawn-init", |config| with_namespace(config, "pid", Some(&path)));
    world.run_bundle(&bundle).fails(1, &["spawn-init (middle)", "ENOMEM", "process 1 of the pid"]);
    world.assert_clean();
}
