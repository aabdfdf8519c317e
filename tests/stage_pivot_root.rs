//! pivot-root: after it the host's tree is not hidden but gone. A root that
//! was only made by chroot is walked out of, with the same program.

mod common;

use std::fs;
use std::process::Command;

use common::bundle::{for_me, grant, mounts_of, shell, sleeps};
use common::{Ran, World, is_root, processes_with};
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
    use std::os::unix::fs::MetadataExt;
    assert_eq!((seen.dev(), seen.ino()), (meant.dev(), meant.ino()));
}

#[test]
fn a_bare_chroot_keeps_the_mounts_of_the_host() {
    let world = World::new();
    let root = world.rootfs();
    let user = if is_root() { "" } else { "--user --map-root-user" };
    let ran = common::bundle::sh(&format!(
        "unshare {user} --mount --propagation private chroot {} sh -c 'exec cat' </proc/self/mountinfo",
        root.display()
    ));
    // The table of the parent is what a chrooted process keeps, too.
    let host = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(ran.ok().out.lines().count() >= host.lines().count().min(2));
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

#[test]
fn the_root_of_the_machine_itself_can_be_the_root_and_is_left_whole() {
    let world = World::new();
    let before = mounts_of(i32::try_from(std::process::id()).unwrap()).len();
    let bundle = world.bundle("pivot-root", |config| {
        for_me(config);
        config["root"]["path"] = json!("/");
        config["mounts"] = json!([]);
        config["process"]["args"] = json!(["/bin/sh", "-c", "echo alive"]);
        config["linux"].as_object_mut().unwrap().insert("devices".into(), json!([]));
    });
    let ran = world.run_bundle(&bundle);
    assert!(ran.code == 0 || ran.err.contains("(init): "), "{}", ran.err);
    assert_eq!(mounts_of(i32::try_from(std::process::id()).unwrap()).len(), before);
    assert!(processes_with("jec:[2:INIT]").is_empty());
    world.assert_clean();
}
