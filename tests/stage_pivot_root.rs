//! pivot-root: after it the host's tree is not hidden but gone. A root that
//! was only made by chroot is walked out of, with the same program.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::bundle::{for_me, grant, mounts_of, shell, sleeps};
use common::{Ran, World, is_root};
use serde_json::json;

/// The classic way out of a chroot: a second one lets the working directory
/// lie above the root, and `..` leads up from there. Needs CAP_SYS_CHROOT.
/// The first argument, if any, is chrooted to before; the second is the canary.
const ESCAPE: &str = r#"
    my ($root, $canary) = @ARGV;
    chroot($root) or die "chroot: $!" if $root ne "-";
    chdir "/tmp"; mkdir "jail"; chroot "jail" or die "second chroot: $!";
    chdir ".." for 1..64;
    chroot "." or die "third chroot: $!";
    open my $file, "<", $canary or die "not reached: $!";
    print "ESCAPED ", <$file>;
"#;

#[test]
fn the_example_sees_its_own_mounts_only_and_nothing_above_its_root() {
    let world = World::new();
    let bundle = world.bundle("pivot-root", for_me);
    let ran = world.run_bundle(&bundle).ok();
    let lists = ran.out.split("/../..:").collect::<Vec<_>>();
    assert!(lists.len() == 2 && lists[0].contains(" /dev/pts "), "{}", ran.out);
    for name in ["boot", "home", "lib", "var"] {
        assert!(!ran.out.lines().any(|line| line == name), "{name}: {}", ran.out);
    }
    world.assert_clean();
}

#[test]
fn the_mounts_of_the_host_are_gone_from_the_namespace() {
    let world = World::new();
    let bundle = world.bundle("pivot-root", |config| {
        for_me(config);
        sleeps(config);
    });
    let held = world.hold_bundle(&bundle);
    let inside = mounts_of(held.pid);
    let points: Vec<_> = inside.iter().map(|mount| &*mount.point).collect();
    let devices = ["null", "zero", "full", "random", "urandom", "tty"].map(|n| format!("/dev/{n}"));
    let known = |point: &str| {
        ["/", "/proc", "/dev", "/dev/pts"].contains(&point) || devices.iter().any(|d| d == point)
    };
    assert!(points.iter().all(|point| known(point)), "{points:?}");
    assert_eq!(points.iter().filter(|point| **point == "/").count(), 1, "no old root below");
    assert!(inside[0].root.ends_with("/rootfs") || is_root(), "{:?}", inside[0]);
    // The root of the process is the root of the bundle.
    let seen = fs::metadata(format!("/proc/{}/root", held.pid)).unwrap();
    let meant = fs::metadata(bundle.join("rootfs")).unwrap();
    assert_eq!((seen.dev(), seen.ino()), (meant.dev(), meant.ino()));
}

/// What the root of this process's mount namespace has at `path`: setns(2)
/// goes to that root, not to the one that chroot(2) has given the process.
fn at_the_root_of_its_namespace(pid: i32, path: &Path) -> Ran {
    let mut command = Command::new("nsenter");
    command.args(["--target", &pid.to_string(), "--mount"]);
    if !is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    command.args(["/bin/cat"]).arg(path);
    Ran::of(command)
}

#[test]
fn the_namespace_of_a_container_has_no_other_root_and_that_of_a_bare_chroot_has_the_hosts() {
    let world = World::new();
    let canary = world.path("canary");
    fs::write(&canary, "the host").unwrap();
    let bundle = world.bundle("pivot-root", |config| {
        for_me(config);
        sleeps(config);
    });
    let held = world.hold_bundle(&bundle);
    at_the_root_of_its_namespace(held.pid, &canary).fails(1, &["No such file"]);

    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--propagation", "private", "chroot"]).arg(bundle.join("rootfs"));
    let mut chrooted = command.args(["sleep", "1000"]).spawn().unwrap();
    let pid = i32::try_from(chrooted.id()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default() != "sleep\n" {
        assert!(Instant::now() < deadline, "chroot did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let found = at_the_root_of_its_namespace(pid, &canary);
    chrooted.kill().unwrap();
    chrooted.wait().unwrap();
    assert_eq!(found.ok().out, "the host");
}

#[test]
fn the_way_out_of_a_chroot_does_not_lead_out_of_a_container() {
    let world = World::new();
    let canary = world.path("canary");
    fs::write(&canary, "the host").unwrap();
    let path = canary.to_string_lossy();
    let ran = world.run(&["--", "perl", "-e", ESCAPE, "-", &path]);
    assert_ne!(ran.code, 0);
    assert!(!ran.out.contains("ESCAPED"), "{}", ran.out);
    assert!(ran.err.contains("not reached: No such file"), "both chroots worked: {}", ran.err);
    world.assert_clean();
}

#[test]
fn the_same_program_walks_out_of_a_bare_chroot() {
    let world = World::new();
    let canary = world.path("canary");
    fs::write(&canary, "the host").unwrap();
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "--propagation", "private", "perl", "-e", ESCAPE]);
    command.arg(world.rootfs()).arg(&canary);
    assert_eq!(Ran::of(command).ok().out, "ESCAPED the host");
}

#[test]
fn root_with_cap_sys_admin_finds_nothing_below_its_root() {
    let world = World::new();
    let bundle = world.bundle("pivot-root", |config| {
        for_me(config);
        grant(config, &["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"]);
        shell(
            config,
            "umount -l /dev/pts; umount -l /proc; umount /; umount -l /; ls / /..; ls /home",
        );
    });
    let ran = world.run_bundle(&bundle);
    assert!(ran.err.contains("/home: No such file"), "{} {}", ran.out, ran.err);
    assert!(!ran.out.lines().any(|line| line == "boot" || line == "var"), "{}", ran.out);
    world.assert_clean();
}

#[test]
fn a_working_directory_that_is_a_descriptor_of_ours_does_not_show_the_host() {
    let world = World::new();
    let canary = world.path("canary");
    fs::write(&canary, "the host").unwrap();
    for fd in 3..16 {
        let world = World::new();
        let bundle = world.bundle("pivot-root", |config| {
            for_me(config);
            config["process"]["cwd"] = json!(format!("/proc/self/fd/{fd}"));
            shell(config, &format!("for up in . .. ../.. ../../..; do cat $up{0} $up/../../../../../../..{0}; done; true", canary.display()));
        });
        let ran = world.run_bundle(&bundle);
        assert!(!ran.out.contains("the host"), "{fd}: {}", ran.out);
    }
}

#[test]
fn a_working_directory_that_is_a_link_stays_inside() {
    let world = World::new();
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("canary"), "the host").unwrap();
    let target = outside.to_string_lossy().into_owned();
    for (target, made_inside) in [(target.clone(), false), (format!("../../..{target}"), true)] {
        let world = World::new();
        let bundle = world.bundle("pivot-root", |config| {
            for_me(config);
            config["process"]["cwd"] = json!("/work");
            shell(config, "cat canary; ls");
        });
        std::os::unix::fs::symlink(&target, bundle.join("rootfs/work")).unwrap();
        let inside = bundle.join(format!("rootfs{}", outside.display()));
        if made_inside {
            fs::create_dir_all(&inside).unwrap();
            fs::write(inside.join("canary"), "the image").unwrap();
        }
        let ran = world.run_bundle(&bundle);
        assert!(!ran.out.contains("the host"), "{}", ran.out);
        assert_eq!(ran.out.contains("the image"), made_inside, "{} {}", ran.out, ran.err);
    }
}
