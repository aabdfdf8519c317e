//! rootfs-scripts/alpine, and that what each script makes starts under jec, crun and bubblewrap.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Ran, World, is_root};

fn script(name: &str, args: &[&str]) -> Ran {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-scripts").join(name);
    let mut command = Command::new(path);
    command.args(args);
    Ran::of(command)
}

/// An archive of Alpine's form, made of busybox, with its checksum beside it.
fn archive(world: &World) -> PathBuf {
    let archive = world.path("minirootfs.tar.gz");
    let line = format!(
        "cd {} && echo 3.22.1 >etc/alpine-release && tar -czf {a} . && cd {} && \
         sha256sum minirootfs.tar.gz >minirootfs.tar.gz.sha256",
        world.rootfs().display(),
        world.dir.path().display(),
        a = archive.display(),
    );
    common::bundle::sh(&line).ok();
    archive
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn an_archive_with_the_right_checksum_becomes_a_tree_and_one_with_a_wrong_one_nothing() {
    let world = World::new();
    let archive = text(&archive(&world));
    let (tree, url) = (text(&world.path("tree")), format!("file://{archive}"));
    script("alpine", &[&archive, &tree]).ok();
    assert_eq!(fs::read_to_string(world.path("tree/etc/alpine-release")).unwrap(), "3.22.1\n");
    assert_eq!(fs::read(world.path("tree/etc/resolv.conf")).unwrap(), b"");
    script("alpine", &[&archive, &tree]).fails(1, &["not empty", "cure:"]);
    if Command::new("curl").arg("--version").output().is_ok() {
        script("alpine", &[&url, &text(&world.path("by-url"))]).ok();
    }
    let other = text(&world.path("other"));
    script("alpine", &["--sha256", "0000", &archive, &other]).fails(1, &["checksum", "not 0000"]);
    fs::write(&archive, "spoiled").unwrap();
    script("alpine", &[&archive, &other]).fails(1, &["checksum"]);
    fs::remove_file(format!("{archive}.sha256")).unwrap();
    script("alpine", &[&archive, &other]).fails(1, &["nothing says", "--sha256"]);
    script("alpine", &["/no/such/file", &other]).fails(1, &["cannot read"]);
    script("alpine", &[&archive]).fails(2, &["usage"]);
    let left: Vec<_> = fs::read_dir(world.dir.path()).unwrap().flatten().collect();
    assert!(left.iter().all(|entry| !entry.file_name().to_string_lossy().starts_with('.')));
    assert!(!world.path("other").exists());
}

/// Starts `sh -c 'echo works'` in the tree, under this runtime; none where it is not installed.
fn start(world: &World, runtime: &str, tree: &str) -> Option<Ran> {
    let program = ["sh", "-c", "echo works; exit 3"];
    if runtime == "jec" {
        return Some(world.run(&[&[tree], &program[..]].concat()));
    }
    Command::new(runtime).arg("--version").output().ok()?;
    let mut command = Command::new(runtime);
    if runtime == "bwrap" {
        command.args(["--bind", tree, "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all"]);
        command.args(program);
        return Some(Ran::of(command));
    }
    // crun takes a bundle: that of `jec spec`, whose limits need cgroups that may not be there.
    let bundle = world.path("crun-bundle");
    fs::create_dir_all(&bundle).unwrap();
    let spec = world.jec().arg("spec").arg("--no-tty").arg(tree).args(program).output().unwrap();
    let mut spec: serde_json::Value = serde_json::from_slice(&spec.stdout).unwrap();
    spec["linux"]["resources"] = serde_json::json!({});
    fs::write(bundle.join("config.json"), spec.to_string()).unwrap();
    if is_root() {
        // crun refuses a machine that has cgroup v1 beside v2; with a view of its own it has not.
        let view = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec \"$@\"";
        command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", view, "sh", runtime]);
    }
    command.args(["--cgroup-manager=disabled", "--root"]).arg(world.path("crun"));
    command.args(["run", "--bundle"]).arg(&bundle).arg(world.id("crun"));
    Some(Ran::of(command)).filter(|ran| !ran.err.contains("hybrid mode not supported"))
}

#[test]
fn what_each_script_makes_starts_under_each_runtime() {
    let world = World::new();
    let trees = [("busybox", text(&world.path("b"))), ("alpine", text(&world.path("a")))];
    script("busybox", &[&trees[0].1]).ok();
    script("alpine", &[&text(&archive(&world)), &trees[1].1]).ok();
    println!("SKIPPED: rootfs-scripts/debian, which downloads 100 MB, has a test of its own");
    for (name, tree) in &trees {
        for runtime in ["jec", "crun", "bwrap"] {
            let Some(ran) = start(&world, runtime, tree) else {
                println!("SKIPPED: no {runtime} that works on this machine, for {name}");
                continue;
            };
            assert!(ran.code == 3 && ran.out == "works\n", "{name} under {runtime}: {ran:?}");
        }
    }
}

/// `rootfs-scripts/debian ./deb && tar -C deb --numeric-owner -cf deb.tar . &&
/// ROOTFS_ARCHIVE=$PWD/deb.tar cargo test --test rootfs_alpine real`: Debian, not a tree of our own.
#[test]
fn a_real_root_file_system_starts_under_each_runtime_after_jec_unpack() {
    let Some(archive) = std::env::var_os("ROOTFS_ARCHIVE") else {
        skip!("ROOTFS_ARCHIVE names no archive of a real root file system");
    };
    let world = World::new();
    let tree = text(&world.path("tree"));
    world.tell(&["unpack", &text(Path::new(&archive)), &tree]).ok();
    for runtime in ["jec", "crun", "bwrap"] {
        match start(&world, runtime, &tree) {
            None => println!("SKIPPED: no {runtime} that works on this machine"),
            Some(ran) => assert!(ran.code == 3 && ran.out == "works\n", "{runtime}: {ran:?}"),
        }
    }
}
