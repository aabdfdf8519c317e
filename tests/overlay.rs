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

/// What the container of the next tests does: a file more, one less, another content, another
/// mode, a directory replaced by one of the same name, a link.
const CHANGES: &str = "echo new >/etc/new; rm /etc/group; echo x >>/etc/hosts; chmod 700 /etc/passwd; \
    rm -r /usr; mkdir /usr; touch /usr/mine; ln -s mine /usr/link; touch -d @1000 /usr /usr/mine; \
    echo y >/tmp/in-the-root; ";

const EXPECTED: [&str; 9] = [
    "C /etc",
    "D /etc/group",
    "C /etc/hosts",
    "A /etc/new",
    "C /etc/passwd",
    "C /usr",
    "D /usr/bin",
    "A /usr/link",
    "A /usr/mine",
];

fn lines(text: &str) -> Vec<&str> {
    // Whatever else the root got: mount points that it did not have.
    text.lines().filter(|line| line.contains(" /etc") || line.contains(" /usr")).collect()
}

#[test]
fn a_running_container_is_compared_with_its_layers() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let (id, root) = (world.id("c"), text(&world.rootfs()));
    let line = CHANGES.to_owned() + "touch /etc/done; rm /etc/done; exec sleep 1000";
    let _held = world.hold(&["--name", &id, "--overlay", &root, "sh", "-c", &line]);
    let diff = |words: &[&str]| {
        let mut command = world.jec();
        command.args(["image", "diff", &id]).args(words);
        common::Ran::of(command)
    };
    common::until("all is changed", || diff(&[]).out.contains("A /tmp/in-the-root"));
    let ran = diff(&[]).ok();
    let expected: Vec<_> = EXPECTED.into_iter().chain(["D /usr/sbin"]).collect();
    assert_eq!(lines(&ran.out), expected);
    assert!(!ran.out.contains("/proc/") && !ran.out.contains("/dev/"), "{}", ran.out);
    let json: Value = serde_json::from_str(&diff(&["--json"]).ok().out).unwrap();
    assert!(
        json.as_array().unwrap().contains(&serde_json::json!({"change": "D", "path": "etc/group"}))
    );
}

#[test]
fn what_was_kept_is_shown_after_the_end_and_becomes_a_layer_with_the_same_digest_each_time() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let root = text(&world.rootfs());
    let mut digests = Vec::new();
    for at in ["a", "b"] {
        let (id, file) = (world.id(at), text(&world.path(&format!("{at}.tar"))));
        let keep = format!("--keep={}", world.path(at).display());
        let line = CHANGES.to_owned()
            + "for f in /etc/* /etc /tmp /tmp/* / /root; do \
            touch -d @2000 $f; done; touch -h -d @3000 /usr/link";
        world.run(&["--name", &id, &keep, &root, "sh", "-c", &line]).ok();
        let jec = |words: &[&str]| {
            let mut command = world.jec();
            command.arg("image").args(words);
            common::Ran::of(command)
        };
        let ran = jec(&["diff", &id]).ok();
        for line in EXPECTED {
            assert!(ran.out.lines().any(|found| found == line), "{line}: {}", ran.out);
        }
        digests.push(jec(&["commit", &id, "--layer", &file]).ok().out);
        jec(&["commit", &id, "--layer", &file]).fails(1, &[".tar", "File exists"]);
        let sum = common::bundle::sh(&format!("sha256sum {file}")).ok().out;
        assert!(digests[0].starts_with("sha256:"), "{digests:?}");
        assert_eq!(digests.last().unwrap()[7..71], sum[..64]);
        let list = common::bundle::sh(&format!("tar -tf {file}")).ok().out;
        for name in ["etc/.wh.group", "etc/new", "usr/.wh.bin", "usr/mine", "usr/link"] {
            assert!(list.lines().any(|line| line == name), "{name}: {list}");
        }
        assert!(world.jec().args(["delete", &id]).status().unwrap().success());
    }
    assert_eq!(digests[0], digests[1], "same content, same digest");
}

#[test]
fn a_container_without_an_overlay_or_without_its_changes_has_nothing_to_compare() {
    let world = World::new();
    let (id, root) = (world.id("n"), text(&world.rootfs()));
    world.run(&["--keep", "--name", &id, &root, "true"]).ok();
    let diff = |id: &str| {
        let mut command = world.jec();
        command.args(["image", "diff", id]);
        common::Ran::of(command)
    };
    diff(&id).fails(1, &["no overlay", "--overlay"]);
    diff("nobody").fails(1, &["nobody"]);
    assert!(world.jec().args(["delete", &id]).status().unwrap().success());
    if common::has_overlay() {
        world.run(&["--keep", "--name", &id, "--overlay", &root, "true"]).ok();
        diff(&id).fails(1, &["in memory", "--keep=DIR"]);
        assert!(world.jec().args(["delete", &id]).status().unwrap().success());
    }
}
