//! mounts: what the list says is what the kernel shows, and no link of the
//! image leads a mount anywhere else. The canaries stand outside the root.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use common::bundle::{
    add_mount, drop_mount, for_me, grant, in_user_namespace_of_a_host, mount_at, mounts_of, sh,
    shell, sleeps,
};
use common::{World, is_root};
use serde_json::{Value, json};

const HELD: fn(&mut Value) = |config| {
    for_me(config);
    sleeps(config);
};

/// A directory outside every root, with a file that must stay as it is.
fn canary(world: &World) -> PathBuf {
    let directory = world.path("outside");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("canary"), "alive").unwrap();
    directory
}

fn assert_untouched(canary: &Path) {
    let names: Vec<_> = fs::read_dir(canary).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["canary"]);
    assert_eq!(fs::read_to_string(canary.join("canary")).unwrap(), "alive");
}

/// Replaces a name of the bundle's root by a link.
fn link(bundle: &Path, name: &str, target: &str) {
    let path = bundle.join("rootfs").join(name);
    if path.is_dir() && !path.is_symlink() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::remove_file(&path).ok();
    symlink(target, &path).unwrap();
}

#[test]
fn the_example_has_one_mount_for_each_entry_with_its_words() {
    let world = World::new();
    let bundle = world.bundle("mounts", HELD);
    let held = world.hold_bundle(&bundle);
    let mounts = mounts_of(held.pid);
    for (point, fstype, options) in [
        ("/proc", "proc", ["nosuid", "nodev", "noexec"].as_slice()),
        ("/dev", "tmpfs", &["nosuid"]),
        ("/dev/pts", "devpts", &["nosuid", "noexec"]),
        ("/sys", "sysfs", &["ro", "nosuid"]),
        ("/data", "tmpfs", &["nosuid", "nodev", "noexec"]),
        ("/programs", "", &["ro", "nosuid", "nodev"]),
    ] {
        let found = mount_at(&mounts, point);
        assert!(fstype.is_empty() || found.fstype == fstype, "{found:?}");
        assert!(options.iter().all(|option| found.has(option)), "{found:?}");
    }
    assert!(mount_at(&mounts, "/data").super_options.contains(&"size=1024k".into()));
    assert!(mount_at(&mounts, "/programs").root.ends_with("/rootfs/bin"));
    drop(held);
    world.assert_clean();
}

