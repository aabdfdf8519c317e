//! overlay: what a container writes goes above the layers, which stay as they are.

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use common::bundle::{add_mount, for_me, mount_at, mounts_of, shell, sleeps};
use common::{Ran, World, is_root};
use serde_json::{Value, json};

/// A bundle whose root is this line's overlay over `lower`, relative to the bundle.
fn bundle(world: &World, lower: &str, line: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    world.bundle("overlay", |config| {
        for_me(config);
        shell(config, line);
        config["annotations"]["jec.overlay.lower"] = json!(lower);
        change(config);
    })
}

fn keep(config: &mut Value) {
    config["annotations"]["jec.overlay.upper"] = json!("kept");
}

/// Every path below `dir`, with what tells whether somebody has touched it.
fn listing(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut to_do = vec![dir.to_owned()];
    while let Some(path) = to_do.pop() {
        let stat = fs::symlink_metadata(&path).unwrap();
        let content = if stat.is_file() { fs::read(&path).unwrap().len() } else { 0 };
        let mode = stat.mode();
        found.push(format!("{} {mode:o} {} {content}", path.display(), stat.ctime_nsec()));
        if stat.is_dir() {
            to_do.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    found
}

/// Layers `names`, each a directory of the bundle with what the shell line makes in it.
fn layers(bundle: &Path, lines: &[(&str, &str)]) {
    for (name, line) in lines {
        fs::create_dir_all(bundle.join(name)).unwrap();
        let ran = common::bundle::sh(&format!("cd {}; {line}", bundle.join(name).display()));
        ran.ok();
    }
}

#[test]
fn the_example_changes_everything_and_its_image_nothing() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let bundle = world.bundle("overlay", for_me);
    let before = listing(&bundle.join("rootfs"));
    let ran = world.run_bundle(&bundle).ok();
    assert!(ran.out.contains(" / / ") && ran.out.contains(" - overlay overlay "), "{}", ran.out);
    assert!(ran.out.ends_with("jec\nchanged\n"), "{}", ran.out);
    assert_eq!(listing(&bundle.join("rootfs")), before);
    world.assert_clean();
}

#[test]
fn without_the_stage_the_same_program_changes_the_image() {
    let world = World::new();
    let bundle = world.bundle("overlay", |config| {
        for_me(config);
        config["annotations"] = json!({});
    });
    world.run_bundle(&bundle).ok();
    assert_eq!(fs::read_to_string(bundle.join("rootfs/etc/hostname")).unwrap(), "changed\n");
}

#[test]
fn what_is_thrown_away_is_gone_the_next_time_and_nothing_stays_on_the_host() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let line = "test ! -e /etc/new && echo new >/etc/new && rm /etc/group && ls /etc";
    let bundle = bundle(&world, "rootfs", line, |_| {});
    for _ in 0..2 {
        let ran = world.run_bundle(&bundle).ok();
        assert!(ran.out.contains("new") && !ran.out.contains("group"), "{}", ran.out);
    }
    world.assert_clean();
}

#[test]
fn what_is_kept_is_a_copy_a_whiteout_or_an_opaque_directory_and_the_next_run_goes_on_there() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let line = "cat /etc/hostname; echo more >>/etc/hostname; rm -f /etc/group; \
                rm -rf /usr; mkdir /usr; touch /usr/mine; ls /usr /etc";
    let bundle = bundle(&world, "rootfs", line, keep);
    fs::create_dir(bundle.join("kept")).unwrap();
    let ran = world.run_bundle(&bundle).ok();
    assert!(ran.out.starts_with("jec\n") && ran.out.contains("mine"), "{}", ran.out);
    let upper = bundle.join("kept/upper");
    assert_eq!(fs::read_to_string(upper.join("etc/hostname")).unwrap(), "jec\nmore\n");
    let whiteout = fs::symlink_metadata(upper.join("etc/group")).unwrap();
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0, "{whiteout:?}");
    assert_eq!(fs::metadata(&upper).unwrap().permissions().mode() & 0o7777, 0o755);
    let ran = world.run_bundle(&bundle).ok();
    assert!(ran.out.starts_with("jec\nmore\n") && !ran.out.contains("group"), "{}", ran.out);
    assert_eq!(fs::read_to_string(bundle.join("rootfs/etc/hostname")).unwrap(), "jec\n");
    world.assert_clean();
}

