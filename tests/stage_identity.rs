//! Identity: where the process stands, and who it is.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use common::process::{bundle, command, has_ids, in_root, own_users, ran, script};
use common::{Ran, World, is_root};
use serde_json::{Value, json};

fn cwd(config: &mut Value, path: &str) {
    config["process"]["cwd"] = json!(path);
    config["process"]["user"] = json!({"uid": 0, "gid": 0});
    script(config, "pwd");
}

#[test]
fn the_example_is_uid_1000_with_two_groups_in_a_directory_made_for_it() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    let ran = ran("identity", |_| ()).ok();
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines[..3], ["uid=1000 gid=1000 groups=27,1000", "0077", "/home/me"]);
    assert!(lines[3].starts_with("drwxr-xr-x    2 root     root"), "{}", lines[3]);
}

#[test]
fn all_four_ids_are_the_users_so_there_is_no_way_back() {
    if !is_root() {
        skip!("an ordinary user sees other ids from outside");
    }
    let world = World::new();
    let bundle = bundle(&world, "identity", |config| command(config, &["sleep", "60"]));
    let held = world.hold(&["--bundle", &bundle.to_string_lossy(), &world.id("held")]);
    assert_eq!(held.status("Uid"), "1000\t1000\t1000\t1000");
    assert_eq!(held.status("Gid"), "1000\t1000\t1000\t1000");
    assert_eq!(held.status("Groups"), "27 1000");
    assert_eq!(held.status("Umask"), "0077");
}

#[test]
fn the_groups_of_whoever_started_jec_are_gone() {
    if !is_root() {
        skip!("only root can start jec with groups of her choice");
    }
    let world = World::new();
    let bundle = bundle(&world, "identity", |config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        command(config, &["grep", "Groups:", "/proc/self/status"]);
    });
    let with_groups = |words: &[&std::ffi::OsStr]| {
        let mut command = Command::new("setpriv");
        command.args(["--groups", "6,42"]).args(words);
        Ran::of(command).ok().out
    };
    // The other half: a change of the user alone keeps the group disk (6).
    let kept = ["setpriv", "--reuid", "1000", "--keep-groups", "grep", "Groups:"];
    let kept: Vec<_> =
        kept.iter().chain(&["/proc/self/status"]).map(std::ffi::OsStr::new).collect();
    assert_eq!(with_groups(&kept).split_whitespace().collect::<Vec<_>>(), ["Groups:", "6", "42"]);
    let mut words = vec![common::jec_path().into_os_string(), "--root".into()];
    words.extend([world.path("state").into_os_string(), "run".into(), "--bundle".into()]);
    words.extend([bundle.into_os_string(), world.id("groups").into()]);
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    assert_eq!(with_groups(&words).trim(), "Groups:");
}

/// `jec run` with `--user`, in a root with these accounts.
fn as_user(user: &str, words: &str) -> Ran {
    let world = World::new();
    let root = world.rootfs();
    let passwd = "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n";
    fs::write(root.join("etc/passwd"), passwd).expect("passwd");
    fs::write(root.join("etc/group"), "web:x:33:\naudio:x:29:web\n").expect("group");
    let root = root.to_string_lossy().into_owned();
    world.run(&["--user", user, &root, "--", "sh", "-c", words])
}

#[test]
fn the_primary_group_is_among_the_groups_so_it_cannot_be_dropped() {
    if !has_ids() {
        skip!("this user has no ids for uid 33");
    }
    // CVE-2022-36109: a set-group-ID program dropped the primary group, and
    // with it a mode that denies that group something.
    let out = as_user("web", "id -G; grep Groups: /proc/self/status").ok().out;
    let mut lines = out.lines();
    let mut of_status: Vec<_> = lines.nth(1).expect("groups").split_whitespace().skip(1).collect();
    of_status.sort_unstable();
    assert_eq!(of_status, ["29", "33"], "{out}");
}

#[test]
fn a_number_is_an_id_even_if_somebody_of_that_name_is_root() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    // CVE-2016-3697.
    assert_eq!(as_user("1000", "id -u").ok().out, "1000\n");
    assert_eq!(as_user("web", "id -u").ok().out, "33\n");
    as_user("nobody-here", "id -u").fails(1, &["--user", "nobody-here"]);
}

#[test]
fn ids_that_are_no_ids_or_not_mapped_are_refused_before_anything_is_made() {
    for (field, value) in [
        ("uid", json!(u32::MAX)),
        ("uid", json!(-1)),
        ("uid", json!(1_u64 << 32)),
        ("uid", json!("0")),
        ("gid", json!(4_000_000_000_u32)),
        ("additionalGids", json!([4_000_000_000_u32])),
        ("umask", json!(0o1000)),
    ] {
        let ran = ran("identity", |config| {
            if is_root() {
                own_users(config);
            }
            config["process"]["user"][field] = value.clone();
        });
        assert!(ran.code == 1 && ran.err.contains("process.user"), "{field}: {}", ran.err);
        assert!(!ran.err.contains("(init)"), "{}", ran.err);
    }
}

#[test]
fn the_umask_is_022_where_the_configuration_is_silent_whatever_jec_had() {
    let world = World::new();
    let bundle = bundle(&world, "identity", |config| {
        cwd(config, "/tmp");
        script(config, "umask; touch file; ls -l file");
    });
    let script = format!("umask 0777; exec \"$@\" run --bundle {} c1", bundle.display());
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh"]).arg(common::jec_path());
    shell.arg("--root").arg(world.path("state"));
    let out = Ran::of(shell).ok().out;
    assert!(out.starts_with("0022\n-rw-r--r--"), "{out}");
}