/// Words of a new tmpfs: what its line of mountinfo has, and has not. The last
/// of two words wins; relatime is the kernel's default.
const WORDS: &[(&[&str], &[&str], &[&str])] = &[
    (&[], &["rw", "relatime"], &["nosuid", "nodev", "noexec", "nodiratime", "nosymfollow"]),
    (&["defaults"], &["rw", "relatime"], &["nosuid"]),
    (&["ro"], &["ro"], &["rw"]),
    (&["ro", "rw"], &["rw"], &["ro"]),
    (&["rro"], &["ro"], &["rw"]),
    (&["rro", "rrw"], &["rw"], &["ro"]),
    (&["nosuid"], &["nosuid"], &[]),
    (&["nosuid", "suid"], &[], &["nosuid"]),
    (&["rnosuid"], &["nosuid"], &[]),
    (&["rnosuid", "rsuid"], &[], &["nosuid"]),
    (&["nodev"], &["nodev"], &[]),
    (&["nodev", "dev"], &[], &["nodev"]),
    (&["rnodev"], &["nodev"], &[]),
    (&["rnodev", "rdev"], &[], &["nodev"]),
    (&["noexec"], &["noexec"], &[]),
    (&["noexec", "exec"], &[], &["noexec"]),
    (&["rnoexec"], &["noexec"], &[]),
    (&["rnoexec", "rexec"], &[], &["noexec"]),
    (&["nosymfollow"], &["nosymfollow"], &[]),
    (&["nosymfollow", "symfollow"], &[], &["nosymfollow"]),
    (&["rnosymfollow"], &["nosymfollow"], &[]),
    (&["rnosymfollow", "rsymfollow"], &[], &["nosymfollow"]),
    (&["nodiratime"], &["nodiratime"], &[]),
    (&["nodiratime", "diratime"], &[], &["nodiratime"]),
    (&["rnodiratime"], &["nodiratime"], &[]),
    (&["rnodiratime", "rdiratime"], &[], &["nodiratime"]),
    (&["noatime"], &["noatime"], &["relatime"]),
    (&["noatime", "atime"], &["relatime"], &["noatime"]),
    (&["rnoatime"], &["noatime"], &["relatime"]),
    (&["rnoatime", "ratime"], &["relatime"], &["noatime"]),
    (&["strictatime"], &[], &["relatime", "noatime"]),
    (&["strictatime", "nostrictatime"], &["relatime"], &["noatime"]),
    (&["rstrictatime"], &[], &["relatime", "noatime"]),
    (&["rstrictatime", "rnostrictatime"], &["relatime"], &[]),
    (&["noatime", "relatime"], &["relatime"], &["noatime"]),
    (&["norelatime"], &["relatime"], &["noatime"]),
    (&["rrelatime"], &["relatime"], &[]),
    (&["rnorelatime"], &["relatime"], &[]),
    // Of the superblock: seen in the last column.
    (&["sync"], &["+sync"], &[]),
    (&["sync", "async"], &[], &["+sync"]),
    (&["dirsync"], &["+dirsync"], &[]),
    (&["lazytime"], &["+lazytime"], &[]),
    (&["lazytime", "nolazytime"], &[], &["+lazytime"]),
    (&["mand"], &[], &[]),
    (&["nomand", "silent", "loud", "iversion", "noiversion"], &["rw"], &[]),
    (&["size=64k"], &["+size=64k"], &[]),
    (&["mode=0750"], &["+mode=750"], &[]),
    // Propagation: a tag.
    (&["shared"], &["@shared:"], &[]),
    (&["rshared"], &["@shared:"], &[]),
    (&["shared", "private"], &[], &["@shared:"]),
    (&["shared", "rprivate"], &[], &["@shared:"]),
    (&["shared", "slave"], &[], &["@shared:"]),
    (&["rslave"], &[], &["@shared:"]),
    (&["unbindable"], &["@unbindable"], &[]),
    (&["runbindable"], &["@unbindable"], &[]),
    (&["tmpcopyup"], &["rw"], &[]),
];

#[test]
fn every_word_of_the_specification_has_its_effect_in_mountinfo() {
    let world = World::new();
    let bundle = world.bundle("mounts", |config| {
        HELD(config);
        for (at, (words, _, _)) in WORDS.iter().enumerate() {
            add_mount(config, &format!("/words/{at}"), "tmpfs", "tmpfs", words);
        }
    });
    let held = world.hold_bundle(&bundle);
    let mounts = mounts_of(held.pid);
    for (at, (words, with, without)) in WORDS.iter().enumerate() {
        let mount = mount_at(&mounts, &format!("/words/{at}"));
        let has = |word: &&&str| match word.split_at(1) {
            ("+", option) => mount.super_options.iter().any(|found| found == option),
            ("@", tag) => mount.is(tag),
            _ => mount.has(word),
        };
        assert!(with.iter().all(|word| has(&word)), "{words:?}: {mount:?}");
        assert!(!without.iter().any(|word| has(&word)), "{words:?}: {mount:?}");
    }
}

/// A source with a mount below it, both with flags.
const TREE: &str = "mkdir -p tree; mount -t tmpfs tree tree; mkdir tree/below
    mount -t tmpfs below tree/below; touch tree/top tree/below/deep";

