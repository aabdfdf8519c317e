//! `jec unpack`: what it reads, where it ends, what a kill leaves, and what an ordinary user gets.

#[allow(dead_code)]
#[path = "common/tarball.rs"]
mod tarball;
#[allow(dead_code)]
#[path = "common/tree.rs"]
mod tree;

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::pty::Pty;
use common::{Ran, World, is_root};
use tarball::{Head, Tar, head, tar};
use tree::listing;

fn unpack(world: &World, archive: &[u8], flags: &[&str]) -> Ran {
    let (file, target) = (world.path("a.tar"), world.path("target"));
    fs::write(&file, archive).expect("written");
    let words = [&["unpack"], flags, &[&*file.to_string_lossy(), &*target.to_string_lossy()]];
    world.tell(&words.concat())
}

fn some() -> Vec<u8> {
    tar(|t| {
        t.dir("d");
        for at in 0..50_u8 {
            t.with(head(b'0', format!("d/{at}")), &[at; 3000]);
        }
    })
}

/// Through a program of the host; none where it is not installed.
fn through(program: &str, args: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    let child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.ok()?;
    let (mut stdin, input) = (child.stdin.take().expect("a pipe"), input.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("its output");
    writer.join().expect("joined").expect("written");
    assert!(output.status.success(), "{program}");
    Some(output.stdout)
}

const COMPRESSORS: [(&str, &[&str]); 7] = [
    ("gzip", &["-c"]),
    ("xz", &["-c"]),
    ("xz", &["-c", "--check=sha256", "-T2", "--block-size=16384"]),
    ("xz", &["-c", "-0", "--check=none"]),
    ("zstd", &["-c", "-q"]),
    ("zstd", &["-c", "-q", "-19", "--check"]),
    ("zstd", &["-c", "-q", "-1", "--no-check"]),
];

#[test]
fn what_is_compressed_is_told_by_its_first_bytes() {
    let (archive, mut seen) = (some(), 0);
    for (program, args) in COMPRESSORS {
        let Some(packed) = through(program, args, &archive) else { continue };
        let world = World::new();
        unpack(&world, &packed, &[]).ok();
        assert_eq!(listing(&world.path("target"), false).len(), 51, "{program} {args:?}");
        // Two streams, one behind the other, are one.
        let (first, second) = archive.split_at(10_000);
        let twice = [first, second].map(|part| through(program, args, part).expect(program));
        let world = World::new();
        unpack(&world, &twice.concat(), &[]).ok();
        assert_eq!(fs::read(world.path("target/d/49")).expect("read"), vec![49; 3000], "{program}");
        seen += 1;
    }
    if seen < COMPRESSORS.len() {
        skip!("{} of {} compressors are installed", seen, COMPRESSORS.len());
    }
}

#[test]
fn a_damaged_or_cut_archive_leaves_nothing() {
    let archive = some();
    for (program, args) in COMPRESSORS {
        let Some(packed) = through(program, args, &archive) else { continue };
        for at in (1..packed.len()).step_by(packed.len() / 12) {
            let mut flipped = packed.clone();
            flipped[at] ^= 0x5a;
            for (what, bytes) in [("cut", &packed[..at]), ("flipped", &flipped)] {
                // gzip and zstd have bytes that mean nothing to the content, as its time.
                let harmless = what == "flipped" && (at < 20 || args.contains(&"--check=none"));
                let world = World::new();
                let ran = unpack(&world, bytes, &[]);
                if args.contains(&"--no-check") && what == "flipped" || harmless && ran.code == 0 {
                    continue;
                }
                assert_eq!(ran.code, 1, "{program} {args:?} {what} at {at}: {}", ran.err);
                assert!(ran.err.contains("a.tar"), "{}", ran.err);
                assert!(!world.path("target").exists(), "{program} {args:?} {what} at {at}");
                assert!(!world.path("target.jec-partial").exists(), "{program} {what} at {at}");
            }
        }
    }
    let end = archive.len() - 1024;
    for at in (0..=end).step_by(4999).chain([end]) {
        let world = World::new();
        unpack(&world, &archive[..at], &[]).fails(1, &["ends in the middle"]);
        assert!(!world.path("target").exists());
    }
}

#[test]
fn other_compressors_are_named_with_the_command_that_helps() {
    for (magic, program) in [(&b"BZh91AY"[..], "bzip2"), (b"LZIP\x01..", "lzip")] {
        let world = World::new();
        unpack(&world, magic, &[]).fails(1, &[program, "-dc", "a.tar | jec unpack - DIR"]);
    }
    for (program, args) in [("xz", ["-c", "-9"]), ("zstd", ["-c", "--long=27"])] {
        if let Some(wide) = through(program, &args, &some()) {
            let world = World::new();
            unpack(&world, &wide, &[]).fails(1, &["dictionary of more than 32 MiB", "xz -dc"]);
        }
    }
}

#[test]
fn standard_input_is_an_archive_too() {
    let world = World::new();
    let target = world.path("target");
    let mut command = world.jec();
    command.args(["unpack", "-"]).arg(&target).stdin(Stdio::piped());
    let mut child = command.spawn().expect("started");
    child.stdin.take().expect("a pipe").write_all(&some()).expect("written");
    assert!(child.wait().expect("ended").success());
    assert_eq!(listing(&target, false).len(), 51);
}

#[test]
fn a_bomb_ends_in_an_error_and_nothing() {
    // Two gigabytes of zeros, in a file of two megabytes.
    let world = World::new();
    let script = "printf x; head -c 2000000000 /dev/zero";
    let mut header = Tar::default();
    header.head(&Head { size: 3_000_000_000, ..head(b'0', "zeros") });
    fs::write(world.path("head"), &header.0).expect("written");
    let file = world.path("bomb.gz");
    let made =
        format!("(cat {}; {script}) | gzip -1 > {}", world.path("head").display(), file.display());
    assert!(Command::new("sh").args(["-c", &made]).status().expect("sh").success());
    let target = world.path("target");
    let words = ["unpack", &*file.to_string_lossy(), &*target.to_string_lossy()];
    world.tell(&words).fails(1, &["decompression bomb", "--max-size"]);
    assert!(!target.exists() && !world.path("target.jec-partial").exists());
}

#[test]
fn an_archive_ends_where_it_was_told_to() {
    let world = World::new();
    unpack(&world, &some(), &["--max-size", "100K"]).fails(1, &["a.tar: d/", "102400 bytes"]);
    assert!(!world.path("target").exists());
    unpack(&world, &some(), &["--max-size", "150000"]).ok();
}

#[test]
fn only_a_new_or_empty_directory_is_filled() {
    let world = World::new();
    let target = world.path("target");
    fs::create_dir(&target).expect("made");
    unpack(&world, &some(), &[]).ok();
    assert_eq!(fs::metadata(&target).expect("metadata").mode() & 0o7777, 0o755);
    unpack(&world, &some(), &[]).fails(1, &["is there already, and not empty"]);
    fs::remove_dir_all(&target).expect("removed");
    fs::create_dir(world.path("victim")).expect("made");
    symlink(world.path("victim"), &target).expect("a link");
    unpack(&world, &some(), &[]).fails(1, &["nothing is written through a link"]);
    assert_eq!(fs::read_dir(world.path("victim")).expect("read").count(), 0);
    fs::remove_file(&target).expect("removed");
    symlink(world.path("victim"), world.path("target.jec-partial")).expect("a link");
    assert_eq!(unpack(&world, &some(), &[]).code, 1);
    assert_eq!(fs::read_dir(world.path("victim")).expect("read").count(), 0);
    world.tell(&["unpack", &world.path("a.tar").to_string_lossy(), ".."]).fails(1, &["own name"]);
    world.tell(&["unpack", "/", "x"]).fails(1, &["is a directory"]);
    world.tell(&["unpack", "/nonexistent", "x"]).fails(1, &["/nonexistent", "No such file"]);
}

#[test]
fn killed_at_any_point_it_leaves_no_tree_that_could_be_taken_for_a_whole_one() {
    let world = World::new();
    let archive = tar(|t| {
        t.head(&Head { mode: 0o500, ..head(b'5', "closed") });
        for at in 0..3000 {
            t.with(head(b'0', format!("closed/d{}/{at}", at / 100)), &[1; 2000]);
        }
    });
    let (file, target) = (world.path("a.tar"), world.path("target"));
    fs::write(&file, archive).expect("written");
    let mut killed = 0;
    for round in 0..40_u64 {
        let mut command = world.jec();
        let mut child = command.arg("unpack").args([&file, &target]).spawn().expect("started");
        std::thread::sleep(Duration::from_millis(round * 3));
        child.kill().expect("killed");
        child.wait().expect("ended");
        // Of an ordinary user, the process in the user namespace ends with its parent.
        if target.exists() {
            assert_eq!(listing(&target, false).len(), 3031, "round {round}");
            let world = &world;
            common::until("it can be removed", || {
                fs::set_permissions(target.join("closed"), PermissionsExt::from_mode(0o700)).ok();
                fs::remove_dir_all(&target).is_ok()
                    && world.path("target").symlink_metadata().is_err()
            });
        } else {
            killed += 1;
        }
    }
    assert!(killed > 3, "{killed}");
    common::until("the last one lets go", || {
        world.jec().arg("unpack").args([&file, &target]).output().expect("ran").status.success()
    });
    assert_eq!(listing(&target, false).len(), 3031);
    assert!(!world.path("target.jec-partial").exists());
}

#[test]
fn asked_to_end_it_removes_at_once_what_it_has_begun() {
    let archive = tar(|t| {
        t.dir("d");
        for at in 0..300 {
            t.with(head(b'0', format!("d/{at}")), &[1; 3000]);
        }
    });
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let world = World::new();
        let mut command = world.jec();
        let waits = command.args(["unpack", "-"]).arg(world.path("target")).stdin(Stdio::piped());
        let mut child = waits.stderr(Stdio::piped()).spawn().expect("started");
        // It waits for the rest, which never comes.
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(&archive[..600_000]).expect("written");
        let begun = world.path("target.jec-partial");
        common::until("it has begun", || begun.symlink_metadata().is_ok());
        let kill = ["-s", signal, &child.id().to_string()];
        assert!(Command::new("kill").args(kill).status().expect("kill").success());
        let output = child.wait_with_output().expect("ended");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{signal}: {said}");
        assert!(said.contains("ended before its work was done: signal"), "{said}");
        let left: Vec<_> = fs::read_dir(world.dir.path()).expect("read").flatten().collect();
        let is_target = |name: &str| name.starts_with("target");
        assert!(
            !left.iter().any(|entry| is_target(&entry.file_name().to_string_lossy())),
            "{left:?}"
        );
        drop(pipe);
    }
    // What ignores the end of its terminal goes on.
    let world = World::new();
    let mut command = Command::new("sh");
    let line = "trap '' HUP; exec \"$0\" unpack - \"$1\"";
    command.args(["-c", line]).arg(common::jec_path()).arg(world.path("target"));
    let mut child = command.stdin(Stdio::piped()).spawn().expect("started");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(&archive[..600_000]).expect("written");
    common::until("it has begun", || world.path("target.jec-partial").exists());
    let kill = ["-s", "HUP", &child.id().to_string()];
    assert!(Command::new("kill").args(kill).status().expect("kill").success());
    std::thread::sleep(Duration::from_millis(100));
    pipe.write_all(&archive[600_000..]).expect("written");
    drop(pipe);
    assert!(child.wait().expect("ended").success());
    assert_eq!(listing(&world.path("target"), false).len(), 301);
}

