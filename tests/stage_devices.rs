//! devices: the nodes are what their names say, whatever the image holds.

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::Path;

use common::bundle::{
    add_mount, drop_mount, for_me, grant, in_user_namespace, in_user_namespace_of_a_host, mount_at,
    mounts_of, shell, sleeps,
};
use common::{Ran, World, is_root};
use serde_json::{Value, json};

const DEFAULTS: &[(&str, u64, u64)] = &[
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];
const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Held, without the two devices that only root can make.
fn plain(config: &mut Value) {
    for_me(config);
    sleeps(config);
    config["linux"].as_object_mut().unwrap().remove("devices");
}

#[track_caller]
fn assert_device(dev: &Path, (name, major, minor): (&str, u64, u64)) {
    let found = fs::metadata(dev.join(name)).unwrap();
    assert!(found.file_type().is_char_device(), "{name}");
    assert_eq!(found.rdev(), nix::sys::stat::makedev(major, minor), "{name}");
}

#[track_caller]
fn assert_defaults(pid: i32) {
    let dev = format!("/proc/{pid}/root/dev");
    for device in DEFAULTS {
        assert_device(Path::new(&dev), *device);
    }
    for (name, target) in LINKS {
        assert_eq!(fs::read_link(format!("{dev}/{name}")).unwrap(), Path::new(target), "{name}");
    }
}

#[test]
fn the_example_has_its_own_devices_next_to_the_six_and_the_links() {
    if !is_root() {
        skip!("mknod(2) of a device needs CAP_MKNOD on the host");
    }
    let world = World::new();
    let bundle = world.bundle("devices", sleeps);
    // A mask of the caller takes no bit away.
    let (id, pid_file) = (world.id("d"), world.path("pid"));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 0777; exec \"$@\"", "sh"]).arg(common::jec_path());
    command.arg("--root").arg(world.path("state")).args(["run", "--pid-file"]).arg(&pid_file);
    command.arg("-b").arg(&bundle).arg(&id);
    let held = world.hold_command(command);
    assert_defaults(held.pid);
    let dev = format!("/proc/{}/root/dev", held.pid);
    assert_device(Path::new(&dev), ("answer", 1, 5));
    let mode = |name: &str| fs::metadata(format!("{dev}/{name}")).unwrap().mode() & 0o7777;
    assert_eq!([mode("null"), mode("answer"), mode("queue")], [0o666, 0o440, 0o600]);
    assert!(fs::metadata(format!("{dev}/queue")).unwrap().file_type().is_fifo());
}

#[test]
fn the_default_devices_work_from_inside() {
    let world = World::new();
    let bundle = world.bundle("devices", |config| {
        plain(config);
        shell(config, "echo x >/dev/null && head -c 3 /dev/zero | wc -c; echo x >/dev/full; head -c 9 /dev/urandom | wc -c");
    });
    let ran = world.run_bundle(&bundle).ok();
    assert_eq!(ran.out.split_whitespace().collect::<Vec<_>>(), ["3", "9"]);
    assert!(ran.err.contains("No space left on device"), "{}", ran.err);
    world.assert_clean();
}

#[test]
fn in_a_user_namespace_the_hosts_nodes_are_bound() {
    let world = World::new();
    let bundle = world.bundle("devices", |config| {
        plain(config);
        if is_root() {
            in_user_namespace(config);
        }
    });
    let held = world.hold_bundle(&bundle);
    assert_defaults(held.pid);
    let mounts = mounts_of(held.pid);
    for (name, _, _) in DEFAULTS {
        assert!(mount_at(&mounts, &format!("/dev/{name}")).root.ends_with(&format!("/{name}")));
    }
}

#[test]
fn a_node_of_the_host_that_is_not_what_its_name_says_is_refused() {
    let world = World::new();
    let bundle = world.bundle("devices", |config| {
        config["linux"].as_object_mut().unwrap().remove("devices");
        in_user_namespace_of_a_host(config);
    });
    let setup = "echo secret >fake; chmod 711 .; mount --bind fake /dev/zero";
    let ran = world.run_on(setup, &bundle);
    ran.fails(1, &["devices (init): ", "/dev/zero", "set to device 1:5", "mode 0o100"]);
    world.assert_clean();
}

#[test]
fn a_device_that_neither_can_be_made_nor_exists_on_the_host_is_an_error_that_says_so() {
    let world = World::new();
    let bundle = world.bundle("devices", |config| {
        if is_root() {
            in_user_namespace(config);
        } else {
            for_me(config);
        }
    });
    let ran = world.run_bundle(&bundle);
    ran.fails(1, &["devices (init): open_tree(", "/dev/answer", "ENOENT", "the host has none"]);
    world.assert_clean();
}

#[test]
fn a_fifo_is_made_in_a_user_namespace_too() {
    let world = World::new();
    let bundle = world.bundle("devices", |config| {
        plain(config);
        config["linux"]["devices"] =
            json!([{"path": "/dev/queue", "type": "p", "fileMode": 0o600}]);
        shell(config, "test -p /dev/queue");
    });
    world.run_bundle(&bundle).ok();
}

