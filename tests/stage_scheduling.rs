//! Scheduling: when the process runs, and as what.

mod common;

use common::process::{bundle, command, own_users, ran, script};
use common::{Held, World, is_root, until};
use serde_json::{Value, json};

/// Fields 19 and 41 of /proc/PID/stat: nice and policy (proc_pid_stat(5)).
const SEEN: &str = "cut -d' ' -f19,41 /proc/self/stat";

fn stat(text: &str) -> (i32, u32) {
    let fields: Vec<_> = text.rsplit_once(") ").expect("a name").1.split(' ').collect();
    (fields[16].parse().expect("nice"), fields[38].parse().expect("policy"))
}

/// Nice and policy of this process.
fn own() -> (i32, u32) {
    stat(&std::fs::read_to_string("/proc/thread-self/stat").expect("stat"))
}

/// ioprio_get(2) of a process: class above bit 13.
#[allow(unsafe_code)]
fn io_priority(pid: i32) -> i64 {
    // SAFETY: only numbers are passed. 1 is IOPRIO_WHO_PROCESS of <linux/ioprio.h>.
    unsafe { libc::syscall(libc::SYS_ioprio_get, 1, pid) }
}

fn sleeping(world: &World, change: impl FnOnce(&mut Value)) -> Held {
    let bundle = bundle(world, "scheduling", |config| {
        command(config, &["sleep", "60"]);
        change(config);
    });
    world.hold(&["--bundle", &bundle.to_string_lossy(), &world.id("held")])
}

fn nothing(config: &mut Value) {
    let process = config["process"].as_object_mut().expect("process");
    process.remove("scheduler");
    process.remove("ioPriority");
    config["linux"].as_object_mut().expect("linux").remove("personality");
}

/// jec inherits the nice value of the tests, and a higher one anybody may set.
fn nicer(config: &mut Value) {
    config["process"]["scheduler"]["nice"] = json!(19);
}

#[test]
fn the_example_is_a_background_process_on_a_32_bit_machine() {
    let ran = ran("scheduling", nicer).ok();
    assert_eq!(ran.out, "19 3\nidle\ni686\n");
}

#[test]
fn the_host_sees_what_the_configuration_says_and_without_it_what_jec_had() {
    let world = World::new();
    let held = sleeping(&world, nicer);
    assert_eq!(stat(&held.proc("stat")), (19, 3));
    assert_eq!(io_priority(held.pid), 3 << 13, "IOPRIO_CLASS_IDLE");
    let world = World::new();
    let held = sleeping(&world, nothing);
    assert_eq!(stat(&held.proc("stat")), own());
    assert_eq!(io_priority(held.pid), io_priority(0));
    let machine = ran("scheduling", |config| {
        nothing(config);
        command(config, &["uname", "-m"]);
    });
    assert_ne!(machine.ok().out, "i686\n");
}

#[test]
fn an_idle_process_is_idle() {
    let ran = ran("scheduling", |config| {
        config["process"]["scheduler"] = json!({"policy": "SCHED_IDLE"});
        config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 6});
        script(config, &format!("{SEEN}; ionice -p $$"));
    });
    let out = ran.ok().out;
    assert!(out.ends_with(" 5\nbest-effort: prio 6\n"), "{out}");
}

#[test]
fn a_real_time_process_has_its_policy_and_resets_it_on_fork_if_asked() {
    if !is_root() {
        skip!("a real-time policy takes CAP_SYS_NICE over the host");
    }
    let change = |flags: Value| {
        move |config: &mut Value| {
            let scheduler = json!({"policy": "SCHED_FIFO", "priority": 7, "flags": flags});
            config["process"]["scheduler"] = scheduler;
            // Field 40 is the real-time priority. cut is a child, the shell is not.
            let own = "read -r line < /proc/self/stat; set -- $line; echo ${40} ${41}";
            script(config, &format!("{own}; cut -d' ' -f40,41 /proc/self/stat; true"));
        }
    };
    let kept = ran("scheduling", change(json!([])));
    if kept.err.contains("sched_setattr") && kept.err.contains("EPERM") {
        skip!("this machine's cgroup v1 has no real-time runtime for us");
    }
    assert_eq!(kept.ok().out, "7 1\n7 1\n");
    let reset = ran("scheduling", change(json!(["SCHED_FLAG_RESET_ON_FORK"]))).ok();
    assert_eq!(reset.out, "7 1\n0 0\n");
}

#[test]
fn what_takes_a_privilege_over_the_host_is_refused_in_a_user_namespace_by_name() {
    let below = json!({"policy": "SCHED_OTHER", "nice": -5});
    let real = json!({"policy": "SCHED_FIFO", "priority": 1});
    for scheduler in [below, real] {
        let change = |own: bool| {
            let scheduler = scheduler.clone();
            move |config: &mut Value| {
                if own && is_root() {
                    own_users(config);
                }
                config["process"]["scheduler"] = scheduler;
                command(config, &["true"]);
            }
        };
        let words = ["scheduling (init): sched_setattr(", "EPERM", "CAP_SYS_NICE"];
        ran("scheduling", change(true)).fails(1, &words);
        if is_root() && scheduler["policy"] == "SCHED_OTHER" {
            ran("scheduling", change(false)).ok();
        }
    }
}

