//! masks: masked paths show nothing, read-only ones take nothing, the root
//! takes nothing; and no link of the image turns a mask into a door.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use common::bundle::{add_mount, drop_mount, for_me, grant, mount_at, mounts_of, shell, sleeps};
use common::{World, is_root};
use serde_json::{Value, json};

/// Changes of the example that leave the stage out.
fn open(config: &mut Value) {
    config["root"]["readonly"] = json!(false);
    let linux = config["linux"].as_object_mut().unwrap();
    linux.remove("maskedPaths");
    linux.remove("readonlyPaths");
}

/// Only these masks.
fn masked(config: &mut Value, paths: &[&str]) {
    for_me(config);
    open(config);
    config["linux"]["maskedPaths"] = json!(paths);
}

#[test]
fn the_example_shows_and_takes_nothing() {
    let world = World::new();
    let bundle = world.bundle("masks", for_me);
    let ran = world.run_bundle(&bundle);
    assert_eq!((ran.code, &*ran.out), (1, ""), "{}", ran.err);
    assert_eq!(ran.err.matches("Read-only file system").count(), 2, "{}", ran.err);
    world.assert_clean();
}

#[test]
fn the_kernel_shows_what_covers_what() {
    let world = World::new();
    let bundle = world.bundle("masks", |config| {
        for_me(config);
        sleeps(config);
    });
    let held = world.hold_bundle(&bundle);
    let mounts = mounts_of(held.pid);
    let null = fs::metadata(format!("/proc/{}/root/proc/timer_list", held.pid)).unwrap();
    assert_eq!(null.rdev(), nix::sys::stat::makedev(1, 3));
    assert!(mount_at(&mounts, "/proc/timer_list").root.ends_with("/null"));
    let firmware = mount_at(&mounts, "/sys/firmware");
    assert!(firmware.fstype == "tmpfs" && firmware.has("ro"), "{firmware:?}");
    let sys = mount_at(&mounts, "/proc/sys");
    assert!(sys.fstype == "proc" && sys.root == "/sys" && sys.has("ro") && sys.has("nosuid"));
    assert!(mount_at(&mounts, "/").has("ro") && !mount_at(&mounts, "/dev").has("ro"));
    assert!(!mounts.iter().any(|mount| mount.point.contains("there-is-no-such")));
}

#[test]
fn without_the_stage_the_same_program_sees_and_writes() {
    let world = World::new();
    let bundle = world.bundle("masks", |config| {
        for_me(config);
        open(config);
        shell(config, "cat /proc/timer_list | wc -c; ls /proc | wc -l; touch /x; test -w /proc/sys/kernel/hostname");
        // Root of a user namespace may not read timer_list; everybody reads meminfo.
        if !is_root() {
            shell(config, "cat /proc/meminfo | wc -c; touch /x; test -w /proc/sys/kernel/hostname");
        }
    });
    let ran = world.run_bundle(&bundle).ok();
    assert!(ran.out.lines().next().unwrap().trim().parse::<u32>().unwrap() > 0, "{}", ran.out);
    assert!(bundle.join("rootfs/x").exists());
}

#[test]
fn a_missing_masked_path_is_passed_over_and_another_error_is_not() {
    let cases = [
        ("/there/is/none", None),
        ("/proc/none", None),
        ("/etc/passwd/none", Some(vec!["openat2(", "ENOTDIR", "through a file"])),
        ("/proc/self/fd/0", Some(vec!["openat2(", "ELOOP", "loop of links"])),
        ("/loop", Some(vec!["openat2(", "ELOOP"])),
        ("/", Some(vec!["names the root itself"])),
        ("/tmp/..", Some(vec!["names the root itself"])),
    ];
    for property in ["maskedPaths", "readonlyPaths"] {
        for (path, words) in &cases {
            let world = World::new();
            let bundle = world.bundle("masks", |config| {
                for_me(config);
                open(config);
                config["linux"][property] = json!([path]);
                shell(config, "true");
            });
            symlink("/loop", bundle.join("rootfs/loop")).unwrap();
            let ran = world.run_bundle(&bundle);
            match words {
                None => drop(ran.ok()),
                Some(words) => drop(ran.fails(1, &[&["masks (init): "][..], words].concat())),
            }
            world.assert_clean();
        }
    }
}

#[test]
fn masked_files_and_directories_are_empty_even_for_root_with_every_file_capability() {
    let world = World::new();
    let bundle = world.bundle("masks", |config| {
        masked(config, &["/secret", "/vault", "/vault2"]);
        grant(config, &["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_CHOWN"]);
        shell(config, "cat /secret; ls -A /vault /vault2; touch /vault/x; echo y >/secret; umount /secret /vault; cat /secret");
    });
    let root = bundle.join("rootfs");
    fs::write(root.join("secret"), "SECRET").unwrap();
    for name in ["vault", "vault2"] {
        fs::create_dir(root.join(name)).unwrap();
        fs::write(root.join(name).join("SECRET"), "SECRET").unwrap();
    }
    let ran = world.run_bundle(&bundle);
    assert!(!ran.out.contains("SECRET"), "{}", ran.out);
    assert!(ran.err.contains("Read-only file system"), "{}", ran.err);
    assert_eq!(fs::read_to_string(root.join("secret")).unwrap(), "SECRET");
}