#[test]
fn two_at_once_do_not_mix() {
    let world = World::new();
    let mut command = world.jec();
    let first = command.args(["unpack", "-"]).arg(world.path("target")).stdin(Stdio::piped());
    let mut first = first.spawn().expect("started");
    let mut pipe = first.stdin.take().expect("a pipe");
    let archive = some();
    pipe.write_all(&archive[..2048]).expect("written");
    common::until("it has begun", || world.path("target.jec-partial").exists());
    std::thread::sleep(Duration::from_millis(300));
    unpack(&world, &archive, &[]).fails(1, &["another jec is filling it"]);
    pipe.write_all(&archive[2048..]).expect("written");
    drop(pipe);
    assert!(first.wait().expect("ended").success());
    assert_eq!(listing(&world.path("target"), false).len(), 51);
}

#[test]
fn an_ordinary_user_gets_what_she_can_and_is_told_the_rest() {
    let world = World::new();
    let archive = tar(|t| {
        t.with(Head { owner: (7, 9), mode: 0o4755, ..head(b'0', "a") }, b"x");
        t.head(&Head { mode: 0o555, owner: (7, 9), ..head(b'5', "closed") });
        t.file("closed/inside", "y");
        for name in ["null", "zero", "full", "tty"] {
            t.head(&Head { device: (1, 3), ..head(b'3', name) });
        }
        t.hard("zero2", "zero");
        t.pax(&[("SCHILY.xattr.trusted.x", b"1")]).file("b", "z");
    });
    let ran = unpack(&world, &archive, &["--rootless"]);
    println!("{}", ran.err);
    let ran = ran.ok();
    let devices =
        "left out 4: devices, which only root of the machine can make (null, zero, full, …)";
    for words in [devices, "1: hard links to what was left out (zero2)", "trusted.*"] {
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    let expected =
        ["f 4755 1000 a x", "f 644 1000 b z", "d 555 1000 closed", "f 644 1000 closed/inside y"];
    assert_eq!(listing(&world.path("target"), false), expected);
    let (made, me) =
        (fs::metadata(world.path("target/a")).expect("a"), nix::unistd::geteuid().as_raw());
    let lent = fs::read_to_string("/etc/subuid").unwrap_or_default();
    let user = std::env::var("USER").unwrap_or_default();
    if !is_root() && lent.lines().any(|line| line.starts_with(&format!("{user}:"))) {
        assert_ne!(made.uid(), me, "a lent id");
    } else {
        assert_eq!(made.uid(), me);
    }
    remove(&world);
}

/// What belongs to lent ids is removed as it was made.
fn remove(world: &World) {
    let target = world.path("target");
    if fs::remove_dir_all(&target).is_err() {
        jec::images::as_mapped_root(|_| {
            let above = fs::File::open(target.parent().expect("above")).expect("opened");
            use std::os::fd::AsFd;
            jec::images::remove::tree(above.as_fd(), c"target")
        })
        .expect("removed");
    }
}

#[test]
fn a_bar_is_drawn_on_a_terminal_and_nowhere_else() {
    let world = World::new();
    let ran = unpack(&world, &some(), &[]);
    assert_eq!((&*ran.out, &*ran.err), ("", ""));
    let pipe = world.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    let mut command = world.jec();
    command.arg("unpack").args([&pipe, &world.path("other")]);
    let Some(mut terminal) = Pty::start(&command) else {
        skip!("this machine has no pseudo terminals");
    };
    let mut writer = fs::OpenOptions::new().write(true).open(&pipe).expect("opened");
    let big = tar(|t| {
        t.with(head(b'0', "big"), &vec![1; 1 << 20]);
    });
    writer.write_all(&big[..300_000]).expect("written");
    std::thread::sleep(Duration::from_millis(200));
    writer.write_all(&big[300_000..]).expect("written");
    drop(writer);
    terminal.shows("pipe  ");
    assert_eq!(terminal.wait(), 0);
    assert_eq!(listing(&world.path("other"), false), ["f 644 1000 big 1048576 bytes"]);
}
