//! Capabilities: the five sets, exactly.

mod common;

use std::fs;
use std::process::Command;

use common::process::{bundle, command, has_ids, in_root, ran};
use common::{Ran, World, is_root, probe};
use serde_json::{Value, json};

#[test]
#[ignore = "a probe: runs inside a container"]
fn probe_powers() {
    probe::tell_powers();
}

#[test]
#[ignore = "a probe: runs inside a container"]
fn probe_port() {
    let result = std::net::TcpListener::bind("127.0.0.1:80");
    let errno = result.err().and_then(|error| error.raw_os_error());
    probe::tell(
        "bind",
        &errno.map_or("ok".into(), |e| format!("{:?}", nix::errno::Errno::from_raw(e))),
    );
}

const GREP: [&str; 3] = ["grep", "Cap", "/proc/self/status"];

/// The lines of GREP: inheritable, permitted, effective, bounding, ambient.
fn sets(out: &str) -> Vec<u64> {
    let values = out.lines().filter_map(|line| line.split_once(":\t"));
    values.map(|(_, value)| u64::from_str_radix(value, 16).expect("a mask")).collect()
}

const CHOWN: u64 = 1;
const KILL: u64 = 1 << 5;
const BIND: u64 = 1 << 10;

#[test]
fn the_example_keeps_what_is_ambient_over_execve() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    let out = ran("capabilities", |_| ()).ok().out;
    assert_eq!(sets(&out), [BIND, BIND, BIND, CHOWN | KILL | BIND, BIND]);
    let change = |config: &mut Value| config["process"]["capabilities"]["ambient"] = json!([]);
    let out = ran("capabilities", change).ok().out;
    assert_eq!(sets(&out), [BIND, 0, 0, CHOWN | KILL | BIND, 0]);
}

#[test]
fn the_host_sees_all_five_sets_of_a_root_that_is_not_all_powerful() {
    let world = World::new();
    let bundle = bundle(&world, "capabilities", |config| {
        let (some, more) = (json!(["CAP_CHOWN"]), json!(["CAP_CHOWN", "CAP_KILL"]));
        config["process"]["capabilities"] =
            json!({"bounding": more, "permitted": more, "effective": some});
        config["process"]["user"] = json!({"uid": 0, "gid": 0});
        command(config, &["sleep", "60"]);
    });
    let held = world.hold(&["--bundle", &bundle.to_string_lossy(), &world.id("held")]);
    let seen = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| held.status(name));
    let seen = seen.map(|mask| u64::from_str_radix(&mask, 16).expect("a mask"));
    // execve gives uid 0 all that is permitted as effective (capabilities(7)).
    assert_eq!(seen, [0, CHOWN | KILL, CHOWN | KILL, CHOWN | KILL, 0]);
}

#[test]
fn without_the_property_root_has_nothing() {
    for (capabilities, code) in [(Value::Null, 1), (json!({}), 1)] {
        let change = |words: &'static [&'static str]| {
            let capabilities = capabilities.clone();
            move |config: &mut Value| {
                config["process"]["user"] = json!({"uid": 0, "gid": 0});
                config["process"]["capabilities"] = capabilities;
                command(config, words);
            }
        };
        assert_eq!(sets(&ran("capabilities", change(&GREP)).ok().out), [0; 5]);
        let chown = ran("capabilities", change(&["chown", "1", "/tmp"]));
        chown.fails(code, &["Operation not permitted"]);
    }
    // The other half.
    ran("capabilities", |config| {
        let set = json!(["CAP_CHOWN"]);
        config["process"]["user"] = json!({"uid": 0, "gid": 0});
        config["process"]["capabilities"] =
            json!({"bounding": set, "permitted": set, "effective": set});
        let target = if has_ids() { "1" } else { "0" };
        command(config, &["chown", target, "/tmp"]);
    })
    .ok();
}

#[test]
fn inheritable_is_empty_for_whoever_jec_run_starts() {
    // CVE-2022-24769
    let world = World::new();
    let root = world.rootfs().to_string_lossy().into_owned();
    let run = |flags: &[&str]| {
        let words = [flags, &[&root, "--"], &GREP].concat();
        sets(&world.run(&words).ok().out)
    };
    let found = run(&[]);
    assert_eq!((found[0], found[4]), (0, 0));
    assert_eq!(found[2], found[3], "root has its ceiling");
    if has_ids() {
        let found = run(&["--user", "1000:1000"]);
        assert_eq!((found[0], found[1], found[2], found[4]), (0, 0, 0, 0));
    }
}