#[test]
fn cap_sys_admin_takes_a_mask_away() {
    let world = World::new();
    let bundle = world.bundle("masks", |config| {
        masked(config, &["/secret"]);
        grant(config, &["CAP_SYS_ADMIN"]);
        shell(config, "umount /secret && cat /secret");
    });
    fs::write(bundle.join("rootfs/secret"), "SECRET").unwrap();
    assert_eq!(world.run_bundle(&bundle).ok().out, "SECRET");
}

/// The image puts something else where /dev/null should be (CVE-2025-31133).
fn with_null(world: &World, paths: &[&str], make: impl FnOnce(&Path)) -> std::path::PathBuf {
    let bundle = world.bundle("masks", |config| {
        masked(config, paths);
        drop_mount(config, "/dev/pts");
        drop_mount(config, "/dev");
        shell(config, "cat /secret; echo overwritten >/secret");
    });
    make(&bundle.join("rootfs/dev/null"));
    fs::write(bundle.join("rootfs/secret"), "SECRET").unwrap();
    fs::write(bundle.join("rootfs/target"), "TARGET").unwrap();
    bundle
}

#[test]
fn a_null_that_is_a_link_masks_nothing_and_is_refused() {
    let world = World::new();
    let bundle = with_null(&world, &["/secret"], |null| symlink("/target", null).unwrap());
    let ran = world.run_bundle(&bundle);
    ran.fails(1, &["masks (init): ", "/dev/null", "set to device 1:3"]);
    assert_eq!(fs::read_to_string(bundle.join("rootfs/target")).unwrap(), "TARGET");
    world.assert_clean();
}

#[test]
fn the_same_image_without_a_mask_runs() {
    let world = World::new();
    let bundle = with_null(&world, &[], |null| symlink("/target", null).unwrap());
    assert_eq!(world.run_bundle(&bundle).ok().out, "SECRET");
}

#[test]
fn a_null_that_is_a_file_is_covered_by_the_real_one_and_masks() {
    let world = World::new();
    let bundle = with_null(&world, &["/secret"], |null| fs::write(null, "FAKE").unwrap());
    let ran = world.run_bundle(&bundle).ok();
    assert_eq!(ran.out, "");
    assert_eq!(fs::read_to_string(bundle.join("rootfs/secret")).unwrap(), "SECRET");
}

#[test]
fn a_masked_path_that_is_a_link_out_of_the_root_hides_what_it_names_inside() {
    let world = World::new();
    let outside = world.path("canary");
    fs::write(&outside, "the host").unwrap();
    let bundle = world.bundle("masks", |config| {
        masked(config, &["/link", "/inner"]);
        shell(config, "cat /etc/hostname /inner; true");
    });
    symlink(&outside, bundle.join("rootfs/link")).unwrap();
    symlink("../../../etc/hostname", bundle.join("rootfs/inner")).unwrap();
    assert_eq!(world.run_bundle(&bundle).ok().out, "");
    assert_eq!(fs::read_to_string(&outside).unwrap(), "the host");
    assert!(!fs::read_to_string("/etc/hostname").unwrap().is_empty());
}

#[test]
fn a_read_only_path_is_so_with_all_that_is_mounted_below_it() {
    for (guarded, code) in [(true, 1), (false, 0)] {
        let world = World::new();
        let bundle = world.bundle("masks", |config| {
            masked(config, &[]);
            if guarded {
                config["linux"]["readonlyPaths"] = json!(["/tree"]);
            }
            add_mount(config, "/tree/below", "tmpfs", "tmpfs", &[]);
            shell(config, "touch /tree/x; touch /tree/below/x");
        });
        let ran = world.run_bundle(&bundle);
        assert_eq!(ran.code, code, "{}", ran.err);
        let refused = ran.err.matches("Read-only file system").count();
        assert_eq!(refused, if guarded { 2 } else { 0 });
    }
}

#[test]
fn the_read_only_root_cannot_be_made_writable_by_the_program() {
    for (granted, writable) in [(false, false), (true, true)] {
        let world = World::new();
        let bundle = world.bundle("masks", |config| {
            for_me(config);
            if granted {
                grant(config, &["CAP_SYS_ADMIN"]);
            }
            shell(config, "mount -o remount,bind,rw /; touch /x");
        });
        let ran = world.run_bundle(&bundle);
        assert_eq!(ran.code == 0, writable, "{}", ran.err);
        assert_eq!(bundle.join("rootfs/x").exists(), writable);
    }
}