#[test]
fn two_containers_cannot_keep_their_changes_in_one_place_at_once() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let bundle = bundle(&world, "rootfs", "true", |config| {
        keep(config);
        sleeps(config);
    });
    fs::create_dir(bundle.join("kept")).unwrap();
    let path = bundle.to_string_lossy().into_owned();
    let held = world.hold(&["--bundle-overlay", "-b", &path, &world.id("one")]);
    let ran = world.run(&["--bundle-overlay", "-b", &path, &world.id("two")]);
    let process = format!("process 1 is {}", held.pid);
    ran.fails(1, &["overlay (init)", "kept", "in use", &process]);
    drop(held);
    let config = bundle.join("config.json");
    let text = fs::read_to_string(&config).unwrap().replace("1000\"]", "0\"]");
    fs::write(&config, text).unwrap();
    world.run(&["--bundle-overlay", "-b", &path, &world.id("two")]).ok();
    world.assert_clean();
}

#[test]
fn of_many_at_once_exactly_one_gets_the_place() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let bundle = bundle(&world, "rootfs", "sleep 1", keep);
    fs::create_dir(bundle.join("kept")).unwrap();
    let path = bundle.to_string_lossy().into_owned();
    let run = |name: String| world.run(&["--bundle-overlay", "-b", &path, &world.id(&name)]).code;
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|at| scope.spawn(move || run(format!("n{at}")))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let (won, lost) = codes.iter().copied().partition::<Vec<i32>, _>(|code| *code == 0);
    assert!(!won.is_empty() && lost.iter().all(|code| *code == 1), "{codes:?}");
    world.assert_clean();
}

#[test]
fn layers_cover_each_other_in_their_order() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let line = "cat /a /b /c; ls /d";
    let bundle = bundle(&world, "top:middle:rootfs", line, |_| {});
    let middle = "echo middle >a; echo middle >b; mkdir d; echo 1 >d/one";
    layers(&bundle, &[("top", "echo top >a; mkdir d; echo 2 >d/two"), ("middle", middle)]);
    fs::write(bundle.join("rootfs/a"), "bottom\n").unwrap();
    fs::write(bundle.join("rootfs/c"), "bottom\n").unwrap();
    let ran = world.run_bundle(&bundle).ok();
    assert_eq!(ran.out, "top\nmiddle\nbottom\none\ntwo\n");
}

#[test]
fn sixty_layers_fit_and_odd_names_are_names() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let mut names: Vec<String> =
        (0..60).map(|at| format!("layer {at}, \\with\"odd=name")).collect();
    names.push("rootfs".into());
    let bundle = bundle(&world, &names.join(":"), "cat /name /n59", |_| {});
    for (at, name) in names.iter().enumerate().take(60) {
        fs::create_dir(bundle.join(name)).unwrap();
        fs::write(bundle.join(name).join("name"), format!("{at}\n")).unwrap();
        fs::write(bundle.join(name).join(format!("n{at}")), format!("{at}\n")).unwrap();
    }
    assert_eq!(world.run_bundle(&bundle).ok().out, "0\n59\n");
}

#[test]
fn a_hundred_layers_are_given_one_by_one_or_refused_with_the_reason() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let mut names: Vec<String> = (0..100).map(|at| format!("l{at}")).collect();
    names.push("rootfs".into());
    let bundle = bundle(&world, &names.join(":"), "cat /n99", |_| {});
    for name in &names[..100] {
        fs::create_dir(bundle.join(name)).unwrap();
        fs::write(bundle.join(name).join(name.replace('l', "n")), "here\n").unwrap();
    }
    let ran = world.run_bundle(&bundle);
    if ran.code == 0 {
        assert_eq!(ran.out, "here\n");
    } else {
        ran.fails(1, &["overlay (init)", "lowerdir+", "EINVAL", "6.7"]);
    }
}