#[test]
fn a_file_that_may_inherit_gains_only_what_the_configuration_lets_it() {
    if !is_root() {
        skip!("only root can give a file capabilities");
    }
    if World::new().is_nosuid() {
        skip!("the directory for temporary files is mounted nosuid");
    }
    for (inheritable, chown) in [(json!([]), "EPERM"), (json!(["CAP_CHOWN"]), "ok")] {
        let world = World::new();
        let bundle = bundle(&world, "capabilities", |config| {
            config["process"]["noNewPrivileges"] = json!(false);
            config["process"]["capabilities"] =
                json!({"bounding": ["CAP_CHOWN"], "inheritable": inheritable});
            command(config, &probe::args("probe_powers"));
        });
        let path = probe::copy_to(&bundle.join("rootfs"), "probe", 0o755);
        probe::set_file_capabilities(&path, 0, 1);
        fs::write(in_root(&bundle, "chown-me"), "").expect("a file");
        let told = probe::told(&world.run_bundle(&bundle).ok().out);
        assert_eq!(told["chown"], chown, "{told:?}");
    }
}

#[test]
fn an_ordinary_user_binds_a_low_port_with_the_ambient_capability_and_not_without() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    for (ambient, bind) in [(json!(["CAP_NET_BIND_SERVICE"]), "ok"), (json!([]), "EACCES")] {
        let world = World::new();
        let bundle = bundle(&world, "capabilities", |config| {
            config["process"]["capabilities"]["ambient"] = ambient;
            probe::run_it(config, "probe_port");
        });
        let told = probe::told(&world.run_bundle(&bundle).ok().out);
        assert_eq!(told["bind"], bind);
    }
}

#[test]
fn cap_add_makes_the_capability_ambient_for_a_user_who_is_not_root() {
    if !has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    let world = World::new();
    let root = world.rootfs().to_string_lossy().into_owned();
    let flags = ["--user", "1000:1000", "--cap-add", "NET_BIND_SERVICE", &root, "--"];
    let found = sets(&world.run(&[&flags[..], &GREP].concat()).ok().out);
    assert_eq!((found[0], found[1], found[2], found[4]), (BIND, BIND, BIND, BIND));
}

#[test]
fn a_capability_that_jec_does_not_have_itself_is_warned_of_and_left_out() {
    if !is_root() {
        skip!("in a user namespace of its own jec has them all");
    }
    let world = World::new();
    let bundle = bundle(&world, "capabilities", |config| {
        let set = json!(["CAP_CHOWN", "CAP_LEASE"]);
        config["process"]["user"] = json!({"uid": 0, "gid": 0});
        config["process"]["capabilities"] = json!({"bounding": set, "permitted": set,
            "effective": set, "inheritable": set, "ambient": set});
    });
    let mut jec = Command::new("setpriv");
    jec.args(["--bounding-set", "-lease"]).arg(common::jec_path());
    jec.arg("--root").arg(world.path("state")).args(["run", "--bundle"]).arg(&bundle).arg("c1");
    let ran = Ran::of(jec).ok();
    assert!(ran.err.contains("process.capabilities: without CAP_LEASE"), "{}", ran.err);
    assert_eq!(sets(&ran.out), [CHOWN; 5]);
    // The other half: a jec that has it passes it on without a word.
    let ran = world.run_bundle(&bundle).ok();
    assert!(!ran.err.contains("CAP_LEASE"), "{}", ran.err);
    assert_eq!(sets(&ran.out), [CHOWN | 1 << 28; 5]);
}

#[test]
fn what_the_kernel_would_refuse_or_does_not_know_is_warned_of_and_left_out() {
    let ran = ran("capabilities", |config| {
        config["process"]["user"] = json!({"uid": 0, "gid": 0});
        config["process"]["capabilities"] = json!({
            "bounding": ["CAP_CHOWN", "CAP_OF_TOMORROW"], "permitted": ["CAP_CHOWN"],
            "effective": ["CAP_CHOWN", "CAP_KILL"], "ambient": ["CAP_CHOWN"]});
    });
    let ran = ran.ok();
    assert_eq!(sets(&ran.out), [0, CHOWN, CHOWN, CHOWN, 0]);
    for warning in ["CAP_OF_TOMORROW", "effective: without CAP_KILL", "ambient: without CAP_CHOWN"]
    {
        assert!(ran.err.contains(warning), "{warning}: {}", ran.err);
    }
}
