//! `--trace`: what was done, in order, over all processes, and what it did to the kernel's state.

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use common::{Ran, World, for_me, has_cgroup2, is_root, sh, until};
use serde_json::{Value, json};

fn bundle(world: &World, script: &str) -> String {
    let bundle = world.bundle("exec", |config| {
        for_me(config);
        sh(script)(config);
    });
    bundle.to_string_lossy().into_owned()
}

/// The lines of a trace, each a whole one.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the trace");
    assert!(text.ends_with('\n'), "the last line is cut");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// A traced run of the example `exec`, with this flags.
fn traced(world: &World, name: &str, script: &str, flags: &[&str]) -> (Ran, Vec<Value>) {
    let (trace, id) = (world.path(name), world.id("t"));
    let (bundle, trace_text) = (bundle(world, script), trace.to_string_lossy().into_owned());
    let ran = world.run(&[&["--trace", &trace_text], flags, &["--bundle", &bundle, &id]].concat());
    let lines = lines(&trace);
    (ran, lines)
}

fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

/// What the kernel said of a process right after this stage.
fn state_after(lines: &[Value], of: &str, stage: &str) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    // jec begins anew once it is sealed.
    let begin = lines.iter().rposition(|line| line["event"] == "begin").expect("a begin");
    let mut passed = false;
    for line in &lines[begin..] {
        if line["event"] == "stage" && passed {
            break;
        }
        passed |= line["event"] == "stage" && line["stage"] == stage;
        if line["event"] != "state" {
            continue;
        }
        let name = line["of"].as_str().expect("a name");
        if let Some(from) = line["from"].as_str() {
            let copy = all[from].clone();
            all.insert(name.into(), copy);
        }
        let facts = all.entry(name.into()).or_default();
        for (key, change) in line["changed"].as_object().expect("changes") {
            assert_eq!(facts.get(key).map(String::as_str), change[0].as_str(), "{key}: {line}");
            match change[1].as_str() {
                Some(value) => drop(facts.insert(key.clone(), value.into())),
                None => drop(facts.remove(key)),
            }
        }
    }
    assert!(passed, "{stage} did not happen");
    all.remove(of).unwrap_or_default()
}