#[test]
fn recursive_words_reach_the_mounts_below_and_plain_ones_do_not() {
    let cases = [
        (["rbind", "ro"].as_slice(), true, Some(false)),
        (&["rbind", "rro"], true, Some(true)),
        (&["rbind", "rro", "rw"], true, Some(true)),
        (&["bind", "ro"], true, None),
        (&["rbind"], false, Some(false)),
    ];
    for (words, top, below) in cases {
        let world = World::new();
        let tree = world.path("tree").to_string_lossy().into_owned();
        let bundle = world.bundle("mounts", |config| {
            sleeps(config);
            add_mount(config, "/tree", "bind", &tree, words);
        });
        let held = world.hold_on(TREE, &bundle);
        let mounts = mounts_of(held.pid);
        assert_eq!(mount_at(&mounts, "/tree").has("ro"), top, "{words:?}");
        let found = mounts.iter().find(|mount| mount.point == "/tree/below");
        assert_eq!(found.map(|mount| mount.has("ro")), below, "{words:?}");
        // And as the program meets it.
        let touch = |path: &str| fs::write(format!("/proc/{}/root{path}", held.pid), "x").is_err();
        if is_root() {
            assert_eq!(touch("/tree/top"), top, "{words:?}");
            assert!(below.is_none_or(|below| touch("/tree/below/deep") == below), "{words:?}");
        }
    }
}

#[test]
fn flags_of_the_hosts_mount_stay_when_others_change() {
    let host = "mkdir flags; mount -t tmpfs -o nosuid,nodev,noexec,noatime flags flags";
    for (words, remount) in
        [(["rbind"], None), (["bind"], Some(["remount", "bind", "ro"].as_slice()))]
    {
        let world = World::new();
        let source = world.path("flags").to_string_lossy().into_owned();
        let bundle = world.bundle("mounts", |config| {
            sleeps(config);
            add_mount(config, "/flags", "bind", &source, &words);
            if let Some(words) = remount {
                add_mount(config, "/flags", "none", "none", words);
            }
        });
        let held = world.hold_on(host, &bundle);
        let found = mount_at(&mounts_of(held.pid), "/flags");
        for flag in ["nosuid", "nodev", "noexec", "noatime"] {
            assert!(found.has(flag), "{words:?} {remount:?}: {found:?}");
        }
        assert_eq!(found.has("ro"), remount.is_some());
    }
}

#[test]
fn flags_of_the_hosts_mount_cannot_be_taken_away_in_a_user_namespace() {
    let host = "mkdir flags; mount -t tmpfs -o ro,nosuid,nodev flags flags";
    for word in ["rw", "suid", "dev", "rrw"] {
        let world = World::new();
        let source = world.path("flags").to_string_lossy().into_owned();
        let bundle = world.bundle("mounts", |config| {
            in_user_namespace_of_a_host(config);
            add_mount(config, "/flags", "bind", &source, &["rbind", word]);
        });
        let ran = world.run_on(&format!("{host}; chmod 711 ."), &bundle);
        ran.fails(1, &["mounts (init): mount_setattr(", "EPERM", "cannot be taken away"]);
        world.assert_clean();
    }
}

#[test]
fn without_a_user_namespace_the_same_words_take_the_flags_away() {
    let world = World::new();
    let source = world.path("flags").to_string_lossy().into_owned();
    let bundle = world.bundle("mounts", |config| {
        sleeps(config);
        add_mount(config, "/flags", "bind", &source, &["rbind", "suid", "dev"]);
    });
    let held = world.hold_on("mkdir flags; mount -t tmpfs -o nosuid,nodev flags flags", &bundle);
    let found = mount_at(&mounts_of(held.pid), "/flags");
    assert!(!found.has("nosuid") && !found.has("nodev"), "{found:?}");
}

/// Links where a destination is, in every form that has led out of a root.
fn hostile_links(outside: &Path) -> Vec<(&'static str, String)> {
    let absolute = outside.to_string_lossy().into_owned();
    let above = format!("../../../../../../../../../../..{absolute}");
    vec![
        ("absolute", absolute.clone()),
        ("above", above.clone()),
        ("dangling", format!("{absolute}/new/deep")),
        ("dangling-above", format!("{above}/new")),
        ("slashes", format!("//..//.{absolute}")),
    ]
}

