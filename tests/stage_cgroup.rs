//! cgroup: limits, and the handle to all processes. What needs controllers runs
//! in the lab machine, or on any with pure cgroup v2.

mod common;

use std::path::Path;

use common::{
    Ran, World, for_me, has_cgroup2, has_controller, in_pure_cgroup2, is_root, sh, shell,
    without_namespace,
};
use serde_json::{Value, json};

/// The example without its limits, with this script for a program.
fn no_limits(script: &str) -> impl Fn(&mut Value) {
    let script = script.to_owned();
    move |config| {
        config["linux"]["resources"] = json!({});
        sh(&script)(config);
    }
}

/// The example with these resources only.
fn limits(resources: Value, script: &str) -> impl FnOnce(&mut Value) {
    let script = script.to_owned();
    move |config| {
        config["linux"]["resources"] = resources;
        sh(&script)(config);
    }
}

/// Whether there is a cgroup v2 to try with.
fn has_view() -> bool {
    has_cgroup2() || is_root()
}

/// Runs it where /sys/fs/cgroup is cgroup v2, then these words.
fn in_view(world: &World, bundle: &Path, then: &str) -> Ran {
    let words = format!("{}; status=$?; {then}; exit $status", world.run_words(bundle));
    if has_cgroup2() { shell(&words) } else { in_pure_cgroup2(&words) }
}

#[test]
fn on_a_machine_without_cgroup_v2_one_line_says_that_there_are_no_limits() {
    if has_cgroup2() {
        skip!("this machine has cgroup v2");
    }
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("cgroup", no_limits("echo works"))).ok();
    assert_eq!(ran.out, "works\n");
    let said: Vec<_> =
        ran.err.lines().filter(|line| line.contains("no cgroup, so no limits")).collect();
    assert_eq!((said.len(), ran.err.lines().count()), (1, 1), "{}", ran.err);
}

#[test]
fn on_a_machine_without_cgroup_v2_limits_are_refused_before_anything_is_made() {
    if has_cgroup2() {
        skip!("this machine has cgroup v2");
    }
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("cgroup", for_me));
    ran.fails(1, &["memory.max needs a cgroup, but /sys/fs/cgroup is", "cure:"]);
    assert!(!world.path("state").join(world.id("b")).exists());
    world.assert_clean();
}

#[test]
fn the_cgroup_is_named_after_the_container_and_removed_with_it() {
    if !has_view() {
        skip!("no cgroup v2 here, and only root can make a view that has it");
    }
    let world = World::new();
    let bundle = world.bundle("cgroup", |config| {
        no_limits("cat /proc/self/cgroup")(config);
        without_namespace(config, "cgroup");
    });
    let id = world.id("b");
    let left = format!("echo left: $(find /sys/fs/cgroup -name {id})");
    let ran = in_view(&world, &bundle, &left).ok();
    assert!(ran.out.contains(&format!("/jec/{id}\n")), "{}", ran.out);
    assert!(ran.out.ends_with("left:\n"), "{}", ran.out);
    world.assert_clean();
}

/// As BuildKit asks for it where Docker has systemd make its cgroups.
#[test]
fn the_name_of_a_scope_is_a_directory_where_systemd_is_not_asked() {
    if !has_view() || !is_root() {
        skip!("no cgroup v2 here, or not all of it is ours");
    }
    let world = World::new();
    let name = format!("system.slice:buildkit:{}", world.id("b"));
    let bundle = world.bundle("cgroup", |config| {
        no_limits("cat /proc/self/cgroup")(config);
        without_namespace(config, "cgroup");
        config["linux"]["cgroupsPath"] = json!(name);
    });
    let ran = in_view(&world, &bundle, "true").ok();
    assert!(ran.out.ends_with(&format!("/jec/{name}\n")), "{}", ran.out);
    world.assert_clean();
}

/// Processes that are called `sleep NAME`.
fn daemons(name: &str) -> Vec<i32> {
    common::processes_with(&format!("sleep\0{name}"))
}

#[test]
fn a_daemon_that_outlives_the_program_is_killed_by_its_cgroup() {
    if !has_view() {
        skip!("no cgroup v2 here, and only root can make a view that has it");
    }
    let world = World::new();
    // Without a pid namespace nothing else knows of it; its argument is its name here.
    let name = (100_000_000 + std::process::id()).to_string();
    let bundle = world.bundle("cgroup", |config| {
        no_limits(&format!("setsid sleep {name} >/dev/null 2>&1 & exit 0"))(config);
        without_namespace(config, "pid");
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "proc");
    });
    in_view(&world, &bundle, "true").ok();
    assert_eq!(daemons(&name), [0; 0]);
    world.assert_clean();
    if has_cgroup2() {
        return;
    }
    world.run_bundle(&bundle).ok();
    let pid = *daemons(&name).first().expect("without a cgroup it goes on");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    world.assert_clean();
}

#[test]
fn a_device_that_no_rule_allows_cannot_be_opened() {
    if !is_root() {
        skip!("only root may make a device at all");
    }
    let world = World::new();
    let bundle = |rules: Value| {
        world.bundle("cgroup", |config| {
            // /dev/fuse, which asks nobody for a privilege.
            let script = "mknod /dev/fuse c 10 229 && exec 3>/dev/fuse";
            limits(json!({"devices": rules}), script)(config);
            let all = json!(["CAP_MKNOD"]);
            config["process"]["capabilities"] =
                json!({"bounding": all, "effective": all, "permitted": all});
        })
    };
    let run = |rules: Value| in_view(&world, &bundle(rules), "true");
    let deny = json!({"allow": false, "access": "rwm"});
    let rule =
        |access| json!({"allow": true, "type": "c", "major": 10, "minor": 229, "access": access});
    let refused = ["/dev/fuse: Operation not permitted"];
    run(json!([deny])).fails(1, &refused);
    run(json!([deny, rule("r")])).fails(1, &refused);
    run(json!([deny, rule("w")])).ok();
    run(json!([{"allow": true, "access": "rwm"}])).ok();
}