#[test]
fn a_read_only_root_is_read_only_and_its_mount_points_are_not_made_in_the_image() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let line = "echo x >/new 2>&1; mount | grep ' /made '; touch /made/x && echo written";
    let bundle = bundle(&world, "rootfs", line, |config| {
        config["root"]["readonly"] = json!(true);
        add_mount(config, "/made", "tmpfs", "tmpfs", &["nosuid"]);
    });
    let before = listing(&bundle.join("rootfs"));
    let ran = world.run_bundle(&bundle);
    assert!(ran.err.contains("Read-only") && ran.out.contains("written"), "{ran:?}");
    assert_eq!(listing(&bundle.join("rootfs")), before);
}

#[test]
fn the_root_is_a_private_mount_whose_propagation_the_configuration_can_change() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    for (word, tags) in [("slave", ""), ("shared", "shared:"), ("unbindable", "unbindable")] {
        let world = World::new();
        let bundle = bundle(&world, "rootfs", "true", |config| {
            config["linux"]["rootfsPropagation"] = json!(word);
            sleeps(config);
        });
        let held =
            world.hold(&["--bundle-overlay", "-b", &bundle.to_string_lossy(), &world.id("p")]);
        let root = mount_at(&mounts_of(held.pid), "/");
        assert_eq!(root.fstype, "overlay");
        assert!(if tags.is_empty() { root.tags.is_empty() } else { root.is(tags) }, "{root:?}");
        let count = mounts_of(held.pid).iter().filter(|mount| mount.point == "/").count();
        assert_eq!(count, 1, "neither the tmpfs nor the host's tree is below it");
    }
}

#[test]
fn without_pivot_root_it_is_an_overlay_as_well() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let bundle = bundle(&world, "rootfs", "rm -r /usr; ls /", |_| {});
    let path = bundle.to_string_lossy().into_owned();
    let ran = world.run(&["--no-pivot", "--bundle-overlay", "-b", &path, &world.id("n")]).ok();
    assert!(!ran.out.contains("usr") && bundle.join("rootfs/usr").exists(), "{}", ran.out);
    world.assert_clean();
}

#[test]
fn a_further_process_sees_the_same_tree() {
    if !common::has_overlay() {
        skip!("{}", common::NO_OVERLAY);
    }
    let world = World::new();
    let bundle = bundle(&world, "rootfs", "echo mine >/mine; exec sleep 1000", |_| {});
    let id = world.id("e");
    let _held = world.hold(&["--bundle-overlay", "-b", &bundle.to_string_lossy(), &id]);
    let exec = |words: &[&str]| {
        let mut command = world.jec();
        command.args(["exec", &id]).args(words);
        // Until the state is written, nobody else is let in.
        Ran::of(command).out
    };
    common::until("it is written", || exec(&["ls", "/"]).contains("mine"));
    assert_eq!(exec(&["cat", "/mine"]), "mine\n");
    assert!(!bundle.join("rootfs/mine").exists());
}

#[test]
fn a_copy_leaves_the_layer_alone_too_and_is_made_once_where_it_is_kept() {
    let world = World::new();
    let line = "cat /etc/hostname; echo more >>/etc/hostname; rm -r /usr; \
                grep -c ' - overlay ' /proc/self/mountinfo";
    let copies = |config: &mut Value| config["annotations"]["jec.overlay.copy"] = json!("true");
    let bundle_of = |keeps: bool| {
        bundle(&world, "rootfs", line, |config| {
            copies(config);
            if keeps {
                keep(config);
            }
        })
    };
    let bundle = bundle_of(false);
    let before = listing(&bundle.join("rootfs"));
    for _ in 0..2 {
        assert_eq!(world.run_bundle(&bundle).out, "jec\n0\n");
    }
    bundle_of(true);
    fs::create_dir(bundle.join("kept")).unwrap();
    assert_eq!(world.run_bundle(&bundle).out, "jec\n0\n");
    let ran = world.run_bundle(&bundle);
    assert!(ran.out.starts_with("jec\nmore\n"), "{ran:?}");
    assert_eq!(listing(&bundle.join("rootfs")), before);
    world.assert_clean();
}

