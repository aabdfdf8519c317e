//! `jec run --skip`: what can be left out is, and the kernel says so; what cannot says why.

mod common;

use common::{World, is_root};
use jec::skip::{CAN, CANNOT};
use jec::stages::STAGES;

const STATUS: &str = "grep -E '^(NoNewPrivs|Seccomp|CapBnd|CapEff):' /proc/self/status;
    cat /proc/sys/kernel/hostname; awk '{print $6}' /proc/self/stat; exit 0";

#[test]
fn every_stage_can_be_left_out_or_says_why_not() {
    for stage in STAGES {
        let can = CAN.iter().filter(|can| can.name == stage.module()).count();
        let cannot = CANNOT.iter().filter(|(name, _)| *name == stage.module()).count();
        assert_eq!(can + cannot, 1, "{}", stage.name);
    }
    let names = CAN.iter().map(|can| can.name).chain(CANNOT.iter().map(|row| row.0));
    for name in names {
        assert!(STAGES.iter().any(|stage| stage.module() == name), "{name} is no stage");
    }
}

/// An ordinary user makes her ids by a user namespace: without it the kernel refuses the rest.
#[test]
fn a_container_runs_without_each_of_them_and_is_warned_of() {
    let world = World::new();
    for can in CAN.iter().filter(|can| is_root() || can.name != "user-namespace") {
        let ran = world.run(&["--no-tty", "--skip", can.name, "--", "sh", "-c", "exit 7"]);
        let warning = format!("jec: without {}: {}\n", can.name, can.open);
        assert!(ran.err.contains(&warning), "{}", ran.err);
        assert_eq!(ran.code, 7, "{}: {}", can.name, ran.err);
        assert!(!ran.err.contains('\x1b'), "{:?}", ran.err);
    }
    world.assert_clean();
}

#[test]
fn the_kernel_says_what_was_left_out() {
    let world = World::new();
    let status = |skip: &[&str]| {
        let rest = ["--no-tty", "--name", "skipper", "--", "sh", "-c", STATUS];
        world.run(&[skip, &rest].concat()).ok().out
    };
    let whole = status(&[]);
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t00000000800405fb", "skipper"] {
        assert!(whole.contains(line), "{line}: {whole}");
    }
    assert!(status(&["--skip", "no-new-privs"]).contains("NoNewPrivs:\t0"));
    assert!(status(&["--skip", "seccomp"]).contains("Seccomp:\t0"));
    assert!(status(&["--skip=seccomp,no-new-privs"]).contains("NoNewPrivs:\t0\nSeccomp:\t0"));
    let bounding = status(&["--skip", "bounding"]);
    assert!(!bounding.contains("CapBnd:\t00000000800405fb"), "{bounding}");
    // no_new_privs keeps what execve would give back to root, capset what was there before.
    let kept = |skip: &str| status(&["--skip", skip]).contains("CapEff:\t00000000800405fb");
    assert!(kept("bounding") && kept("capabilities"));
    assert!(!kept("bounding,capabilities") && !kept("bounding,no-new-privs"));
    assert!(!status(&["--skip", "kernel-params"]).contains("skipper"));
    // Session 0: it began outside of the pid namespace.
    assert!(status(&["--skip", "session"]).trim_end().ends_with("\n0"));
    world.assert_clean();
}

/// Both halves: without its stage it happens, with all stages it fails as the kernel says.
#[test]
fn what_a_stage_is_for_happens_without_it_alone() {
    let world = World::new();
    let canary = world.path("canary").to_string_lossy().into_owned();
    std::fs::write(&canary, "").expect("a canary");
    let write = "v=$(cat /proc/sys/vm/swappiness); echo $v >/proc/sys/vm/swappiness";
    let rows = [
        ("pivot-root", format!("ls {canary}"), "No such file or directory"),
        ("seccomp", "unshare -Ur true".into(), "Operation not permitted"),
        ("masks", write.into(), "Read-only file system"),
    ];
    // In a user namespace the kernel's settings are somebody else's files.
    for (stage, script, refused) in rows.iter().filter(|row| is_root() || row.0 != "masks") {
        let run = |skip: &[&str]| {
            let rest = ["--no-tty", "--", "sh", "-c", script];
            world.run(&[skip, &rest].concat())
        };
        run(&["--skip", stage]).ok();
        let ran = run(&[]);
        assert!(ran.code != 0 && ran.err.contains(refused), "{stage}: {} {}", ran.code, ran.err);
    }
    world.assert_clean();
}

#[test]
fn what_cannot_be_left_out_says_why() {
    let world = World::new();
    for (name, why) in CANNOT {
        let ran = world.run(&["--skip", name, "--", "true"]);
        ran.fails(2, &[&format!("'{name}'"), "cannot be left out", why]);
    }
    world.run(&["--skip", "nothing", "--", "true"]).fails(2, &["no such stage"]);
    world.run(&["--tty", "--skip", "session", "--", "true"]).fails(1, &["--no-tty"]);
    world.assert_clean();
}

#[test]
fn no_engine_leaves_anything_out() {
    let world = World::new();
    let log = world.path("log").to_string_lossy().into_owned();
    for flags in [&["--detach"][..], &["--console-socket", "x"], &["--pidfd-socket", "x"]] {
        let line = [flags, &["--skip", "fds", "--", "true"]].concat();
        world.run(&line).fails(2, &["cannot be used with"]);
    }
    world.run(&["--log", &log, "--skip", "fds", "--", "true"]).fails(1, &["--skip", "--log"]);
    for command in ["create", "start", "exec"] {
        let ran = world.tell(&[command, "--skip", "fds", "x"]);
        ran.fails(2, &["unexpected argument '--skip'"]);
    }
    world.assert_clean();
}
