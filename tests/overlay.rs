//! `jec run --overlay` and `--keep=DIR`: what a container changes does not go into TARGET.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use common::{World, is_root};
use serde_json::Value;

/// Who root of the container is outside, with the flags that say so.
const ROOTS: [&[&str]; 2] = [&[], &["--userns", "auto"]];

fn can_map() -> bool {
    if is_root() && !common::has_user_attributes_in_memory() {
        return false;
    }
    let lines = fs::read_to_string("/etc/subuid").unwrap_or_default();
    !is_root() || lines.lines().any(|line| line.starts_with("root:") || line.starts_with("cont"))
}

fn text(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn what_is_changed_is_gone_at_the_end() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    for flags in ROOTS.into_iter().filter(|flags| flags.is_empty() || can_map()) {
        let world = World::new();
        let root = text(&world.rootfs());
        let line = "rm -r /usr && echo x >/new && ls / && mkdir /usr";
        let words = ["--overlay", &*root, "sh", "-c", line];
        for _ in 0..2 {
            let ran = world.run(&[flags, &words[..]].concat()).ok();
            assert!(ran.out.contains("new") && !ran.out.contains("usr"), "{}", ran.out);
        }
        assert!(world.path("rootfs/usr").exists() && !world.path("rootfs/new").exists());
        world.assert_clean();
    }
}

#[test]
fn what_is_kept_belongs_to_root_inside_and_the_next_container_goes_on_there() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    for flags in ROOTS.into_iter().filter(|flags| flags.is_empty() || can_map()) {
        let world = World::new();
        let root = text(&world.rootfs());
        let keep = format!("--keep={}", world.path("kept").display());
        let line = "cat /count 2>/dev/null; echo line >>/count; rm -rf /usr; chown 1:1 /count";
        for (at, expected) in ["", "line\n", "line\nline\n"].iter().enumerate() {
            let id = world.id(&at.to_string());
            let words = ["--name", &id, &keep, &root, "sh", "-c", line];
            let line_of_one = [flags, &words[..]].concat();
            // A map of one id has no second one to give the file to: then it stays root's.
            assert_eq!(world.run(&line_of_one).out, *expected);
            let state = world.jec().args(["state", &id]).output().unwrap();
            let state: Value = serde_json::from_slice(&state.stdout).unwrap();
            assert_eq!(state["status"], "stopped", "the state is kept, too");
            assert!(world.jec().args(["delete", &id]).status().unwrap().success());
        }
        let kept = fs::symlink_metadata(world.path("kept")).unwrap();
        assert_eq!(kept.mode() & 0o7777, 0o700);
        assert!(!world.path("rootfs/count").exists() && world.path("rootfs/usr").exists());
        world.assert_clean();
        if !is_root() {
            // What belongs to ids that are only lent is removed by their root.
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--map-auto", "rm", "-rf"]);
            command.arg(world.path("kept")).status().unwrap();
        }
    }
}

#[test]
fn a_container_that_goes_on_alone_keeps_its_place() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let root = text(&world.rootfs());
    let keep = format!("--keep={}", world.path("kept").display());
    let (one, two) = (world.id("one"), world.id("two"));
    let words = |id| ["--detach", "--name", id, &*keep, &*root, "sleep", "1000"];
    // Its output is that of jec, whose end nobody would see in a pipe.
    let start = |id| {
        let mut command = world.jec();
        command.arg("run").args(words(id)).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().code()
    };
    assert_eq!(start(&one), Some(0));
    world.run(&words(&two)).fails(1, &["overlay (init)", "in use by a container"]);
    assert!(world.jec().args(["delete", "-f", &one]).status().unwrap().success());
    assert_eq!(start(&two), Some(0));
    assert!(world.jec().args(["delete", "-f", &two]).status().unwrap().success());
    world.assert_clean();
}

#[test]
fn a_copy_does_the_same_without_an_overlay() {
    let world = World::new();
    let root = text(&world.rootfs());
    let line = "rm -r /usr; grep -c ' - overlay ' /proc/self/mountinfo";
    assert_eq!(world.run(&["--overlay=copy", &root, "sh", "-c", line]).out, "0\n");
    assert!(world.path("rootfs/usr").exists());
    world.assert_clean();
}

#[test]
fn spec_says_what_the_flag_stands_for_and_makes_nothing() {
    let world = World::new();
    let root = text(&world.rootfs());
    let spec = world.jec().args(["spec", "--overlay", &root]).output().unwrap();
    let spec: Value = serde_json::from_slice(&spec.stdout).unwrap();
    assert_eq!(spec["annotations"]["jec.overlay.lower"], root);
    let plain = world.jec().args(["spec", &root]).output().unwrap();
    let plain: Value = serde_json::from_slice(&plain.stdout).unwrap();
    assert!(plain.get("annotations").is_none_or(Value::is_null), "{plain}");
    let features = world.jec().arg("features").output().unwrap();
    let features: Value = serde_json::from_slice(&features.stdout).unwrap();
    assert_eq!(features["potentiallyUnsafeConfigAnnotations"][0], "jec.overlay.");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_way_out() {
    let world = World::new();
    let root = text(&world.rootfs());
    fs::create_dir(world.path("a:b")).unwrap();
    let odd = text(&world.path("a:b"));
    let deep = format!("--keep={}", world.path("no/such/place").display());
    let cases: [(&[&str], &[&str]); 5] = [
        (&["--overlay", "--", "true"], &["--overlay: without TARGET", "./rootfs"]),
        (&["--overlay", &odd, "true"], &["a:b", "colons"]),
        (&["--overlay=else", &root, "true"], &["invalid value", "--overlay"]),
        (&[&deep, &root, "true"], &["no/such/place", "ENOENT"]),
        (&["--detach", "--keep", &root, "true"], &["--detach keeps the state anyway"]),
    ];
    for (words, expected) in cases {
        let ran = world.run(words);
        assert!(ran.code != 0 && expected.iter().all(|word| ran.err.contains(word)), "{ran:?}");
    }
    let bundle = world.bundle("overlay", common::for_me);
    let ran = world.run(&["--keep=x", "-b", &text(&bundle), &world.id("b")]);
    ran.fails(1, &["--keep=DIR: the container is made from a bundle", "edit its config.json"]);
    world.assert_clean();
}
