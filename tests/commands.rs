//! The command line that engines expect: what runc's says, and what the kernel says to it.
//! Limits need controllers: they are changed in the lab machine, or on any with pure cgroup v2.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use common::{World, for_me, has_cgroup2, has_controller, is_root, own_view, sh, until};
use serde_json::{Value, json};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A container that `start` has started: its id, and its process 1.
fn started(world: &World, name: &str, script: &str) -> (String, i32) {
    let bundle = world.bundle("gate", sh(script));
    let id = world.id(name);
    world.create(&bundle, &id).ok();
    world.tell(&["start", &id]).ok();
    let pid = fs::read_to_string(world.path("pid")).expect("the pid file");
    (id, pid.parse().expect("a number"))
}

fn status(world: &World, id: &str) -> String {
    let state = parsed(&world.tell(&["state", id]).ok().out);
    state["status"].as_str().expect("a status").to_owned()
}

/// The directory of the container's cgroup.
fn cgroup(world: &World, id: &str) -> PathBuf {
    let intent = fs::read_to_string(world.path("state").join(id).join("intent.json"));
    let intent = parsed(&intent.expect("the intent"));
    PathBuf::from(format!("/sys/fs/cgroup{}", intent["cgroup"].as_str().expect("a cgroup")))
}

fn read(world: &World, id: &str, file: &str) -> String {
    fs::read_to_string(cgroup(world, id).join(file)).expect(file).trim().to_owned()
}

fn rests(pid: i32) -> bool {
    // A frozen process of cgroup v2 sleeps, as the kernel shows it; it uses no time.
    let time = || fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("schedstat");
    let before = time();
    std::thread::sleep(Duration::from_millis(200));
    before == time()
}

#[test]
fn the_version_is_told_as_engines_read_it() {
    let world = World::new();
    for flag in ["-v", "--version"] {
        let out = world.tell(&[flag]).ok().out;
        let lines: Vec<_> = out.lines().collect();
        let expected = [&*format!("jec version {}", env!("CARGO_PKG_VERSION")), "spec: 1.3.0"];
        assert_eq!(lines, expected);
    }
}