/// A root whose /dev is part of the image, as in one that debootstrap made.
fn with_dev_of_the_image(world: &World, name: &str, target: &str) -> std::path::PathBuf {
    let bundle = world.bundle("devices", |config| {
        plain(config);
        drop_mount(config, "/dev");
        drop_mount(config, "/dev/pts");
    });
    symlink(target, bundle.join("rootfs/dev").join(name)).unwrap();
    bundle
}

#[test]
fn links_of_dev_that_the_image_has_already_are_no_obstacle() {
    for (name, target) in LINKS {
        let world = World::new();
        let bundle = with_dev_of_the_image(&world, name, target);
        let held = world.hold_bundle(&bundle);
        assert_defaults(held.pid);
    }
}

#[test]
fn a_ptmx_of_the_image_is_replaced_and_nothing_is_made_where_it_led() {
    for target in ["/etc/passwd", "/etc/there-is-none", "/proc/self/fd/0"] {
        let world = World::new();
        let bundle = with_dev_of_the_image(&world, "ptmx", target);
        let held = world.hold_bundle(&bundle);
        assert_defaults(held.pid);
        assert!(!bundle.join("rootfs/etc/there-is-none").is_symlink());
    }
}

#[test]
fn a_real_ptmx_stays_where_it_is_since_dev_may_be_the_hosts() {
    if !is_root() {
        skip!("mknod(2) of a device needs CAP_MKNOD on the host");
    }
    let world = World::new();
    let bundle = with_dev_of_the_image(&world, "unused", "nowhere");
    let node = bundle.join("rootfs/dev/ptmx");
    Ran::of({
        let mut command = std::process::Command::new("mknod");
        command.arg(&node).args(["c", "5", "2"]);
        command
    })
    .ok();
    let held = world.hold_bundle(&bundle);
    assert_device(Path::new(&format!("/proc/{}/root/dev", held.pid)), ("ptmx", 5, 2));
    drop(held);
    assert_device(&bundle.join("rootfs/dev"), ("ptmx", 5, 2));
}

#[test]
fn no_node_is_made_in_a_volume_where_a_link_of_the_image_leads() {
    if !is_root() {
        skip!("mknod(2) of a device needs CAP_MKNOD on the host");
    }
    let world = World::new();
    let volume = world.path("volume");
    fs::create_dir(&volume).unwrap();
    let bundle = world.bundle("devices", |config| {
        plain(config);
        drop_mount(config, "/dev");
        drop_mount(config, "/dev/pts");
        add_mount(config, "/volume", "bind", &volume.to_string_lossy(), &["bind"]);
    });
    symlink("/volume/disk", bundle.join("rootfs/dev/zero")).unwrap();
    symlink("/volume/link", bundle.join("rootfs/dev/fd")).unwrap();
    let held = world.hold_bundle(&bundle);
    assert_device(Path::new(&format!("/proc/{}/root/dev", held.pid)), ("null", 1, 3));
    for name in ["disk", "link"] {
        let found = fs::symlink_metadata(volume.join(name));
        // A place to mount on, at most: never a device of the host, never a link.
        assert!(found.is_err() || found.unwrap().is_file(), "{name}");
    }
}

#[test]
fn a_file_with_the_name_of_a_device_is_covered_and_keeps_its_content() {
    if !is_root() {
        skip!("in a user namespace every node is a bind");
    }
    let world = World::new();
    let bundle = with_dev_of_the_image(&world, "unused", "nowhere");
    let fake = bundle.join("rootfs/dev/null");
    fs::write(&fake, "fake").unwrap();
    let held = world.hold_bundle(&bundle);
    assert_defaults(held.pid);
    fs::write(format!("/proc/{}/root/dev/null", held.pid), "gone").unwrap();
    assert_eq!(fs::read_to_string(&fake).unwrap(), "fake");
}

#[test]
fn a_device_that_is_a_link_into_proc_is_refused() {
    let world = World::new();
    let bundle = with_dev_of_the_image(&world, "null", "/proc/uptime");
    let ran = world.run_bundle(&bundle);
    ran.fails(1, &["devices (init): ", "leads into /proc"]);
    world.assert_clean();
}

#[test]
fn a_file_instead_of_dev_is_an_error() {
    let world = World::new();
    let bundle = with_dev_of_the_image(&world, "unused", "nowhere");
    fs::remove_dir_all(bundle.join("rootfs/dev")).unwrap();
    fs::write(bundle.join("rootfs/dev"), "").unwrap();
    let ran: Ran = world.run_bundle(&bundle);
    ran.fails(1, &["devices (init): ", "ENOTDIR", "has a file where"]);
}

#[test]
fn a_program_can_make_no_node_itself_unless_it_was_given_cap_mknod() {
    if !is_root() {
        skip!("in a user namespace CAP_MKNOD makes no node");
    }
    common::own_view(); // without a cgroup CAP_MKNOD is refused
    for (granted, made) in [(false, false), (true, true)] {
        let world = World::new();
        let bundle = world.bundle("devices", |config| {
            shell(config, "mknod /dev/mine c 1 3");
            if granted {
                grant(config, &["CAP_MKNOD"]);
            }
        });
        let ran = world.run_bundle(&bundle);
        assert_eq!(ran.code == 0, made, "{}", ran.err);
        assert!(made || ran.err.contains("Operation not permitted"), "{}", ran.err);
    }
}