#[test]
fn every_line_is_what_the_schema_says() {
    let world = World::new();
    let (ran, lines) = traced(&world, "t", "exit 3", &[]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    let text = include_str!("../src/microscope/trace.schema.json");
    let schema: Value = serde_json::from_str(text).expect("JSON");
    for (number, line) in lines.iter().enumerate() {
        schema::check(&schema, line).unwrap_or_else(|problem| panic!("{line}\n{problem}"));
        assert_eq!(line["sequence"], number);
    }
    for event in ["begin", "stage", "call", "state"] {
        assert!(!of(&lines, event).is_empty(), "{event}");
    }
    assert_eq!(lines.last().expect("lines")["code"], 3);
    // The schema refuses what is not in it.
    let mut wrong = of(&lines, "call")[0].clone();
    wrong["side"] = json!("outside");
    assert!(schema::check(&schema, &wrong).is_err());
    let mut wrong = of(&lines, "state")[0].clone();
    wrong["changed"]["nonsense"] = json!([null, "x"]);
    assert!(schema::check(&schema, &wrong).is_err());
    world.assert_clean();
}

#[test]
fn calls_of_all_three_processes_stand_in_the_order_of_the_stages() {
    let world = World::new();
    let (ran, lines) = traced(&world, "t", "true", &[]);
    ran.ok();
    let stages: Value =
        serde_json::from_str(&world.tell(&["stages", "--json"]).ok().out).expect("JSON");
    let stages = stages.as_array().expect("a list");
    let place = |line: &Value| stages.iter().position(|stage| stage["name"] == line["stage"]);
    let passed: Vec<_> = of(&lines, "stage").into_iter().skip(1).filter_map(place).collect();
    assert!(passed.is_sorted_by(|a, b| a < b), "{passed:?}");
    let calls = of(&lines, "call");
    for side in ["runtime", "middle", "init"] {
        assert!(calls.iter().any(|call| call["side"] == side), "{side}");
    }
    for call in &calls {
        assert!(call["args"].get("?").is_none(), "arguments without names: {call}");
        if let Some(stage) = place(call).map(|at| &stages[at]) {
            // A process that has just been made waits for the baton.
            let waits = call["call"] == "recvmsg";
            assert!(waits || call["side"] == stage["side"], "{call}");
            assert_eq!(call["chapter"], stage["chapter"]);
            assert!(call["why"].as_str().is_some_and(|why| !why.is_empty()), "{call}");
        }
        let source = fs::read_to_string(call["file"].as_str().expect("a file")).expect("source");
        let line = usize::try_from(call["line"].as_u64().expect("a line")).expect("few");
        assert!(source.lines().count() >= line, "{call}");
    }
    // In the stage itself, where it makes the call itself.
    let pivot = calls.iter().find(|call| call["call"] == "pivot_root").expect("pivot_root");
    assert_eq!(pivot["file"], "src/stages/pivot_root.rs");
    let source = fs::read_to_string("src/stages/pivot_root.rs").expect("source");
    let line = usize::try_from(pivot["line"].as_u64().expect("a line")).expect("few");
    assert!(source.lines().nth(line - 1).expect("the line").contains("mount::pivot_root("));
    assert_eq!(pivot["args"], json!({"new_root": ".", "put_old": "."}));
    // Behind the filter, up to the program.
    let last = calls.iter().rfind(|call| call["side"] == "init").expect("calls of init");
    assert_eq!((&last["stage"], &last["call"]), (&json!("exec"), &json!("execve")));
    // A clock that never goes back within a process.
    let times: Vec<_> = calls.iter().filter(|call| call["side"] == "init").collect();
    assert!(times.is_sorted_by_key(|call| call["time"].as_i64()));
    world.assert_clean();
}

#[test]
fn each_border_shows_what_the_stage_has_changed() {
    let world = World::new();
    let (ran, lines) = traced(&world, "t", "sleep 0.2", &["--explain"]);
    assert!(ran.ok().err.contains("pivot_root"), "--explain explains as well");
    let after = |stage: &str| state_after(&lines, "init", stage);
    let (born, end) = (after("spawn-init"), after("fds"));
    let runtime = state_after(&lines, "runtime", "spawn-init");
    for kind in ["mnt", "pid", "uts", "ipc", "net"] {
        let key = format!("namespace.{kind}");
        assert_ne!(born[&key], runtime[&key], "{kind}");
    }
    assert_eq!((&*born["parent"], &*born["pid.inside"]), ("runtime", "1"));
    assert_ne!(born["session"], "init");
    assert_eq!(after("session")["session"], "init");
    assert_eq!(born["network.addresses"], "");
    assert!(after("network")["network.addresses"].contains("127.0.0.1"));
    let set = |stage: &str, set: &str| after(stage)[&format!("capabilities.{set}")].clone();
    assert_eq!(set("pivot-root", "bounding"), born["capabilities.bounding"]);
    assert_ne!(set("bounding", "bounding"), born["capabilities.bounding"]);
    assert_eq!(set("bounding", "effective"), born["capabilities.effective"]);
    assert_ne!(set("capabilities", "effective"), born["capabilities.effective"]);
    assert_eq!(end["no_new_privs"], "0");
    assert_eq!(after("no-new-privs")["no_new_privs"], "1");
    assert_eq!(end["seccomp.mode"], "0");
    let (before, behind) = (after("devices"), after("pivot-root"));
    assert!(before.keys().any(|key| key.starts_with("mount.") && key.ends_with("/rootfs/proc")));
    assert!(!behind.keys().any(|key| key.contains("/rootfs")), "{behind:?}");
    assert_ne!(before["mount./"], behind["mount./"]);
    for key in
        ["umask", "ids.uid", "limit.open_files", "oom_score_adj", "uid_map", "gid_map", "cgroup"]
    {
        assert!(end.contains_key(key), "{key}");
    }
    assert_eq!(born["hostname"], runtime["hostname"]);
    if is_root() {
        let proc = |(key, value): (&String, &String)| {
            key.starts_with("descriptor.") && value.starts_with("/proc ")
        };
        assert!(after("devices").iter().any(proc) && !end.iter().any(proc), "{end:?}");
        let open = |state: &BTreeMap<String, String>| {
            let far = |(key, value): &(&String, &String)| {
                let number = key.strip_prefix("descriptor.").and_then(|n| n.parse::<i32>().ok());
                number.is_some_and(|number| number > 2) && !value.contains("close-on-exec")
            };
            state.iter().filter(far).count()
        };
        assert_eq!(open(&end), 0, "{end:?}");
        assert_eq!(open(&state_after(&lines, "program", "exec")), 0);
    } else {
        // Not dumpable, init is closed to the user who runs it.
        assert_eq!(end["descriptors"], "(EACCES)");
        assert_eq!(state_after(&lines, "middle", "user-namespace")["namespace.user"], "user:2");
    }
    world.assert_clean();
}

#[test]
fn names_of_the_machine_and_the_filter_are_seen_to_change() {
    let world = World::new();
    let trace = world.path("t").to_string_lossy().into_owned();
    let rootfs = common::rootfs().to_string_lossy().into_owned();
    let words = ["--trace", &trace, "--hostname", "microscope", &rootfs, "sleep", "0.2"];
    world.run(&words).ok();
    let lines = lines(Path::new(&trace));
    assert_eq!(state_after(&lines, "init", "no-new-privs")["seccomp.mode"], "0");
    assert_eq!(state_after(&lines, "init", "seccomp")["seccomp.mode"], "2");
    let call = of(&lines, "call").into_iter().find(|call| call["call"] == "sethostname");
    assert_eq!(call.expect("sethostname")["args"]["name"], "microscope");
    let host_name = |stage: &str| state_after(&lines, "init", stage)["hostname"].clone();
    assert_ne!(host_name("pivot-root"), "microscope");
    assert_eq!(host_name("kernel-params"), "microscope");
    // A container without a name of its own is called after jec's number.
    let text = lines.iter().skip_while(|line| line["event"] != "stage").map(Value::to_string);
    let text: String = text.filter(|line| !line.contains("\"begin\"")).collect();
    assert!(text.contains("jec-runtime"), "{text}");
    let pid = of(&lines, "begin")[0]["pid"].to_string();
    assert!(!text.contains(&format!("jec-{pid}")), "{pid}");
    world.assert_clean();
}

/// What of a trace does not depend on the moment: without times, results of calls that wait or
/// read, and what the host did meanwhile.
fn canonical(lines: &[Value]) -> Vec<String> {
    let mut out = Vec::new();
    for line in lines {
        let mut line = line.clone();
        let fields = line.as_object_mut().expect("an object");
        fields.remove("time");
        fields.remove("sequence");
        let call = fields.get("call").and_then(Value::as_str).unwrap_or_default().to_owned();
        let waits = ["poll", "waitid", "recvmsg"].contains(&&*call);
        // Containers of other tests come and go beside ours.
        let shared: &[&str] =
            if has_cgroup2() { &["plan", "cgroup", "kill-all", "remove"] } else { &[] };
        let is_late = ["running", "program-runs"].iter().chain(shared).any(|stage| {
            fields.get("stage").is_some_and(|found| found == stage) && fields["event"] == "call"
        });
        if fields["event"] == "begin"
            || waits
            || is_late
            || fields.get("of") == Some(&json!("program"))
        {
            continue;
        }
        // A pid in a file may have a digit more.
        if ["read", "write"].contains(&&*call) {
            fields.remove("result");
            fields.get_mut("args").and_then(Value::as_object_mut).map(|args| args.remove("count"));
        }
        if let Some(changed) = fields.get_mut("changed").and_then(Value::as_object_mut) {
            // Of the host, other tests change it.
            changed.retain(|key, _| !key.starts_with("mount.") || key.contains("rootfs"));
        }
        out.push(line.to_string());
    }
    out
}

#[test]
fn two_traces_of_one_container_are_equal_but_for_the_time() {
    let world = World::new();
    let traces = ["a", "b"].map(|name| {
        let (trace, rootfs) = (world.path("t"), common::rootfs());
        let flags = ["--trace", &*trace.to_string_lossy(), &*rootfs.to_string_lossy(), "true"];
        world.run(&flags).ok();
        fs::rename(&trace, world.path(name)).expect("renamed");
        canonical(&lines(&world.path(name)))
    });
    assert!(traces[0].len() > 200);
    for (one, other) in traces[0].iter().zip(&traces[1]) {
        assert_eq!(one, other);
    }
    assert_eq!(traces[0].len(), traces[1].len());
}

#[test]
fn the_file_is_private_begins_anew_and_is_not_needed_by_the_container() {
    let world = World::new();
    let trace = world.path("t");
    fs::write(&trace, "of another time\n").expect("written");
    fs::set_permissions(&trace, fs::Permissions::from_mode(0o600)).expect("mode");
    let (ran, lines) = traced(&world, "t", "ls -l /proc/self/fd | wc -l", &[]);
    let traced_fds = ran.ok().out;
    assert_eq!(lines[0]["event"], "begin");
    fs::remove_file(&trace).expect("removed");
    traced(&world, "t", "true", &[]).0.ok();
    assert_eq!(fs::metadata(&trace).expect("the trace").permissions().mode() & 0o777, 0o600);
    let plain =
        world.run(&["--bundle", &bundle(&world, "ls -l /proc/self/fd | wc -l"), &world.id("p")]);
    assert_eq!(plain.ok().out, traced_fds);
    let nowhere = world.path("no/such/file").to_string_lossy().into_owned();
    let words = ["--trace", &nowhere, "--bundle", &bundle(&world, "true"), &world.id("n")];
    world.run(&words).fails(1, &["no/such/file", "ENOENT"]);
    world.assert_clean();
}

#[test]
fn who_is_killed_leaves_whole_lines_and_no_observer() {
    let world = World::new();
    let trace = world.path("t");
    let bundle = bundle(&world, "sleep 100");
    let mut command = world.jec();
    command.args(["run", "--trace"]).arg(&trace).args(["--pid-file"]).arg(world.path("pid"));
    command.args(["--bundle", &bundle, &world.id("k")]);
    let held = world.hold_command(command);
    until("the program's line", || {
        lines(&trace).iter().any(|line| line["stage"] == "program-runs")
    });
    held.signal(nix::sys::signal::Signal::SIGKILL);
    held.wait();
    let found = lines(&trace);
    assert!(of(&found, "end").is_empty(), "it was cut off");
    assert!(!of(&found, "state").is_empty());
    world.tell(&["delete", "--force", &world.id("k")]).ok();
    // The observer too: its command line names this world.
    world.assert_clean();
}

#[test]
fn a_container_that_rests_is_traced_to_its_program() {
    let world = World::new();
    let (trace, id) = (world.path("t"), world.id("r"));
    let bundle = bundle(&world, "sleep 100");
    let mut command = world.jec();
    command.args(["create", "--trace"]).arg(&trace).args(["--bundle", &bundle, &id]);
    world.ran_aside(command).ok();
    let stages = || -> Vec<String> {
        let lines = lines(&trace);
        of(&lines, "stage").iter().map(|line| line["stage"].to_string()).collect()
    };
    assert!(stages().contains(&"\"gate\"".into()) && !stages().contains(&"\"exec\"".into()));
    std::thread::sleep(Duration::from_millis(50));
    world.tell(&["start", &id]).ok();
    until("execve", || {
        lines(&trace).iter().any(|line| line["call"] == "execve" && line["stage"] == "exec")
    });
    // Another process has one of its own.
    let second = world.path("x").to_string_lossy().into_owned();
    let words = ["exec", "--trace", &second, &id, "true"];
    world.tell(&words).ok();
    let lines = lines(Path::new(&second));
    let entered = of(&lines, "call").into_iter().filter(|call| call["call"] == "setns").count();
    assert!(entered >= 1, "{lines:?}");
    world.tell(&["delete", "--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn a_filter_that_forbids_to_write_ends_neither_the_trace_nor_the_container() {
    let world = World::new();
    let trace = world.path("t").to_string_lossy().into_owned();
    let bundle = world.bundle("seccomp", |config| {
        for_me(config);
        // `true` of a static busybox needs no write, no futex, no clock.
        config["process"]["args"] = json!(["true"]);
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
            "syscalls": [{
                "names": ["write", "writev", "futex", "clock_gettime", "sendmsg", "mmap", "openat", "nanosleep", "sched_yield"],
                "action": "SCMP_ACT_KILL_PROCESS",
            }],
        });
    });
    world.run(&["--trace", &trace, "--bundle", &bundle.to_string_lossy(), &world.id("f")]).ok();
    let lines = lines(Path::new(&trace));
    let last = of(&lines, "call").into_iter().rfind(|call| call["side"] == "init").expect("calls");
    assert_eq!(last["call"], "execve");
    assert_eq!(state_after(&lines, "init", "seccomp")["seccomp.mode"], "2");
    world.assert_clean();
}

#[test]
fn a_trace_that_cannot_be_written_costs_the_trace_and_not_the_container() {
    let world = World::new();
    let bundle = bundle(&world, "echo out");
    let words = ["--trace", "/dev/full", "--bundle", &bundle, &world.id("d")];
    let ran = world.run(&words).ok();
    assert_eq!(ran.out, "out\n");
    assert!(ran.err.contains("--trace: the file could not be written"), "{}", ran.err);
    // A device or a pipe is as good as a file: `--trace /dev/stderr`.
    let words = ["--trace", "/dev/stderr", "--bundle", &bundle, &world.id("e")];
    let ran = world.run(&words).ok();
    assert!(ran.err.contains("\"call\":\"pivot_root\""), "{}", ran.err);
    world.assert_clean();
}

#[test]
fn a_container_with_clocks_of_its_own_has_times_of_the_host() {
    let world = World::new();
    let (trace, id) = (world.path("t"), world.id("c"));
    let bundle = world.bundle("time-namespace", |config| {
        for_me(config);
        config["process"]["args"] = json!(["true"]);
    });
    let words = ["--trace", &*trace.to_string_lossy(), "--bundle", &*bundle.to_string_lossy(), &id];
    world.run(&words).ok();
    let lines = lines(&trace);
    let begin = lines.iter().rposition(|line| line["event"] == "begin").expect("a begin");
    for line in &lines[begin..] {
        let time = line["time"].as_i64().expect("a time");
        assert!((0..100_000_000_000).contains(&time), "{line}");
    }
    world.assert_clean();
}
