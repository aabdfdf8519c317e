//! With the real kernel: each test has a mount namespace of its own in which
//! cgroup2 is mounted on /sys/fs/cgroup, whatever the machine has there.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::plan::{self, DeviceKind, DeviceRule};

/// A thread's own view of cgroup2; false, with the reason, where that cannot be had.
fn view() -> bool {
    let none = None::<&str>;
    let private = unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none));
    let done = match detect() {
        // A second mount of it on the same place would be EBUSY.
        Ok(Support::Unified(_)) => private,
        _ => private.and_then(|()| {
            mount(Some("cgroup2"), "/sys/fs/cgroup", Some("cgroup2"), MsFlags::empty(), none)
        }),
    };
    if let Err(errno) = done {
        eprintln!("skipped: no view of cgroup2 of our own ({errno})");
    }
    done.is_ok()
}

fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn placed(plan: &plan::Cgroup, id: &str) -> Placement {
    match place(plan, id).unwrap() {
        Place::At(placement) => placement,
        Place::Nowhere { why } => panic!("{why}"),
    }
}

fn made(plan: &plan::Cgroup) -> Cgroup {
    placed(plan, &unique()).make().unwrap().0
}

/// A shell that enters the cgroup and runs `script`.
fn shell(cgroup: &Cgroup, script: &str) -> Child {
    let text = format!("echo $$ > /sys/fs/cgroup{}/cgroup.procs || exit 9; {script}", cgroup.path);
    Command::new("sh").args(["-c", &text]).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_populated(cgroup: &Cgroup) {
    let deadline = soon();
    while cgroup.is_empty().unwrap() {
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn a_cgroup_is_made_filled_killed_and_removed_and_leaves_nothing() {
    if !view() {
        return;
    }
    let id = unique();
    let placement = placed(&plan::Cgroup::default(), &id);
    assert_eq!(placement.path, format!("/jec/{id}"));
    assert!(Cgroup::open(&placement.path).unwrap().is_none());
    let (cgroup, _) = placement.make().unwrap();
    assert!(cgroup.is_empty().unwrap() && cgroup.oom_kills().unwrap() == 0);
    let mut child = shell(&cgroup, "sleep 1000 & setsid sleep 1000 & wait");
    wait_populated(&cgroup);
    assert!(cgroup.processes().unwrap().contains(&child.id().cast_signed()));
    // In use: it can be taken neither by another container nor by rmdir.
    assert!(matches!(place(&plan::Cgroup::default(), &id), Err(Error::State { .. })));
    assert!(is(&cgroup.remove(Instant::now()).unwrap_err(), Errno::EBUSY));
    let again = Cgroup::open(&cgroup.path).unwrap().unwrap();
    again.kill().unwrap();
    assert!(again.wait_empty(soon()).unwrap());
    again.remove(soon()).unwrap();
    again.remove(soon()).unwrap();
    assert!(Cgroup::open(&again.path).unwrap().is_none());
    child.wait().unwrap();
}

#[test]
fn removing_waits_for_a_process_that_is_about_to_end() {
    if !view() {
        return;
    }
    let cgroup = made(&plan::Cgroup::default());
    let mut child = shell(&cgroup, "sleep 0.3");
    wait_populated(&cgroup);
    cgroup.remove(soon()).unwrap();
    assert!(Cgroup::open(&cgroup.path).unwrap().is_none());
    child.wait().unwrap();
}

#[test]
fn a_wait_ends_at_its_deadline() {
    if !view() {
        return;
    }
    let cgroup = made(&plan::Cgroup::default());
    let mut child = shell(&cgroup, "exec sleep 1000");
    wait_populated(&cgroup);
    let begin = Instant::now();
    assert!(!cgroup.wait_empty(begin + Duration::from_millis(50)).unwrap());
    assert!(
        begin.elapsed() >= Duration::from_millis(50) && begin.elapsed() < Duration::from_secs(2)
    );
    cgroup.kill().unwrap();
    cgroup.remove(soon()).unwrap();
    child.wait().unwrap();
}

#[test]
fn nested_cgroups_of_the_container_are_killed_and_removed_however_deep() {
    if !view() {
        return;
    }
    let cgroup = made(&plan::Cgroup::default());
    let mut dir = format!("/sys/fs/cgroup{}", cgroup.path);
    for _ in 0..400 {
        for name in ["a", "b"] {
            std::fs::create_dir(format!("{dir}/{name}")).unwrap();
        }
        dir += "/a";
    }
    let script = format!("echo $$ > {dir}/cgroup.procs && sleep 1000");
    let mut child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    wait_populated(&cgroup);
    // The way of kernels before 5.14.
    cgroup.kill_each().unwrap();
    cgroup.remove(soon()).unwrap();
    assert!(Cgroup::open(&cgroup.path).unwrap().is_none());
    child.wait().unwrap();
}

#[test]
fn a_frozen_container_stands_still_goes_on_and_can_be_killed_frozen() {
    if !view() {
        return;
    }
    let cgroup = made(&plan::Cgroup::default());
    let mut child = shell(&cgroup, "exec sleep 1000");
    wait_populated(&cgroup);
    assert!(cgroup.freeze(soon()).unwrap());
    assert!(cgroup.thaw(soon()).unwrap());
    assert!(cgroup.freeze(soon()).unwrap());
    cgroup.kill().unwrap();
    cgroup.remove(soon()).unwrap();
    child.wait().unwrap();
}

/// What a shell with these device rules says to `script`.
fn with_rules(rules: Vec<DeviceRule>, script: &str) -> (bool, String) {
    let plan = plan::Cgroup { devices: rules, ..plan::Cgroup::default() };
    let (cgroup, program) = placed(&plan, &unique()).make().unwrap();
    assert_eq!(program, DeviceProgram::Attached);
    let output = shell(&cgroup, script).wait_with_output().unwrap();
    cgroup.remove(soon()).unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_kernel_enforces_the_device_rules() {
    if !view() {
        return;
    }
    let rule = |allow, minor, read, write| DeviceRule {
        allow,
        kind: Some(DeviceKind::Character),
        major: Some(1),
        minor: Some(minor),
        read,
        write,
        mknod: false,
    };
    let mut rules = plan::resources::default_devices();
    assert!(with_rules(rules.clone(), "head -c 1 /dev/zero | cat > /dev/null").0);
    let (done, error) = with_rules(rules.clone(), ": < /dev/kmsg");
    assert!(!done && error.contains("Operation not permitted"), "{error}");
    rules.push(rule(false, 5, false, true));
    assert!(with_rules(rules.clone(), ": < /dev/zero").0);
    assert!(!with_rules(rules.clone(), ": > /dev/zero").0);
    // Read and write at once, where only writing is denied.
    assert!(!with_rules(rules.clone(), ": <> /dev/zero").0);
    assert!(with_rules(vec![rule(true, 5, true, false)], ": < /dev/zero").0);
    assert!(!with_rules(vec![rule(true, 5, true, false)], ": < /dev/null").0);
    assert!(!with_rules(vec![rule(false, 5, true, false)], ": < /dev/null").0);
}

#[test]
fn a_limit_without_its_controller_is_refused_before_anything_is_made() {
    if !view() {
        return;
    }
    let path = format!("/{}/inner", unique());
    let plan = plan::Cgroup {
        path: Some(path.clone()),
        limits: vec![("nonesuch.max".into(), "1".into())],
        ..plan::Cgroup::default()
    };
    let error = place(&plan, "x").err().unwrap().to_string();
    assert!(error.contains("no controller \"nonesuch\""), "{error}");
    assert!(Cgroup::open(path.trim_end_matches("/inner")).unwrap().is_none());
}

#[test]
fn limits_are_written_read_back_and_in_force() {
    if !view() {
        return;
    }
    let has = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap();
    let mut limits = vec![("cgroup.max.depth", "3")];
    // (controller, file, value): those that this machine has.
    for (controller, file, value) in [
        ("hugetlb", "hugetlb.2MB.max", "4194305"),
        ("hugetlb", "hugetlb.2MB.rsvd.max", "4194304"),
        ("memory", "memory.max", "16777217"),
        ("memory", "memory.low", "4096"),
        ("memory", "memory.max", "9223372036854775807"),
        ("memory", "memory.max", "16777216"),
        ("memory", "memory.swap.max", "max"),
        ("memory", "memory.oom.group", "1"),
        ("cpu", "cpu.weight", "59"),
        ("cpu", "cpu.max", "50000 100000"),
        ("cpu", "cpu.max.burst", "1000"),
        ("cpu", "cpu.max", "max"),
        ("cpuset", "cpuset.cpus", "0"),
        ("cpuset", "cpuset.mems", "0"),
        ("pids", "pids.max", "3"),
    ] {
        if has.split_whitespace().any(|word| word == controller) {
            limits.push((file, value));
        } else {
            eprintln!("skipped: {file}, no controller {controller}");
        }
    }
    let owned = limits.iter().map(|(file, value)| ((*file).into(), (*value).into())).collect();
    let plan = plan::Cgroup { limits: owned, ..plan::Cgroup::default() };
    let cgroup = made(&plan);
    if has.contains("pids") {
        let mut child = shell(&cgroup, "for i in 1 2 3 4; do sleep 0.1 & done; wait");
        assert!(!child.wait().unwrap().success(), "a fourth process");
    }
    if has.contains("memory") {
        let mut child = shell(&cgroup, "tail -c 100000000 /dev/zero > /dev/null");
        assert!(!child.wait().unwrap().success());
        assert!(cgroup.oom_kills().unwrap() >= 1);
    }
    cgroup.remove(soon()).unwrap();
}

#[test]
fn a_value_that_the_kernel_refuses_names_its_file() {
    if !view() {
        return;
    }
    let plan = plan::Cgroup {
        limits: vec![("cgroup.max.depth".into(), "-3".into())],
        ..plan::Cgroup::default()
    };
    let placement = placed(&plan, &unique());
    let path = placement.path.clone();
    let error = placement.make().err().unwrap().to_string();
    assert!(error.contains("cgroup.max.depth") && error.contains("-3"), "{error}");
    Cgroup::open(&path).unwrap().unwrap().remove(soon()).unwrap();
}

#[test]
fn an_ancestor_with_processes_cannot_hand_controllers_down() {
    if !view() {
        return;
    }
    let has = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap();
    let Some(controller) = has.split_whitespace().find(|name| *name != "cpuset") else {
        eprintln!("skipped: no controller at all");
        return;
    };
    let outer = made(&plan::Cgroup::default());
    let mut child = shell(&outer, "exec sleep 1000");
    wait_populated(&outer);
    let plan = plan::Cgroup {
        path: Some(format!("{}/inner", outer.path)),
        limits: vec![(format!("{controller}.2MB.max"), "max".into())],
        ..plan::Cgroup::default()
    };
    let error = place(&plan, "x").err().unwrap().to_string();
    assert!(error.contains("has processes of its own"), "{error}");
    outer.kill().unwrap();
    outer.remove(soon()).unwrap();
    child.wait().unwrap();
}

#[test]
fn many_containers_come_and_go_at_once() {
    let work = || {
        if view() {
            for _ in 0..50 {
                made(&plan::Cgroup::default()).remove(soon()).unwrap();
            }
        }
    };
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work)).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn what_is_not_cgroup2_alone_is_told_by_its_name() {
    if !view() {
        return;
    }
    let none = None::<&str>;
    let why = || match detect().unwrap() {
        Support::Unified(_) => "cgroup2".into(),
        Support::Absent { why } => why,
    };
    assert_eq!(why(), "cgroup2");
    mount(Some("tmpfs"), "/sys/fs/cgroup", Some("tmpfs"), MsFlags::empty(), none).unwrap();
    assert!(why().ends_with("is cgroup v1"));
    std::fs::create_dir("/sys/fs/cgroup/unified").unwrap();
    mount(Some("cgroup2"), "/sys/fs/cgroup/unified", Some("cgroup2"), MsFlags::empty(), none)
        .unwrap();
    assert!(why().contains("hybrid"));
    let limited =
        plan::Cgroup { limits: vec![("pids.max".into(), "9".into())], ..plan::Cgroup::default() };
    assert!(matches!(place(&limited, "x"), Err(Error::Machine { .. })));
    assert!(matches!(place(&plan::Cgroup::default(), "x"), Ok(Place::Nowhere { .. })));
}

/// The first cgroup on the way to our own, and whether this (ordinary) user owns it; none for
/// root and where cgroup2 is not alone.
fn delegated() -> Option<(String, bool)> {
    use std::os::unix::fs::MetadataExt;
    let uid = crate::sys::cgroupfs::effective_uid();
    if uid == 0 || !matches!(detect(), Ok(Support::Unified(_))) {
        eprintln!("skipped: needs an ordinary user and cgroup2 alone");
        return None;
    }
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let first = own.trim().split('/').nth(1).unwrap().to_owned();
    let owner = std::fs::metadata(format!("/sys/fs/cgroup/{first}")).unwrap().uid();
    Some((first, owner == uid))
}

#[test]
fn rootless_limits_work_in_the_topmost_part_that_was_delegated() {
    let Some((first, true)) = delegated() else {
        return;
    };
    let plan = plan::Cgroup {
        limits: vec![("pids.max".into(), "3".into()), ("memory.max".into(), "16777216".into())],
        devices: plan::resources::default_devices(),
        ..plan::Cgroup::default()
    };
    let id = unique();
    let placement = placed(&plan, &id);
    assert_eq!(placement.path, format!("/{first}/jec/{id}"));
    let (cgroup, program) = placement.make().unwrap();
    assert_eq!(program, DeviceProgram::Unprivileged);
    let mut child = shell(&cgroup, "for i in 1 2 3 4; do sleep 0.1 & done; wait");
    assert!(!child.wait().unwrap().success(), "a fourth process");
    cgroup.remove(soon()).unwrap();
    let outside = plan::Cgroup { path: Some("/elsewhere".into()), ..plan };
    assert!(matches!(place(&outside, "x"), Err(Error::Machine { .. })));
}

#[test]
fn rootless_limits_without_delegation_are_refused_with_the_cure() {
    let Some((_, false)) = delegated() else {
        return;
    };
    assert!(matches!(place(&plan::Cgroup::default(), "x"), Ok(Place::Nowhere { .. })));
    let limited =
        plan::Cgroup { limits: vec![("pids.max".into(), "3".into())], ..plan::Cgroup::default() };
    let error = place(&limited, "x").err().unwrap().to_string();
    assert!(error.contains("pids.max") && error.contains("Delegate=yes"), "{error}");
}

/// Not a test of meaning: what a cgroup costs, printed. Run it with --ignored --nocapture.
#[test]
#[ignore = "a measurement"]
fn the_cost_of_a_cgroup() {
    if !view() {
        return;
    }
    let plan = plan::Cgroup::default();
    let ruled = plan::Cgroup { devices: plan::resources::default_devices(), ..plan.clone() };
    for (name, plan) in [("bare", &plan), ("device program", &ruled)] {
        let (mut make, mut remove) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..200 {
            let begin = Instant::now();
            let cgroup = made(plan);
            make += begin.elapsed();
            let begin = Instant::now();
            cgroup.remove(soon()).unwrap();
            remove += begin.elapsed();
        }
        eprintln!("{name}: place and make {:?}, remove {:?}", make / 200, remove / 200);
    }
    let (mut at_once, mut later) = (Duration::ZERO, Duration::ZERO);
    for (age, sum) in [(0, &mut at_once), (30, &mut later)] {
        for _ in 0..20 {
            let cgroup = made(&plan);
            let mut child = shell(&cgroup, "exec sleep 1000");
            wait_populated(&cgroup);
            std::thread::sleep(Duration::from_millis(age));
            let begin = Instant::now();
            cgroup.kill().unwrap();
            assert!(cgroup.wait_empty(soon()).unwrap());
            *sum += begin.elapsed();
            child.wait().unwrap();
            cgroup.remove(soon()).unwrap();
        }
    }
    eprintln!("kill until empty: at once {:?}, after 30 ms {:?}", at_once / 20, later / 20);
}