#[test]
fn a_destination_that_is_a_link_stays_inside_the_root() {
    let world = World::new();
    let outside = canary(&world);
    let links = hostile_links(&outside);
    let bundle = world.bundle("mounts", |config| {
        HELD(config);
        for (name, _) in &links {
            add_mount(config, &format!("/{name}"), "tmpfs", "tmpfs", &[]);
            add_mount(config, &format!("/{name}/file"), "bind", "config.json", &["bind"]);
        }
    });
    for (name, target) in &links {
        link(&bundle, name, target);
    }
    let held = world.hold_bundle(&bundle);
    assert_untouched(&outside);
    // They have landed at the same path, below the root.
    let mounts = mounts_of(held.pid);
    mount_at(&mounts, &outside.to_string_lossy());
    mount_at(&mounts, &format!("{}/new/deep/file", outside.display()));
    let host = mounts_of(held.jec_pid());
    assert!(!host.iter().any(|mount| mount.point.contains("/outside")), "{host:#?}");
}

#[test]
fn mount_8_without_the_stage_follows_the_same_link_out_of_the_root() {
    let world = World::new();
    let outside = canary(&world);
    let bundle = world.bundle("mounts", |_| ());
    link(&bundle, "data", &outside.to_string_lossy());
    let user = if is_root() { "" } else { "--user --map-root-user" };
    let ran = sh(&format!(
        "unshare {user} --mount --propagation private sh -e -c \
         'mount -t tmpfs escaped {}/rootfs/data; grep escaped /proc/self/mountinfo'",
        bundle.display()
    ));
    assert!(ran.ok().out.contains("/outside "));
}

#[test]
fn magic_links_and_loops_are_refused() {
    let cases = [
        ("/proc/self/root/etc", "ELOOP"),
        ("/proc/self/cwd", "ELOOP"),
        ("/proc/self/fd/3", "ELOOP"),
        ("/proc/self/exe", "ELOOP"),
        ("/loop", "ELOOP"),
    ];
    for (target, errno) in cases {
        let world = World::new();
        let bundle = world.bundle("mounts", |config| {
            for_me(config);
            add_mount(config, "/place", "tmpfs", "tmpfs", &[]);
        });
        link(&bundle, "place", target);
        link(&bundle, "loop", "/loop");
        world.run_bundle(&bundle).fails(1, &["mounts (init): openat2(", errno, "likely:"]);
        world.assert_clean();
    }
}

/// Both ways into the directory lead to the same place, as the kernel would go.
#[test]
fn dots_of_a_dangling_link_begin_where_the_link_really_is() {
    let world = World::new();
    let bundle = world.bundle("mounts", |config| {
        HELD(config);
        add_mount(config, "/short/up", "tmpfs", "tmpfs", &[]);
    });
    fs::create_dir_all(bundle.join("rootfs/long/way")).unwrap();
    link(&bundle, "short", "long/way");
    link(&bundle, "long/way/up", "../new/./deep");
    let held = world.hold_bundle(&bundle);
    mount_at(&mounts_of(held.pid), "/long/new/deep");
}

#[test]
fn a_long_chain_of_dangling_links_ends_with_an_error() {
    let world = World::new();
    let bundle = world.bundle("mounts", |config| {
        for_me(config);
        add_mount(config, "/chain0", "tmpfs", "tmpfs", &[]);
    });
    for at in 0..60 {
        link(&bundle, &format!("chain{at}"), &format!("/chain{}", at + 1));
    }
    world.run_bundle(&bundle).fails(1, &["mounts (init): "]);
}

#[test]
fn proc_and_sys_must_not_be_links() {
    for (name, target) in
        [("proc", "/tmp"), ("proc", "tmp"), ("sys", "/tmp"), ("proc", "/dangling"), ("sys", "/etc")]
    {
        let world = World::new();
        let bundle = world.bundle("mounts", for_me);
        link(&bundle, name, target);
        world.run_bundle(&bundle).fails(1, &["mounts (init): openat2(", "ELOOP", "real directory"]);
        world.assert_clean();
    }
}

#[test]
fn proc_behind_a_link_in_a_directory_above_is_refused_too() {
    let world = World::new();
    let bundle = world.bundle("mounts", |config| {
        for_me(config);
        add_mount(config, "/way/proc", "proc", "proc", &[]);
    });
    link(&bundle, "way", "/tmp");
    world.run_bundle(&bundle).fails(1, &["mounts (init): openat2(", "ELOOP"]);
}

