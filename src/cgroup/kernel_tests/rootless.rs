//! Without privileges, and without cgroup2.

use super::*;

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
    let uid = crate::sys::credentials::geteuid();
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
        devices: plan::default_devices(),
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
