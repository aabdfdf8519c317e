//! The scripts of `rootfs-scripts/`: what they make, what they refuse, and what
//! is left when they are killed.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

/// The command that runs a script of `rootfs-scripts/`.
fn script(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-scripts").join(name);
    Command::new(path)
}

/// Whether this machine has what the test needs; says so where it has not.
fn has_static_busybox() -> bool {
    let look = "found=$(command -v busybox) && ! ldd \"$found\"";
    let found = Command::new("sh").args(["-c", look]).output().unwrap().status.success();
    if !found {
        println!("SKIPPED: no static busybox on this machine (package busybox-static)");
    }
    found
}

/// Runs the busybox script into `dir`.
fn busybox(dir: &Path) -> Output {
    script("busybox").arg(dir).output().unwrap()
}

/// A finished tree, and the directory that holds it.
fn busybox_tree() -> (TempDir, PathBuf) {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("tree");
    let output = busybox(&dir);
    assert!(output.status.success(), "{output:?}");
    (parent, dir)
}

fn names(dir: &Path) -> BTreeSet<String> {
    let name = |entry: DirEntry| entry.file_name().into_string().unwrap();
    fs::read_dir(dir).unwrap().map(|entry| name(entry.unwrap())).collect()
}

/// Every path below `dir`, itself included, with what lstat(2) says of it.
fn walk(dir: &Path) -> Vec<(PathBuf, Metadata)> {
    let mut found = vec![(dir.to_owned(), fs::symlink_metadata(dir).unwrap())];
    let mut at = 0;
    while at < found.len() {
        if found[at].1.is_dir() {
            for entry in fs::read_dir(&found[at].0).unwrap() {
                let path = entry.unwrap().path();
                let metadata = fs::symlink_metadata(&path).unwrap();
                found.push((path, metadata));
            }
        }
        at += 1;
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Nothing but files, directories and links, all of them ours.
fn assert_harmless(dir: &Path) {
    for (path, metadata) in walk(dir) {
        let (kind, path) = (metadata.file_type(), path.display());
        let plain = kind.is_file() || kind.is_dir() || kind.is_symlink();
        assert!(plain, "{path} is {kind:?}");
        assert_eq!(metadata.uid(), geteuid().as_raw(), "owner of {path}");
    }
}

/// Waits for `condition`, at most ten seconds.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{what} never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The temporary directory of a running script, once there is one.
fn half_made(parent: &Path) -> Option<PathBuf> {
    names(parent).iter().find(|name| name.starts_with(".tree.")).map(|name| parent.join(name))
}

fn start_busybox(dir: &Path) -> Child {
    script("busybox").arg(dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Starts the script, and sends `signal` when `links` links are made.
fn killed(parent: &Path, links: usize, signal: Signal) {
    let mut child = start_busybox(&parent.join("tree"));
    wait_until("the temporary directory", || half_made(parent).is_some());
    let bin = half_made(parent).unwrap().join("root/bin");
    wait_until("the link", || {
        links == 0 || fs::read_dir(&bin).is_ok_and(|found| found.count() >= links)
    });
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
    assert!(!child.wait().unwrap().success(), "the script ended before it was killed");
}

#[test]
fn the_busybox_tree_holds_exactly_the_applets() {
    if !has_static_busybox() {
        return;
    }
    let (_parent, dir) = busybox_tree();
    let list = Command::new(dir.join("bin/busybox")).arg("--list").output().unwrap();
    let mut applets: BTreeSet<String> =
        String::from_utf8(list.stdout).unwrap().lines().map(Into::into).collect();
    applets.insert("busybox".into());
    assert!(applets.contains("sh"));
    assert_eq!(names(&dir.join("bin")), applets);
    for applet in applets.iter().filter(|applet| *applet != "busybox") {
        let link = fs::read_link(dir.join("bin").join(applet)).unwrap();
        assert_eq!(link, Path::new("busybox"), "{applet}");
    }
    assert!(dir.join("usr/bin/env").is_file() && dir.join("sbin/ip").is_file());
}

#[test]
fn the_busybox_tree_has_the_right_modes_and_only_files_of_ours() {
    if !has_static_busybox() {
        return;
    }
    let (_parent, dir) = busybox_tree();
    assert_harmless(&dir);
    let modes = [("", 0o755), ("bin/busybox", 0o755), ("root", 0o700), ("tmp", 0o1777)];
    for (path, wanted) in modes {
        assert_eq!(mode(&dir.join(path)), wanted, "mode of /{path}");
    }
    let top = ["bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr"];
    assert_eq!(names(&dir), top.map(String::from).into());
    for mount_point in ["dev", "proc", "run", "sys", "tmp"] {
        assert!(names(&dir.join(mount_point)).is_empty(), "/{mount_point} is not empty");
    }
    assert_eq!(fs::read(dir.join("etc/resolv.conf")).unwrap(), b"");
    assert!(fs::read_to_string(dir.join("etc/passwd")).unwrap().starts_with("root:x:0:0:"));
}

#[test]
fn a_umask_does_not_change_the_modes() {
    if !has_static_busybox() {
        return;
    }
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("tree");
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 077 && exec \"$0\" \"$1\""]);
    let made = shell.arg(script("busybox").get_program()).arg(&dir).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!((mode(&dir), mode(&dir.join("tmp"))), (0o755, 0o1777));
}

#[test]
fn an_empty_directory_is_filled() {
    if !has_static_busybox() {
        return;
    }
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("tree");
    fs::create_dir(&dir).unwrap();
    assert!(busybox(&dir).status.success());
    assert!(dir.join("bin/sh").is_file());
}

#[test]
fn what_is_not_an_empty_directory_is_refused_and_left_alone() {
    for name in ["busybox", "debian"] {
        let parent = TempDir::new().unwrap();
        let (full, file) = (parent.path().join("full"), parent.path().join("full/kept"));
        let link = parent.path().join("link");
        fs::create_dir(&full).unwrap();
        fs::write(&file, "kept").unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        for (dir, cause) in
            [(&full, "is not empty"), (&file, "no directory"), (&link, "no directory")]
        {
            let output = script(name).arg(dir).output().unwrap();
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{name} {dir:?}");
            assert!(error.contains(cause) && error.contains("cure: "), "{error}");
        }
        assert_eq!(fs::read(&file).unwrap(), b"kept");
        assert_eq!(names(parent.path()), ["full", "link"].map(String::from).into());
    }
}

#[test]
fn a_missing_parent_and_an_unknown_option_are_named() {
    for name in ["busybox", "debian"] {
        for (dir, cause) in
            [("/nonexistent/tree", "/nonexistent does not exist"), ("--tree", "--tree")]
        {
            let output = script(name).arg(dir).output().unwrap();
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && error.contains(cause), "{error}");
        }
    }
}

#[test]
fn help_goes_to_the_standard_output_and_a_missing_argument_is_an_error() {
    for name in ["busybox", "debian"] {
        let help = script(name).arg("-h").output().unwrap();
        assert!(help.status.success() && help.stdout.starts_with(b"usage: "), "{help:?}");
        let nothing = script(name).output().unwrap();
        assert_eq!(nothing.status.code(), Some(2));
        assert!(nothing.stderr.starts_with(b"usage: "), "{nothing:?}");
    }
}

#[test]
fn a_terminated_script_leaves_nothing_behind() {
    if !has_static_busybox() {
        return;
    }
    for (links, signal) in [(0, Signal::SIGTERM), (20, Signal::SIGTERM), (100, Signal::SIGHUP)] {
        let parent = TempDir::new().unwrap();
        killed(parent.path(), links, signal);
        assert!(names(parent.path()).is_empty(), "{:?}", names(parent.path()));
    }
}

#[test]
fn a_killed_script_leaves_no_half_tree_under_the_final_name() {
    if !has_static_busybox() {
        return;
    }
    let parent = TempDir::new().unwrap();
    killed(parent.path(), 100, Signal::SIGKILL);
    assert!(!parent.path().join("tree").exists());
    // What is left is no obstacle to the next run.
    assert!(busybox(&parent.path().join("tree")).status.success());
}

#[test]
fn the_debian_tree_is_whole_and_has_no_device_node() {
    if std::env::var_os("JEC_SLOW_TESTS").is_none_or(|value| value != "1") {
        println!("SKIPPED: downloads 100 MB; JEC_SLOW_TESTS=1 runs it");
        return;
    }
    if Command::new("mmdebstrap").arg("--version").output().is_err() {
        println!("SKIPPED: no mmdebstrap on this machine");
        return;
    }
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("tree");
    let output = script("debian").arg(&dir).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(names(parent.path()), ["tree"].map(String::from).into());
    assert!(dir.join("usr/bin/apt-get").is_file() && dir.join("etc/debian_version").is_file());
    assert!(names(&dir.join("dev")).is_empty());
    assert_eq!((mode(&dir), mode(&dir.join("tmp"))), (0o755, 0o1777));
    if !geteuid().is_root() {
        assert_harmless(&dir);
    }
}