#[test]
fn a_link_of_the_image_into_proc_takes_no_mount() {
    for target in ["/proc/sys/kernel", "proc/1/attr", "/proc/uptime", "/proc"] {
        let world = World::new();
        let kind = if target.ends_with("uptime") { "config.json" } else { "rootfs" };
        let bundle = world.bundle("mounts", |config| {
            for_me(config);
            add_mount(config, "/volume", "bind", kind, &["bind"]);
        });
        link(&bundle, "volume", target);
        let ran = world.run_bundle(&bundle);
        ran.fails(1, &["mounts (init): mounts: \"/volume\"", "leads into /proc"]);
        world.assert_clean();
    }
}

#[test]
fn a_destination_that_says_proc_may_cover_a_file_of_proc() {
    let world = World::new();
    let bundle = world.bundle("mounts", |config| {
        for_me(config);
        shell(config, "grep -c ociVersion /proc/uptime");
        add_mount(config, "/proc/uptime", "bind", "config.json", &["bind", "ro"]);
    });
    assert!(world.run_bundle(&bundle).ok().out.contains('1'));
}

#[test]
fn dots_do_not_make_a_destination_say_proc() {
    let world = World::new();
    let bundle = world.bundle("mounts", |config| {
        for_me(config);
        add_mount(config, "/proc/../volume", "bind", "rootfs", &["bind"]);
    });
    link(&bundle, "volume", "/proc/sys");
    world.run_bundle(&bundle).fails(1, &["leads into /proc"]);
}

#[test]
fn dev_may_be_a_link_and_still_nothing_outside_is_touched() {
    let world = World::new();
    let outside = canary(&world);
    let bundle = world.bundle("mounts", HELD);
    link(&bundle, "dev", &outside.to_string_lossy());
    let held = world.hold_bundle(&bundle);
    assert_untouched(&outside);
    assert_eq!(mount_at(&mounts_of(held.pid), &outside.to_string_lossy()).fstype, "tmpfs");
}

#[test]
fn the_root_cannot_be_covered_under_another_spelling() {
    for destination in ["//", "/.", "/./"] {
        let world = World::new();
        let bundle = world.bundle("mounts", |config| {
            for_me(config);
            config["mounts"] = json!([]);
            add_mount(config, destination, "bind", "rootfs", &["rbind", "ro"]);
            shell(config, "touch /x");
        });
        world.run_bundle(&bundle).fails(1, &["Read-only file system"]);
    }
    let world = World::new();
    let bundle = world.bundle("mounts", |config| {
        for_me(config);
        add_mount(config, "/tmp/..", "tmpfs", "tmpfs", &[]);
    });
    world.run_bundle(&bundle).fails(1, &["mounts (init): /tmp/..", "names the root itself"]);
}

/// While jec mounts below a volume, somebody who writes to it exchanges the
/// destination for a link to the host's directory, again and again (CVE-2021-30465).
#[test]
fn a_destination_that_is_exchanged_while_we_mount_never_leads_out() {
    let world = World::new();
    let outside = canary(&world);
    let volume = world.path("volume");
    fs::create_dir_all(volume.join("place")).unwrap();
    symlink(&outside, volume.join("other")).unwrap();
    let bundle = world.bundle("mounts", |config| {
        for_me(config);
        let source = volume.to_string_lossy();
        add_mount(config, "/volume", "bind", &source, &["bind"]);
        for _ in 0..20 {
            add_mount(config, "/volume/place/deep", "tmpfs", "escaped", &[]);
        }
        add_mount(config, "/volume/place/proc", "proc", "proc", &[]);
        shell(config, "cat /proc/self/mountinfo");
    });
    let done = AtomicBool::new(false);
    let (mut landed, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| exchange(&volume, &done));
        for _ in 0..40 {
            let ran = world.run_bundle(&bundle);
            for line in ran.out.lines().filter(|line| line.contains("escaped")) {
                // Inside, and in the volume or at the path that the link names inside.
                let point = line.split(' ').nth(4).unwrap();
                assert!(
                    point.starts_with("/volume/") || point.starts_with(&*outside.to_string_lossy()),
                    "{line}"
                );
            }
            for line in ran
                .out
                .lines()
                .filter(|line| line.contains("/proc proc") || line.contains("- proc"))
            {
                // No proc where the link led to.
                let point = line.split(' ').nth(4).unwrap();
                assert!(point.starts_with("/volume/") || point == "/proc", "{line}");
            }
            landed += usize::from(ran.code == 0);
            refused += usize::from(ran.code != 0);
            assert_untouched(&outside);
        }
        done.store(true, Ordering::Relaxed);
    });
    println!("{landed} runs mounted, {refused} were refused");
    assert_eq!(landed + refused, 40);
    world.assert_clean();
}