#[test]
fn a_process_with_a_deadline_has_it_and_cannot_fork() {
    if !is_root() {
        skip!("a deadline takes CAP_SYS_NICE over the host");
    }
    let change = |flags: Value| {
        move |config: &mut Value| {
            // Nanoseconds: 1 of 100 ms.
            config["process"]["scheduler"] = json!({"policy": "SCHED_DEADLINE", "flags": flags,
                "runtime": 1_000_000, "deadline": 100_000_000, "period": 100_000_000});
            let own = "read -r line < /proc/self/stat; set -- $line; echo ${41}";
            script(config, &format!("{own}; ls / > /dev/null; echo $?"));
        }
    };
    let refused = ran("scheduling", change(json!([])));
    let words = ["EPERM", "EBUSY"];
    if refused.err.contains("sched_setattr") && words.iter().any(|w| refused.err.contains(w)) {
        skip!("this machine admits no deadline: {}", refused.err);
    }
    assert!(refused.out.starts_with("6\n") && refused.code != 0, "{refused:?}");
    let allowed = ran("scheduling", change(json!(["SCHED_FLAG_RESET_ON_FORK"]))).ok();
    assert_eq!(allowed.out, "6\n0\n");
}

#[test]
fn a_value_that_the_policy_does_not_have_is_refused_before_anything_is_made() {
    for (property, value, scheduler) in [
        ("nice", 1, json!({"policy": "SCHED_FIFO", "priority": 1})),
        ("nice", 20, json!({"policy": "SCHED_OTHER"})),
        ("priority", 5, json!({"policy": "SCHED_BATCH"})),
        ("runtime", 5, json!({"policy": "SCHED_DEADLINE", "deadline": 1})),
    ] {
        let ran = ran("scheduling", |config| {
            config["process"]["scheduler"] = scheduler.clone();
            config["process"]["scheduler"][property] = json!(value);
        });
        let ran = ran.fails(1, &[&format!("process.scheduler.{property}: ")]);
        assert!(!ran.err.contains("(init)"), "{}", ran.err);
    }
}

/// The processors that a process may use, as /proc/PID/status has them.
fn allowed(status: &str) -> &str {
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.expect("a list").trim()
}

#[test]
fn a_memory_policy_is_that_of_the_process_and_of_a_further_one() {
    if std::fs::metadata("/proc/self/numa_maps").is_err() {
        println!("SKIPPED: this kernel knows one memory only");
        return;
    }
    let world = World::new();
    let bundle = bundle(&world, "scheduling", |config| {
        nothing(config);
        command(config, &["sleep", "60"]);
        config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "0"});
    });
    let held = world.hold_bundle(&bundle);
    let bound = |maps: &str| {
        // What the kernel itself has put there has no policy of the process.
        let own: Vec<_> = maps.lines().filter(|line| !line.contains("default")).collect();
        own.len() > 3 && own.iter().all(|line| line.contains(" bind:0"))
    };
    assert!(bound(&held.proc("numa_maps")), "{}", held.proc("numa_maps"));
    let further = world.tell(&["exec", &world.id("b"), "cat", "/proc/self/numa_maps"]).ok().out;
    assert!(bound(&further), "{further}");
    let without = sleeping(&World::new(), nothing).proc("numa_maps");
    assert!(without.lines().all(|line| line.contains(" default")), "{without}");
}

#[test]
fn memory_of_a_node_that_is_not_there_is_an_error_and_leaves_nothing() {
    let ran = ran("scheduling", |config| {
        nothing(config);
        config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "1023"});
    });
    ran.fails(1, &["scheduling (init): set_mempolicy(", "EINVAL", "likely:"]);
}

#[test]
fn the_processors_of_exec_are_not_those_of_process_1() {
    let own = std::fs::read_to_string("/proc/self/status").expect("status");
    if !allowed(&own).starts_with("0-") {
        println!("SKIPPED: it takes two processors, 0 and 1");
        return;
    }
    let world = World::new();
    let bundle = bundle(&world, "scheduling", |config| {
        nothing(config);
        command(config, &["sleep", "60"]);
        config["process"]["execCPUAffinity"] = json!({"initial": "0", "final": "1"});
    });
    let held = world.hold_bundle(&bundle);
    assert_eq!(allowed(&held.proc("status")), allowed(&own), "process 1 is not concerned");
    let id = world.id("b");
    until("the state says running", || world.state(&id)["status"] == "running");
    // Of the further process, and of jec, which made it and waits for it.
    let look = "cat /proc/self/status";
    assert_eq!(allowed(&world.tell(&["exec", &id, "sh", "-c", look]).ok().out), "1");
    let told = world.tell(&["exec", "--explain", &id, "true"]).ok().err;
    let calls: Vec<_> = told.lines().filter(|line| line.contains("sched_setaffinity")).collect();
    assert_eq!(calls.len(), 2, "{told}");
    assert!(calls[0].contains("[0]") && calls[1].contains("[1]"), "{calls:?}");
    let place = |text: &str| told.find(text).unwrap_or_else(|| panic!("no {text:?} in {told}"));
    assert!(place("sched_setaffinity") < place("spawn-middle"), "jec moves before the process is");
    let file = world.path("process.json");
    let only_first = json!({
        "args": ["cat", "/proc/self/status"], "cwd": "/", "env": ["PATH=/bin"],
        "user": {"uid": 0, "gid": 0}, "execCPUAffinity": {"initial": "0"}
    });
    std::fs::write(&file, only_first.to_string()).expect("a file");
    let further = world.tell(&["exec", "-p", &file.to_string_lossy(), &id]).ok().out;
    assert_eq!(allowed(&further), allowed(&own), "without `final`: all that the cgroup has");
}
