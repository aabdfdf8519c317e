//! `jec inspect`: what it says is what the kernel says by another route.

mod common;

use std::fs;

use common::{World, is_root};
use serde_json::Value;

#[test]
fn the_facts_are_those_of_proc() {
    let world = World::new();
    let rootfs = world.rootfs().to_string_lossy().into_owned();
    let held = world.hold(&[&rootfs, "sleep", "60"]);
    let pid = held.pid.to_string();
    let told = world.tell(&["inspect", "--json", "--pid", &pid]).ok();
    let seen: Value = serde_json::from_str(&told.out).expect("JSON");
    let facts = &seen["container"];
    for kind in ["mnt", "pid", "uts", "user"] {
        let link = held.namespace(kind).replace(['[', ']'], "");
        assert_eq!(facts[format!("namespace.{kind}")], *link);
    }
    for (word, key) in [("CapBnd", "capabilities.bounding"), ("NoNewPrivs", "no_new_privs")] {
        assert_eq!(facts[key], *held.status(word), "{key}");
    }
    let mounts = facts.as_object().expect("facts").keys().filter(|key| key.starts_with("mount."));
    assert_eq!(mounts.count(), held.proc("mountinfo").lines().count());
    let inside = held.status("NSpid");
    let pids: Vec<_> = inside.split_whitespace().map(|pid| pid.parse::<i32>().ok()).collect();
    assert_eq!(seen["processes"][0]["pids"], serde_json::json!(pids));
    let uid = nix::unistd::geteuid().as_raw();
    let owner = if is_root() { 0 } else { uid };
    assert_eq!(seen["owners"]["mnt"], owner);
    held.wait_after_kill();
    world.assert_clean();
}

#[test]
fn the_page_is_80_columns_wide_and_names_what_is_not_the_hosts() {
    let world = World::new();
    let rootfs = world.rootfs().to_string_lossy().into_owned();
    let held = world.hold(&["--hostname", "box", &rootfs, "sleep", "60"]);
    let page = world.tell(&["inspect", "--pid", &held.pid.to_string()]).ok().out;
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("the host's name");
    for words in [&*format!("box | {}", host.trim()), "as the host", "PROCESSES", "/proc"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains('\x1b'));
    held.wait_after_kill();
    world.assert_clean();
}

#[test]
fn what_does_not_run_is_refused() {
    let world = World::new();
    world.tell(&["inspect", "nobody"]).fails(1, &["does not exist"]);
    world.tell(&["inspect", "--pid", "4194305"]).fails(1, &["runs"]);
}
