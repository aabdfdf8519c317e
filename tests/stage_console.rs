//! console: the container's terminal is its own, made on its own devpts, and
//! what the user sees and types goes through it.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

use common::bundle::{add_mount, drop_mount, for_me, mount_at, mounts_of, shell};
use common::pty::Pty;
use common::{World, is_root};
use serde_json::{Value, json};

/// The example at a terminal, with this program.
fn at_a_terminal(world: &World, change: impl FnOnce(&mut Value)) -> Option<Pty> {
    let bundle = world.bundle("console", |config| {
        for_me(config);
        change(config);
    });
    let mut command = world.jec();
    command.args(["run", "--pid-file"]).arg(world.path("pid")).arg("-b").arg(&bundle);
    command.arg(world.id("t"));
    Pty::start(&command)
}

fn pid(world: &World) -> i32 {
    fs::read_to_string(world.path("pid")).expect("the pid file").parse().expect("a pid")
}

/// jec itself: the parent of process 1.
fn parent(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("PPid");
    line.trim().parse().expect("a pid")
}

#[test]
fn the_example_reads_what_is_typed_and_ends() {
    let world = World::new();
    let Some(mut pty) = at_a_terminal(&world, |_| ()) else {
        skip!("this user may not open /dev/ptmx")
    };
    pty.shows("type something:");
    pty.types("hello\r");
    assert_eq!(pty.wait(), 0);
    for word in ["/dev/pts/0", "24 80", "got hello"] {
        assert!(pty.screen().contains(word), "{word}: {}", pty.screen());
    }
    world.assert_clean();
}

#[test]
fn streams_controlling_terminal_and_dev_console_are_one_terminal_of_the_containers_devpts() {
    let world = World::new();
    let Some(pty) = at_a_terminal(&world, |config| shell(config, "echo ready; exec sleep 1000"))
    else {
        skip!("this user may not open /dev/ptmx")
    };
    pty.shows("ready");
    let pid = pid(&world);
    let slave = fs::metadata(format!("/proc/{pid}/root/dev/pts/0")).unwrap();
    let outer = fs::metadata(&pty.name).unwrap();
    for name in ["fd/0", "fd/1", "fd/2", "root/dev/console"] {
        let found = fs::metadata(format!("/proc/{pid}/{name}")).unwrap();
        assert_eq!((found.dev(), found.ino()), (slave.dev(), slave.ino()), "{name}");
        assert_ne!((found.dev(), found.ino()), (outer.dev(), outer.ino()), "{name}");
    }
    let mount = mount_at(&mounts_of(pid), "/dev/console");
    assert_eq!((&*mount.fstype, &*mount.root), ("devpts", "/0"));
    // proc_pid_stat(5): session and tty_nr are the fourth and fifth after the name.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[4], (136 << 8).to_string(), "its controlling terminal is 136:0");
}

#[test]
fn without_a_terminal_of_its_own_the_program_holds_the_users() {
    let world = World::new();
    let Some(pty) = at_a_terminal(&world, |config| {
        config["process"]["terminal"] = json!(false);
        shell(config, "echo ready; exec sleep 1000");
    }) else {
        skip!("this user may not open /dev/ptmx")
    };
    pty.shows("ready");
    let (inside, outer) =
        (fs::metadata(format!("/proc/{}/fd/0", pid(&world))), fs::metadata(&pty.name));
    let (inside, outer) = (inside.unwrap(), outer.unwrap());
    assert_eq!((inside.dev(), inside.ino()), (outer.dev(), outer.ino()));
    assert!(!mounts_of(pid(&world)).iter().any(|mount| mount.point == "/dev/console"));
}

#[test]
fn the_size_of_the_window_arrives_and_follows() {
    let world = World::new();
    let Some(mut pty) = at_a_terminal(&world, |config| {
        shell(
            config,
            "stty size; trap 'echo now $(stty size)' WINCH; echo ready; while :; do read x; done",
        );
    }) else {
        skip!("this user may not open /dev/ptmx")
    };
    pty.shows("ready");
    assert!(pty.screen().contains("24 80"), "{}", pty.screen());
    pty.stty("rows 41 cols 97");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !pty.screen().contains("41 97") && Instant::now() < deadline {
        // A shell in read(2) runs its trap at the next line.
        pty.types("\r");
        std::thread::sleep(Duration::from_millis(50));
    }
    pty.shows("now 41 97");
}

#[test]
fn console_size_of_the_configuration_is_set_where_jec_has_no_terminal() {
    let world = World::new();
    let bundle = world.bundle("console", |config| {
        for_me(config);
        config["process"]["consoleSize"] = json!({"height": 31, "width": 99});
        shell(config, "stty size; tty");
    });
    let ran = world.run_bundle(&bundle).ok();
    assert_eq!(ran.out.replace('\r', ""), "31 99\n/dev/pts/0\n");
}