#[test]
fn a_controller_that_is_not_there_is_named_before_anything_is_made() {
    if !has_view() || has_controller("memory") {
        skip!("no cgroup v2 without a memory controller here");
    }
    let world = World::new();
    let ran = in_view(&world, &world.bundle("cgroup", |_| ()), "true");
    ran.fails(1, &["has no controller", "cure:"]);
    assert!(!world.path("state").join(world.id("b")).exists());
    world.assert_clean();
}

#[test]
fn the_example_finds_its_limits_in_its_own_cgroup() {
    if !has_controller("memory") {
        skip!("no memory controller of cgroup v2 here");
    }
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("cgroup", for_me)).ok();
    let expected =
        "0::/\nmemory.max:67108864\nmemory.swap.max:0\npids.max:32\ncpu.max:50000 100000\n";
    assert_eq!(ran.out, expected);
    world.assert_clean();
}

#[test]
fn what_has_no_limit_is_counted_all_the_same() {
    let handed_down = std::fs::read_to_string("/sys/fs/cgroup/cgroup.subtree_control");
    if !handed_down.is_ok_and(|names| names.contains("memory")) {
        skip!("no memory controller of cgroup v2 is handed down here");
    }
    let world = World::new();
    let bundle = world.bundle("cgroup", no_limits("cat /sys/fs/cgroup/memory.current"));
    let ran = world.run_bundle(&bundle).ok();
    assert!(ran.out.trim().parse::<u64>().is_ok_and(|bytes| bytes > 0), "{}", ran.out);
}

#[test]
fn a_program_that_takes_more_memory_than_the_limit_is_killed_and_jec_says_why() {
    if !has_controller("memory") {
        skip!("no memory controller of cgroup v2 here");
    }
    let world = World::new();
    let eat = "exec dd if=/dev/zero of=/dev/null bs=100M count=1";
    world
        .run_bundle(&world.bundle("cgroup", sh(eat)))
        .fails(137, &["killed: out of memory, limit 64 MiB"]);
    world.assert_clean();
    // With room for it in swap, and without a limit, it lives.
    let swap = json!({"memory": {"limit": 67_108_864, "swap": 167_108_864}});
    for resources in [swap, json!({})] {
        let ran = world.run_bundle(&world.bundle("cgroup", limits(resources, eat))).ok();
        assert!(!ran.err.contains("out of memory"), "{}", ran.err);
    }
}

#[test]
fn a_fork_bomb_ends_at_the_number_of_processes_it_was_given() {
    if !has_controller("pids") {
        skip!("no pids controller of cgroup v2 here");
    }
    let world = World::new();
    let bomb = "bomb() { bomb | bomb & }; bomb; sleep 3; cat /sys/fs/cgroup/pids.events";
    let bundle = world.bundle("cgroup", limits(json!({"pids": {"limit": 20}}), bomb));
    let ran = world.run_bundle(&bundle);
    assert!(ran.err.contains("can't fork"), "{ran:?}");
    world.assert_clean();
    let few = "for n in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait";
    let run = |limit: i32| {
        let resources = json!({"pids": {"limit": limit}});
        world.run_bundle(&world.bundle("cgroup", limits(resources, few)))
    };
    assert!(run(4).err.contains("can't fork"));
    run(-1).ok();
}

#[test]
fn a_busy_program_is_stopped_when_its_share_of_the_time_is_used() {
    if !has_controller("cpu") {
        skip!("no cpu controller of cgroup v2 here");
    }
    let world = World::new();
    let busy = "cd /sys/fs/cgroup; n=0
        until grep -q 'nr_throttled [1-9]' cpu.stat || [ $((n+=1)) = 200 ]; do :; done; cat cpu.stat";
    let throttled = |resources: Value| {
        let ran = world.run_bundle(&world.bundle("cgroup", limits(resources, busy))).ok();
        let line = ran.out.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        line.and_then(|number| number.parse::<u64>().ok())
    };
    assert!(throttled(json!({"cpu": {"quota": 20_000, "period": 100_000}})) > Some(0));
    assert_eq!(throttled(json!({"cpu": {"shares": 1024}})), Some(0));
}

#[test]
fn a_program_runs_on_the_processors_of_its_list_alone() {
    if !has_controller("cpuset") {
        skip!("no cpuset controller of cgroup v2 here");
    }
    let world = World::new();
    let run = |list: &str| {
        let resources = json!({"cpu": {"cpus": list}});
        world.run_bundle(&world.bundle("cgroup", limits(resources, "nproc")))
    };
    assert_eq!(run("0").ok().out, "1\n");
    let all = shell("nproc").out;
    assert_ne!(all, "1\n", "a machine that can tell");
    assert_eq!(world.run_bundle(&world.bundle("cgroup", no_limits("nproc"))).ok().out, all);
    run("900").fails(1, &["cgroup (runtime)", "cpuset.cpus"]);
    world.assert_clean();
}