#[test]
fn a_working_directory_that_is_missing_is_made_inside_through_links_too() {
    let world = World::new();
    let bundle = bundle(&world, "identity", |config| cwd(config, "/link/new/deep"));
    let host = world.path("canary");
    fs::create_dir(&host).expect("a directory of the host");
    // The link names a directory of the host, and means one of the container.
    symlink(&host, in_root(&bundle, "link")).expect("a link");
    let ran = world.run_bundle(&bundle).ok();
    assert_eq!(ran.out, format!("{}/new/deep\n", host.display()));
    assert_eq!(fs::read_dir(&host).expect("the canary").count(), 0, "the host is as it was");
    let inside = host.strip_prefix("/").expect("absolute");
    let made = fs::metadata(in_root(&bundle, &inside.join("new/deep").to_string_lossy()));
    let made = made.expect("made inside");
    assert_eq!((made.mode() & 0o7777, made.uid()), (0o755, nix::unistd::getuid().as_raw()));
}

#[test]
fn a_working_directory_above_the_root_is_the_root() {
    let ran = ran("identity", |config| cwd(config, "/../../../.."));
    assert_eq!(ran.ok().out, "/\n");
}

#[test]
fn a_magic_link_is_no_working_directory_so_a_leaked_descriptor_is_no_way_out() {
    use nix::fcntl::{FcntlArg, FdFlag, OFlag};
    let host = nix::fcntl::open("/", OFlag::O_PATH, nix::sys::stat::Mode::empty()).expect("/");
    nix::fcntl::fcntl(&host, FcntlArg::F_SETFD(FdFlag::empty())).expect("no close-on-exec");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&host);
    // The other half: cd follows it, and stands in the host's root.
    let mut shell = Command::new("sh");
    let me = std::process::id();
    shell.args(["-c", &format!("cd /proc/self/fd/{fd} && ls -d proc/{me}")]);
    assert_eq!(Ran::of(shell).ok().out, format!("proc/{me}\n"));

    let below = format!("/proc/self/fd/{fd}");
    for (path, link) in [
        (&*below, None),
        (&*format!("{below}/tmp"), None),
        ("/proc/self/cwd", None),
        ("/proc/1/root/etc", None),
        ("/link", Some(&*below)),
        ("/link/tmp", Some("/proc/1/root")),
    ] {
        let world = World::new();
        let bundle = bundle(&world, "identity", |config| cwd(config, path));
        if let Some(target) = link {
            symlink(target, in_root(&bundle, "link")).expect("a link");
        }
        let ran = world.run_bundle(&bundle);
        let ran = ran.fails(1, &["identity (init): openat2(", "ELOOP", "CVE-2024-21626"]);
        assert_eq!(ran.out, "", "{path}");
        world.assert_clean();
    }
}

#[test]
fn a_working_directory_that_is_none_is_named_with_its_errno() {
    for (path, errno) in [("/etc/passwd", "ENOTDIR"), ("/circle", "ELOOP")] {
        let world = World::new();
        let bundle = bundle(&world, "identity", |config| cwd(config, path));
        symlink("circle", in_root(&bundle, "circle")).expect("a link");
        world.run_bundle(&bundle).fails(1, &["identity (init)", errno, "likely:"]);
        world.assert_clean();
    }
}

#[test]
fn what_is_missing_cannot_be_made_on_a_read_only_root() {
    let change = |path: &'static str| {
        move |config: &mut Value| {
            cwd(config, path);
            config["root"]["readonly"] = json!(true);
        }
    };
    let words = ["identity (init): mkdirat(", "EROFS", "working directory does not exist"];
    ran("identity", change("/missing")).fails(1, &words);
    assert_eq!(ran("identity", change("/tmp")).ok().out, "/tmp\n");
}

#[test]
fn a_directory_of_an_id_that_is_not_mapped_cannot_be_entered() {
    if !is_root() {
        skip!("only root can make a directory of somebody else's");
    }
    let world = World::new();
    let volume = world.path("volume");
    fs::create_dir(&volume).expect("a directory");
    fs::set_permissions(&volume, fs::Permissions::from_mode(0o700)).expect("its mode");
    fs::set_permissions(world.dir.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
    let bundle = bundle(&world, "identity", |config| {
        cwd(config, "/mnt");
        let ids = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        config["linux"]["uidMappings"] = ids.clone();
        config["linux"]["gidMappings"] = ids;
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        let mount = json!({"destination": "/mnt", "type": "bind", "source": volume,
            "options": ["bind"]});
        config["mounts"].as_array_mut().unwrap().push(mount);
    });
    fs::create_dir(in_root(&bundle, "mnt")).expect("a mount point");
    let words = ["identity (init): fchdir(", "EACCES", "uidMappings"];
    world.run_bundle(&bundle).fails(1, &words);
    world.assert_clean();
    fs::set_permissions(&volume, fs::Permissions::from_mode(0o755)).expect("its mode");
    assert_eq!(world.run_bundle(&bundle).ok().out, "/mnt\n");
}

#[test]
fn root_inside_stands_where_its_user_could_not_go_but_can_reach_nothing_from_there() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    let world = World::new();
    // /root is 0700: as runc, jec enters before it becomes the user.
    let bundle = bundle(&world, "identity", |config| {
        config["process"]["cwd"] = json!("/root");
        script(config, "ls . ; cat ./secret; cat ../etc/hostname");
    });
    fs::write(in_root(&bundle, "root/secret"), "secret").expect("a file");
    let ran = world.run_bundle(&bundle);
    assert_eq!(ran.out, "", "{}", ran.err);
    assert_eq!(ran.err.matches("Permission denied").count(), 3, "{}", ran.err);
}