#[test]
fn a_failure_is_the_last_line_of_the_log() {
    let world = World::new();
    let path = world.path("log");
    let path = path.to_string_lossy();
    let before = ["--log", &path, "--log-format", "json", "--debug", "state", "none"];
    let after = ["state", "none", "--log", &path, "--log-format=json", "--rootless=auto"];
    for words in [&before[..], &after] {
        world.tell(words).fails(1, &["container \"none\": does not exist"]);
    }
    let text = fs::read_to_string(&*path).expect("the log");
    let lines: Vec<_> = text.lines().map(parsed).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[1]["level"], "error");
    assert_eq!(lines[1]["msg"], "container \"none\": does not exist");
    let out = shell_date(lines[1]["time"].as_str().expect("a time"));
    assert!(out < 60, "the time is {out} seconds away");
    world.tell(&["--log", &path, "start", "none"]).fails(1, &["does not exist"]);
    let text = fs::read_to_string(&*path).expect("the log");
    let last = text.lines().last().expect("a line");
    assert!(last.contains(r#"level=error msg="container \"none\": does not exist""#), "{last}");
    world.tell(&["--log", "/no/such/file", "list"]).fails(1, &["--log", "/no/such/file"]);
}

/// How many seconds ago that was, by date(1).
fn shell_date(time: &str) -> u64 {
    let seconds = common::shell(&format!("date -d {time} +%s")).ok().out;
    let then: u64 = seconds.trim().parse().expect("a number");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("a time").as_secs().abs_diff(then)
}

#[test]
fn systemd_where_there_is_none_is_refused_by_its_flag_where_a_container_is_made() {
    if std::path::Path::new("/run/systemd/system").exists() {
        println!("SKIPPED: this machine has a systemd");
        return;
    }
    let world = World::new();
    let bundle = world.bundle("gate", for_me).to_string_lossy().into_owned();
    world.tell(&["--systemd-cgroup", "list"]).ok();
    let ran = world.tell(&["--systemd-cgroup", "create", "-b", &bundle, &world.id("s")]);
    ran.fails(1, &["--systemd-cgroup"]);
    world.assert_clean();
}

#[test]
fn what_does_not_exist_is_deleted_by_force_alone() {
    let world = World::new();
    world.tell(&["delete", "--force", "none"]).ok();
    for command in ["delete", "kill", "pause", "resume", "ps", "events", "update", "state"] {
        world.tell(&[command, "none"]).fails(1, &["does not exist"]);
    }
}

#[test]
fn state_and_list_tell_where_when_and_whose() {
    let world = World::new();
    let (id, pid) = started(&world, "a", "exec sleep 300");
    let state = parsed(&world.tell(&["state", &id]).ok().out);
    let rootfs = world.path("bundle-gate").join("rootfs").to_string_lossy().into_owned();
    assert_eq!(state["rootfs"], rootfs);
    assert_eq!((&state["pid"], &state["status"]), (&pid.into(), &"running".into()));
    assert_eq!(state["owner"], common::shell("id -un").ok().out.trim());
    assert!(shell_date(state["created"].as_str().expect("a time")) < 60);
    let list = parsed(&world.tell(&["list", "--format", "json"]).ok().out);
    assert_eq!(list, json!([state]));
    assert_eq!(world.tell(&["list", "-q"]).ok().out, format!("{id}\n"));
    let table = world.tell(&["list"]).ok().out;
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    assert_eq!(lines[1][..3], [&*id, &pid.to_string(), "running"]);
    world.tell(&["kill", &id, "KILL"]).ok();
    until("it has ended", || status(&world, &id) == "stopped");
    assert_eq!(parsed(&world.tell(&["state", &id]).ok().out)["pid"], 0);
    world.delete(&[&id]).ok();
    world.assert_clean();
}

#[test]
fn list_passes_over_what_a_crash_has_left() {
    let world = World::new();
    fs::create_dir(world.path("state").join("torn")).expect("mkdir");
    let ran = world.tell(&["list", "--format", "json"]).ok();
    assert_eq!((parsed(&ran.out), ran.err.contains("torn")), (json!([]), true), "{}", ran.err);
    world.delete(&["--force", "torn"]).ok();
}

#[test]
fn ps_shows_the_processes_of_the_container_and_no_other() {
    own_view();
    let world = World::new();
    let (id, pid) = started(&world, "a", "sleep 300 & sh -c 'sleep 300 & wait' & wait");
    let pids = || -> Vec<i32> {
        let list = parsed(&world.tell(&["ps", "--format", "json", &id]).ok().out);
        serde_json::from_value(list).expect("numbers")
    };
    until("all four are there", || pids().len() == 4);
    let all = pids();
    assert!(all.contains(&pid));
    let namespace = |pid: &i32| fs::read_link(format!("/proc/{pid}/ns/pid")).expect("a link");
    assert!(all.iter().all(|other| namespace(other) == namespace(&pid)));
    let table = world.tell(&["ps", &id]).ok().out;
    assert_eq!(table.lines().count(), 5, "{table}");
    let table = world.tell(&["ps", &id, "-eo", "user,pid"]).ok().out;
    let mut found: Vec<i32> = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().last().and_then(|word| word.parse().ok()).expect(line))
        .collect();
    found.sort_unstable();
    assert_eq!(found, all);
    world.tell(&["ps", &id, "-eo", "args"]).fails(1, &["no column PID"]);
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn a_paused_container_uses_no_time_and_goes_on_when_it_is_resumed() {
    if !is_root() {
        skip!("freezing takes a cgroup, which an ordinary user has only where one was delegated");
    }
    own_view();
    let world = World::new();
    let (id, pid) = started(&world, "a", "while :; do :; done");
    world.tell(&["resume", &id]).fails(1, &["cannot be resumed: it is running"]);
    assert!(!rests(pid));
    world.tell(&["pause", &id]).ok();
    assert_eq!(read(&world, &id, "cgroup.freeze"), "1");
    assert!(rests(pid), "it runs on");
    assert_eq!(status(&world, &id), "paused");
    world.tell(&["pause", &id]).fails(1, &["cannot be paused: it is paused"]);
    // A signal to all does not let it go on.
    world.tell(&["kill", "--all", &id, "USR1"]).ok();
    assert_eq!(status(&world, &id), "paused");
    world.tell(&["resume", &id]).ok();
    assert_eq!((status(&world, &id).as_str(), rests(pid)), ("running", false));
    world.tell(&["pause", &id]).ok();
    world.tell(&["kill", &id, "KILL"]).ok();
    until("a paused one has ended", || status(&world, &id) == "stopped");
    world.delete(&[&id]).ok();
    world.assert_clean();
}

#[test]
fn without_a_cgroup_nothing_is_paused_limited_or_counted() {
    if has_cgroup2() {
        skip!("this machine has cgroup v2");
    }
    let world = World::new();
    let (id, pid) = started(&world, "a", "sleep 300 & wait");
    world.tell(&["pause", &id]).fails(1, &["has no cgroup"]);
    world.tell(&["update", "--memory", "64M", &id]).fails(1, &["has no cgroup"]);
    world.tell(&["events", "--stats", &id]).fails(1, &["has no cgroup"]);
    until("ps finds the child, too", || {
        let list = parsed(&world.tell(&["ps", "-f", "json", &id]).ok().out);
        list[0] == pid && list.as_array().is_some_and(|list| list.len() == 2)
    });
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

/// `docker update` without a limit.
const AS_DOCKER_SAYS_IT: &str = r#"{"memory": {"limit": 0, "reservation": 0, "kernel": 0},
    "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""}, "blockIO": {"weight": 0}}"#;

#[test]
fn update_takes_a_zero_of_docker_for_what_stays_as_it_is() {
    if !is_root() {
        skip!("an ordinary user has a cgroup only where one was delegated to her");
    }
    own_view();
    let world = World::new();
    let (id, _) = started(&world, "a", "exec sleep 300");
    let path = world.path("resources.json");
    let update = |text: &str| {
        fs::write(&path, text).expect("a file");
        world.tell(&["update", "--resources", &path.to_string_lossy(), &id])
    };
    update(AS_DOCKER_SAYS_IT).ok();
    let config = fs::read_to_string(world.path("state").join(&id).join("config.json"));
    let resources = &parsed(&config.expect("the config"))["linux"]["resources"];
    assert!(resources["memory"]["limit"].is_null() && resources["cpu"]["quota"].is_null());
    update(r#"{"memory": {"swappiness": 0}}"#).fails(1, &["linux.resources.memory.swappiness"]);
    update(r#"{"memory": {"kernel": 1}}"#).fails(1, &["linux.resources.memory.kernel"]);
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn update_writes_the_files_of_the_cgroup_and_remembers() {
    if !["memory", "cpu", "pids", "cpuset"].into_iter().all(has_controller) || !is_root() {
        skip!("limits take cgroup v2 with controllers, and root");
    }
    let world = World::new();
    let (id, _) = started(&world, "a", "exec sleep 300");
    let update = |words: &[&str]| world.tell(&[&["update"], words, &[&id]].concat());
    update(&["--memory", "64M", "--memory-swap", "96M", "--memory-reservation", "32M"]).ok();
    update(&["--cpu-quota", "50000", "--cpu-burst", "1000", "--cpu-shares", "2048"]).ok();
    update(&["--cpuset-cpus", "0", "--cpuset-mems", "0", "--pids-limit", "77"]).ok();
    let expected = [
        ("memory.max", "67108864"),
        ("memory.swap.max", "33554432"),
        ("memory.low", "33554432"),
        ("cpu.max", "50000 100000"),
        ("cpu.max.burst", "1000"),
        ("cpuset.cpus", "0"),
        ("pids.max", "77"),
    ];
    for (file, value) in expected {
        // Without CONFIG_SWAP there is no such file.
        if file != "memory.swap.max" || cgroup(&world, &id).join(file).exists() {
            assert_eq!(read(&world, &id, file), value, "{file}");
        }
    }
    // What was said before is known: the quota stays with another period.
    update(&["--cpu-period", "200000"]).ok();
    assert_eq!(read(&world, &id, "cpu.max"), "50000 200000");
    let path = world.path("resources.json");
    fs::write(&path, AS_DOCKER_SAYS_IT).expect("a file");
    update(&["--resources", &path.to_string_lossy()]).ok();
    assert_eq!(
        ["memory.max", "memory.low", "cpu.max"].map(|file| read(&world, &id, file)),
        ["67108864", "33554432", "50000 200000"]
    );
    fs::write(&path, json!({"memory": {"limit": -1}, "pids": {"limit": -1}}).to_string())
        .expect("");
    update(&["--resources", &path.to_string_lossy()]).ok();
    assert_eq!(
        (read(&world, &id, "memory.max"), read(&world, &id, "pids.max")),
        ("max".into(), "max".into())
    );
    let config = fs::read_to_string(world.path("state").join(&id).join("config.json"));
    let resources = &parsed(&config.expect("the config"))["linux"]["resources"];
    assert_eq!(
        (&resources["memory"]["limit"], &resources["cpu"]["period"]),
        (&json!(-1), &json!(200_000))
    );
    update(&["--cpuset-cpus", "zero"]).fails(1, &["linux.resources.cpu.cpus"]);
    update(&["--pids-limit", "0"]).fails(1, &["linux.resources.pids.limit"]);
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn update_names_the_controller_that_is_missing() {
    if !is_root() {
        skip!("an ordinary user has a cgroup only where one was delegated to her");
    }
    own_view();
    if has_controller("memory") {
        skip!("this machine has the controller");
    }
    let world = World::new();
    let (id, _) = started(&world, "a", "exec sleep 300");
    world.tell(&["update", "--memory", "64M", &id]).fails(1, &["no controller \"memory\""]);
    let config = fs::read_to_string(world.path("state").join(&id).join("config.json"));
    assert!(!config.expect("the config").contains("67108864"), "what failed is not remembered");
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn events_count_what_the_container_uses_until_it_ends() {
    if !is_root() {
        skip!("an ordinary user has a cgroup only where one was delegated to her");
    }
    own_view();
    let world = World::new();
    let (id, _) = started(&world, "a", "while :; do :; done");
    let mut command = world.jec();
    let mut events = command
        .args(["events", "--interval", "100ms", &id])
        .stdout(Stdio::piped())
        .spawn()
        .expect("jec");
    let mut lines = BufReader::new(events.stdout.take().expect("output")).lines();
    let mut line = || parsed(&lines.next().expect("a line").expect("text"));
    let first = line();
    assert_eq!((&first["type"], &first["id"]), (&json!("stats"), &json!(id)));
    let total = |event: &Value| event["data"]["cpu"]["usage"]["total"].as_u64().expect("a number");
    until("it has used 10 ms more", || total(&line()) >= total(&first) + 10_000_000);
    let has = has_controller("memory") && has_controller("pids");
    // Without a limit nobody counts its memory, which is not the same as none; the tasks are there.
    let memory = &first["data"]["memory"];
    let (usage, cache) = (&memory["usage"]["usage"], &memory["cache"]);
    // Where the controller is there, a container before this one may have switched it on for all.
    assert!(usage.is_null() || has && usage.as_u64() > Some(0), "{first}");
    assert_eq!(usage.is_null(), cache.is_null(), "{first}");
    assert_eq!(first["data"]["pids"], json!({"current": 1, "limit": 0}));
    if has {
        // Only what is limited is counted: a cgroup has no other controllers.
        world.tell(&["update", "--memory", "64M", "--pids-limit", "50", &id]).ok();
    }
    let once = parsed(&world.tell(&["events", "--stats", &id]).ok().out);
    assert!(total(&once) >= total(&first) + 10_000_000);
    if has {
        assert_eq!(once["data"]["pids"], json!({"current": 1, "limit": 50}));
        assert_eq!(once["data"]["memory"]["usage"]["limit"], 64 << 20);
    }
    world.tell(&["kill", &id, "KILL"]).ok();
    assert!(events.wait().expect("its end").success());
    world.tell(&["events", &id]).fails(1, &["not running"]);
    world.delete(&[&id]).ok();
    world.assert_clean();
}

#[test]
fn events_tell_of_want_of_memory_at_once() {
    if !has_controller("memory") || !is_root() {
        skip!("limits take cgroup v2 with the controller memory, and root");
    }
    let world = World::new();
    let (id, _) = started(
        &world,
        "a",
        "until [ -e /go ]; do sleep 0.1; done; tail /dev/zero; exec sleep 300",
    );
    world.tell(&["update", "--memory", "16M", &id]).ok();
    let mut command = world.jec();
    command.args(["events", "--interval", "1h", &id]).stdout(Stdio::piped());
    let mut events = command.spawn().expect("jec");
    let mut lines = BufReader::new(events.stdout.take().expect("output")).lines();
    let mut line = || parsed(&lines.next().expect("a line").expect("text"));
    assert_eq!(line()["type"], "stats");
    fs::write(world.path("bundle-gate").join("rootfs/go"), "").expect("a file");
    assert_eq!(line(), json!({"type": "oom", "id": id}));
    world.delete(&["--force", &id]).ok();
    assert!(events.wait().expect("its end").success());
    world.assert_clean();
}

#[test]
fn features_tell_what_create_then_takes() {
    let world = World::new();
    let features = parsed(&world.tell(&["features"]).ok().out);
    assert_eq!(
        (&features["ociVersionMin"], &features["ociVersionMax"]),
        (&json!("1.0.0"), &json!("1.3.0"))
    );
    let texts = |value: &Value| -> Vec<String> {
        serde_json::from_value(value.clone()).unwrap_or_else(|_| panic!("{value}"))
    };
    let words = texts(&features["mountOptions"]);
    for word in ["bind", "ro", "rro", "idmap", "ridmap", "tmpcopyup", "rshared", "nosymfollow"] {
        assert!(words.iter().any(|known| known == word), "{word}");
    }
    let linux = &features["linux"];
    let mut namespaces = texts(&linux["namespaces"]);
    namespaces.sort();
    let all = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"];
    assert_eq!(namespaces, all);
    assert_eq!(linux["cgroup"]["v2"], true);
    let capabilities = texts(&linux["capabilities"]);
    assert_eq!(capabilities.first().map(String::as_str), Some("CAP_CHOWN"));
    // A container with all of the filter's words.
    let seccomp = linux["seccomp"].clone();
    let bundle = world.bundle("gate", |config| {
        sh("true")(config);
        let entry = |action: &String| json!({"names": ["acct"], "action": action});
        let rules = texts(&seccomp["actions"])
            .iter()
            .filter(|name| !name.contains("NOTIFY"))
            .map(entry)
            .collect::<Vec<_>>();
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": seccomp["archs"],
            "flags": seccomp["supportedFlags"],
            "syscalls": rules,
        });
        config["process"]["noNewPrivileges"] = json!(true);
    });
    world.run_bundle(&bundle).ok();
    assert!(texts(&seccomp["knownFlags"]).contains(&"SECCOMP_FILTER_FLAG_LOG".to_owned()));
    world.assert_clean();
}