#[test]
fn checking_a_path_and_then_mounting_on_it_loses_the_same_race() {
    let world = World::new();
    let outside = canary(&world);
    let volume = world.path("volume");
    fs::create_dir_all(volume.join("place/deep")).unwrap();
    fs::create_dir(outside.join("deep")).unwrap();
    symlink(&outside, volume.join("other")).unwrap();
    let user = if is_root() { "" } else { "--user --map-root-user" };
    let done = AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| exchange(&volume, &done));
        let ran = sh(&format!(
            "cd {}; unshare {user} --mount --propagation private sh -c '
             for i in $(seq 2000); do
                 case $(realpath volume/place/deep) in */volume/*)
                     mount -t tmpfs escaped volume/place/deep;; esac 2>/dev/null
                 grep \"/outside/deep .* escaped\" /proc/self/mountinfo && exit
             done'",
            world.dir.path().display()
        ));
        done.store(true, Ordering::Relaxed);
        ran
    });
    assert!(ran.out.contains("/outside/deep"), "{ran:?}");
}

/// Exchanges `place` and `other`, as fast as it can.
fn exchange(volume: &Path, done: &AtomicBool) {
    let (here, flags) = (nix::fcntl::AT_FDCWD, nix::fcntl::RenameFlags::RENAME_EXCHANGE);
    while !done.load(Ordering::Relaxed) {
        nix::fcntl::renameat2(here, &volume.join("place"), here, &volume.join("other"), flags).ok();
    }
}

#[test]
fn tmpcopyup_copies_content_modes_and_owners_and_follows_no_link() {
    let world = World::new();
    let outside = canary(&world);
    let bundle = world.bundle("mounts", |config| {
        for_me(config);
        grant(config, &["CAP_DAC_OVERRIDE"]);
        add_mount(config, "/filled", "tmpfs", "tmpfs", &["tmpcopyup"]);
        add_mount(config, "/own", "tmpfs", "tmpfs", &["tmpcopyup", "mode=0711"]);
        shell(
            config,
            "cd /filled; for f in . sub sub/file set link; do stat -c '%n %a %u %g' $f; done
             cat sub/file; readlink link; stat -c '%n %a' /own /own/file; ls -A | wc -l
             echo changed >sub/file",
        );
    });
    let root = bundle.join("rootfs");
    let mode = |path: &Path, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir_all(root.join("filled/sub")).unwrap();
    fs::create_dir_all(root.join("own")).unwrap();
    fs::write(root.join("own/file"), "x").unwrap();
    fs::write(root.join("filled/sub/file"), "content").unwrap();
    fs::write(root.join("filled/set"), "x").unwrap();
    symlink(outside.join("canary"), root.join("filled/link")).unwrap();
    let owner = if is_root() { (7, 8) } else { (0, 0) };
    if is_root() {
        for path in ["filled/sub", "filled/sub/file", "filled/set", "filled/link"] {
            std::os::unix::fs::lchown(root.join(path), Some(7), Some(8)).unwrap();
        }
    }
    mode(&root.join("filled/sub/file"), 0o640);
    mode(&root.join("filled/sub"), 0o751);
    mode(&root.join("filled/set"), 0o4755);
    mode(&root.join("filled"), 0o1770);
    let ran = world.run_bundle(&bundle).ok();
    let (uid, gid) = owner;
    let expected = format!(
        ". 1770 0 0\nsub 751 {uid} {gid}\nsub/file 640 {uid} {gid}\nset 4755 {uid} {gid}\n\
         link 777 {uid} {gid}\ncontent{}\n/own 711\n/own/file 644\n3\n",
        outside.join("canary").display()
    );
    assert_eq!(ran.out, expected);
    assert_eq!(fs::read_to_string(root.join("filled/sub/file")).unwrap(), "content");
    assert_untouched(&outside);
}

#[test]
fn what_cannot_be_mounted_is_an_error_with_its_cause_and_nothing_is_left() {
    let cases = [
        (("/x", "bind", "/there/is/none", &["bind"][..]), vec!["open_tree(", "ENOENT", "ls -ld"]),
        (("/x", "nofs", "none", &[]), vec!["fsopen(\"nofs\"", "ENODEV", "/proc/filesystems"]),
        (("/x", "tmpfs", "t", &["colour=red"]), vec!["fsconfig(", "Unknown parameter 'colour'"]),
        (("/x", "tmpfs", "t", &["size=much"]), vec!["fsconfig(", "EINVAL"]),
        (("/etc/passwd", "tmpfs", "t", &[]), vec!["a directory cannot be mounted onto a file"]),
        (
            ("/etc", "bind", "config.json", &["bind"]),
            vec!["a file cannot be mounted onto a directory"],
        ),
        (("/etc/passwd/x", "tmpfs", "t", &[]), vec!["ENOTDIR"]),
        (("/none", "none", "none", &["remount", "ro"]), vec!["openat2(", "ENOENT"]),
        (("/etc", "none", "none", &["remount", "ro"]), vec!["mount_setattr(", "EINVAL"]),
    ];
    for ((destination, kind, source, words), expected) in cases {
        let world = World::new();
        let bundle = world.bundle("mounts", |config| {
            for_me(config);
            add_mount(config, destination, kind, source, words);
        });
        let ran = world.run_bundle(&bundle);
        let place = ["mounts (init): "];
        ran.fails(1, &[&place[..], &expected[..]].concat());
        world.assert_clean();
    }
}

#[test]
fn without_the_stage_there_is_no_proc() {
    let world = World::new();
    let bundle = world.bundle("mounts", |config| {
        HELD(config);
        drop_mount(config, "/proc");
    });
    let held = world.hold_bundle(&bundle);
    assert!(!mounts_of(held.pid).iter().any(|mount| mount.fstype == "proc"));
}

/// A program that looks for what belongs to the host.
const SPY: &str = "cat /etc/shadow /etc/gshadow /etc/sudoers /etc/machine-id; ls -A /root /home \
    /var/lib /var/log /opt /srv /boot /mnt /etc/ssl/private /etc/ssh; \
    touch /usr/x /etc/x; find / -xdev -name 'jec-canary*' -print; true";

#[test]
fn a_root_made_of_the_host_works_and_shows_nothing_private() {
    let world = World::new();
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or("/root".into()));
    let canary = tempfile::Builder::new().prefix("jec-canary").tempfile_in(&home);
    let ran = world.run(&["--", "sh", "-c", SPY]).ok();
    assert_eq!(ran.out.replace("/root:", "").trim(), "", "stderr: {}", ran.err);
    for path in ["/etc/shadow", "/etc/gshadow", "/home", "/var/lib"] {
        assert!(ran.err.contains(path), "{path} is not there: {}", ran.err);
    }
    assert!(ran.err.contains("/usr/x") && ran.err.contains("Read-only"), "{}", ran.err);
    // And yet programs run, with their names of users.
    assert_eq!(world.run(&["--", "stat", "-c", "%U", "/"]).ok().out.trim(), "root");
    drop(canary);
    world.assert_clean();
}

#[test]
fn the_same_program_on_the_host_finds_what_is_private() {
    if !is_root() {
        skip!("only root can read what is private to root");
    }
    let found = sh("cat /etc/shadow; ls -A /root /var/lib; true");
    assert!(found.out.contains("root:") && found.out.contains("dpkg"), "{}", found.out);
}