/// Podman copies an image's annotations into the bundle: with `/` for a layer, the image would be
/// shown the host.
#[test]
fn an_image_cannot_choose_layers_by_an_annotation() {
    let world = World::new();
    let bundle = bundle(&world, "/", "cat /etc/shadow", |_| {}).to_string_lossy().into_owned();
    let words = ["annotations.jec.overlay.lower", "from an image", "--bundle-overlay"];
    world.run(&["-b", &bundle, &world.id("r")]).fails(1, &words);
    let created = world.jec().args(["create", "-b", &bundle, &world.id("c")]).output().unwrap();
    let said = String::from_utf8_lossy(&created.stderr);
    assert!(!created.status.success() && said.contains(words[0]), "{said}");
    world.assert_clean();
}

#[test]
fn what_cannot_be_is_refused_by_the_name_of_its_annotation() {
    let cases = [
        (json!({"jec.overlay.upper": "/x"}), "jec.overlay.lower"),
        (json!({"jec.overlay.lower": ""}), "annotations.jec.overlay.lower: has an empty path"),
        (
            json!({"jec.overlay.lower": "/a::/b"}),
            "annotations.jec.overlay.lower: has an empty path",
        ),
        (json!({"jec.overlay.lower": "/a\u{0}b"}), "NUL"),
        (json!({"jec.overlay.lower": "/a:/b", "jec.overlay.copy": "true"}), "only a single layer"),
    ];
    for (annotations, words) in cases {
        let world = World::new();
        let bundle = world.bundle("overlay", |config| {
            for_me(config);
            config["annotations"] = annotations;
        });
        world.run_bundle(&bundle).fails(1, &[words]);
        world.assert_clean();
    }
}

#[test]
fn a_layer_that_is_not_there_is_an_error_that_says_so_and_nothing_is_left() {
    let world = World::new();
    let bundle = bundle(&world, "missing:rootfs", "true", |_| {});
    world.run_bundle(&bundle).fails(1, &["overlay (init): openat(", "missing", "ENOENT"]);
    world.assert_clean();
}

#[test]
fn a_place_that_the_mapped_root_cannot_write_is_an_error_that_says_so() {
    if !is_root() {
        skip!("only root can map another user than herself, without subordinate ids");
    }
    let world = World::new();
    let bundle = bundle(&world, "rootfs", "true", |config| {
        keep(config);
        common::bundle::in_user_namespace(config);
        config["linux"]["uidMappings"][0]["hostID"] = json!(100_000);
        config["linux"]["gidMappings"][0]["hostID"] = json!(100_000);
    });
    fs::create_dir(bundle.join("kept")).unwrap();
    fs::set_permissions(bundle.join("kept"), fs::Permissions::from_mode(0o755)).unwrap();
    world.run_bundle(&bundle).fails(1, &["overlay (init): openat(", "owner", "EACCES", "namei"]);
    world.assert_clean();
}

#[test]
fn where_no_directory_could_be_removed_there_is_an_error_instead() {
    if common::has_overlay() {
        skip!("in memory, this kernel has the attributes that an overlay needs");
    }
    let world = World::new();
    let bundle = bundle(&world, "rootfs", "true", |_| {});
    let words = ["overlay (init): fsetxattr(", "EOPNOTSUPP", "Linux 6.6", "--keep=DIR"];
    world.run_bundle(&bundle).fails(1, &words);
    world.assert_clean();
}