#[test]
fn keys_act_on_the_inner_terminal_and_the_users_is_restored_at_the_end() {
    let world = World::new();
    let Some(mut pty) = at_a_terminal(&world, |config| {
        shell(
            config,
            "trap 'echo interrupted; exit 7' INT; echo ready; while :; do sleep 0.1; done",
        );
    }) else {
        skip!("this user may not open /dev/ptmx")
    };
    pty.shows("ready");
    let during = pty.stty("-a");
    assert!(during.contains("-icanon") && during.contains("-isig"), "raw: {during}");
    pty.types("\u{3}");
    assert_eq!(pty.wait(), 7);
    assert!(pty.screen().contains("interrupted"));
    let after = pty.stty("-a");
    assert!(after.contains(" icanon") && after.contains("isig") && after.contains(" echo "));
    world.assert_clean();
}

#[test]
fn the_users_terminal_is_exactly_as_before_even_when_jec_is_killed() {
    for killed in [false, true] {
        let world = World::new();
        let Some(mut pty) = at_a_terminal(&world, |config| {
            shell(config, "echo ready; read x; exit 0");
        }) else {
            skip!("this user may not open /dev/ptmx")
        };
        // What a new terminal has: nothing has been set on it but its size.
        let pristine = {
            let other = Pty::start(Command::new("true").arg("x"));
            other.expect("a second terminal").stty("-g")
        };
        pty.shows("ready");
        assert_ne!(pty.stty("-g"), pristine, "raw while the container runs");
        if killed {
            let jec = nix::unistd::Pid::from_raw(parent(pid(&world)));
            nix::sys::signal::kill(jec, nix::sys::signal::Signal::SIGKILL).unwrap();
        } else {
            pty.types("\r");
        }
        pty.wait();
        let deadline = Instant::now() + Duration::from_secs(10);
        while pty.stty("-g") != pristine && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(pty.stty("-g"), pristine, "killed: {killed}");
    }
}

#[test]
fn the_terminal_belongs_to_the_user_of_the_process_and_the_group_of_devpts() {
    if !is_root() {
        skip!("only root can be another user without subordinate ids");
    }
    let world = World::new();
    let Some(pty) = at_a_terminal(&world, |config| {
        config["process"]["user"] = json!({"uid": 1234, "gid": 1234});
        let options = config["mounts"][2]["options"].as_array_mut().unwrap();
        options.push(json!("gid=5"));
        shell(config, "echo ready >/dev/console; exec sleep 1000");
    }) else {
        skip!("this user may not open /dev/ptmx")
    };
    pty.shows("ready");
    let found = fs::metadata(format!("/proc/{}/root/dev/pts/0", pid(&world))).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (1234, 5, 0o620));
}

/// What is in its place, how it comes there, words of the error.
type Case = (&'static str, fn(&mut Value), &'static [&'static str]);

#[test]
fn what_is_not_the_ptmx_of_a_devpts_is_refused() {
    let cases: [Case; 3] = [
        ("no devpts", |config| drop_mount(config, "/dev/pts"), &["ENOENT", "devpts"]),
        (
            "a tmpfs",
            |config| {
                drop_mount(config, "/dev/pts");
                add_mount(config, "/dev/pts", "tmpfs", "tmpfs", &[]);
            },
            &["\"/dev/pts\"", "devpts"],
        ),
        (
            "another device over it",
            |config| add_mount(config, "/dev/pts/ptmx", "bind", "/dev/zero", &["bind"]),
            &["EXDEV", "mounted on the ptmx"],
        ),
    ];
    for (name, change, words) in cases {
        let world = World::new();
        let bundle = world.bundle("console", |config| {
            for_me(config);
            change(config);
        });
        let ran = world.run_bundle(&bundle);
        println!("{name}");
        let words: Vec<&str> = words.iter().map(|word| word.trim_matches('"')).collect();
        ran.fails(1, &[&["console (init): "][..], &words].concat());
        world.assert_clean();
    }
}

#[test]
fn a_dev_console_that_is_a_link_of_the_image_leads_neither_into_proc_nor_out() {
    for (target, refused) in [("/proc/uptime", true), ("/etc/hosts", false)] {
        let world = World::new();
        let bundle = world.bundle("console", |config| {
            for_me(config);
            drop_mount(config, "/dev");
            shell(config, "tty");
        });
        fs::create_dir_all(bundle.join("rootfs/dev/pts")).unwrap();
        symlink(target, bundle.join("rootfs/dev/console")).unwrap();
        let before = fs::read_to_string("/etc/hosts").unwrap();
        let ran = world.run_bundle(&bundle);
        if refused {
            ran.fails(1, &["console (init): ", "leads into /proc"]);
        } else {
            assert_eq!(ran.ok().out.trim(), "/dev/pts/0");
            assert_eq!(fs::read_to_string("/etc/hosts").unwrap(), before);
        }
        world.assert_clean();
    }
}
