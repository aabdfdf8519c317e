//! Limits and device rules.

use super::*;

/// What a shell with these device rules says to `script`.
fn with_rules(rules: Vec<DeviceRule>, script: &str) -> (bool, String) {
    let plan = plan::Cgroup { devices: rules, ..plan::Cgroup::default() };
    let cgroup = made(&plan);
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
    let mut rules = plan::default_devices();
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
    let error = refused(&plan, "x").to_string();
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
    if has.contains("memory") && std::path::Path::new("/proc/swaps").exists() {
        // What does not fit must not go there instead.
        limits.push(("memory.swap.max", "0"));
    }
    let owned = limits.iter().map(|(file, value)| ((*file).into(), (*value).into())).collect();
    let plan = plan::Cgroup { limits: owned, ..plan::Cgroup::default() };
    let cgroup = made(&plan);
    if has.contains("pids") {
        let mut child = shell(&cgroup, "for i in 1 2 3 4; do sleep 0.1 & done; wait");
        assert!(!child.wait().unwrap().success(), "a fourth process");
        // Those that it did start are counted until they end.
        assert!(cgroup.wait_empty(soon()).unwrap());
    }
    if has.contains("memory") {
        let mut child = shell(&cgroup, "tail /dev/zero");
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
    let limited = plan::Cgroup {
        limits: vec![("cgroup.max.depth".into(), "-3".into())],
        ..plan::Cgroup::default()
    };
    let plan = plan(&limited, &unique());
    let placement = place(&plan).unwrap().unwrap();
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
    let error = refused(&plan, "x").to_string();
    assert!(error.contains("has processes of its own"), "{error}");
    outer.kill().unwrap();
    outer.remove(soon()).unwrap();
    child.wait().unwrap();
}
