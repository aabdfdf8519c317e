//! Without privileges, and without cgroup2.

use super::*;

#[test]
fn what_is_not_cgroup2_alone_is_told_by_its_name() {
    if !view() {
        return;
    }
    let none = None::<&str>;
    let why = || if root().unwrap().is_some() { "cgroup2" } else { instead() };
    assert_eq!(why(), "cgroup2");
    mount(Some("tmpfs"), "/sys/fs/cgroup", Some("tmpfs"), MsFlags::empty(), none).unwrap();
    assert!(why().ends_with("is cgroup v1"));
    std::fs::create_dir("/sys/fs/cgroup/unified").unwrap();
    mount(Some("cgroup2"), "/sys/fs/cgroup/unified", Some("cgroup2"), MsFlags::empty(), none)
        .unwrap();
    assert!(why().contains("hybrid"));
    let limited =
        plan::Cgroup { limits: vec![("pids.max".into(), "9".into())], ..plan::Cgroup::default() };
    assert!(matches!(refused(&limited, "x"), Error::Machine { .. }));
    assert!(nowhere());
}

/// Whether a container without limits gets no cgroup, and is made all the same.
fn nowhere() -> bool {
    matches!(place(&plan(&plan::Cgroup::default(), "x")), Ok(Err(_)))
}

/// The first cgroup on the way to our own, and whether this (ordinary) user owns it; none for
/// root and where cgroup2 is not alone.
fn delegated() -> Option<(String, bool)> {
    use std::os::unix::fs::MetadataExt;
    let uid = crate::sys::credentials::geteuid();
    if uid == 0 || !matches!(root(), Ok(Some(_))) {
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
    let limited = plan::Cgroup {
        limits: vec![("pids.max".into(), "3".into()), ("memory.max".into(), "16777216".into())],
        devices: plan::default_devices(),
        ..plan::Cgroup::default()
    };
    let id = unique();
    let mut plan = plan(&limited, &id);
    let placement = place(&plan).unwrap().unwrap();
    assert_eq!(placement.path, format!("/{first}/jec/{id}"));
    // Nobody would enforce the device rules; in a user namespace nobody has to.
    assert!(matches!(placement.make(), Err(Error::Machine { .. })));
    plan.namespaces.new = vec![CloneFlags::CLONE_NEWUSER];
    let cgroup = place(&plan).unwrap().unwrap().make().unwrap();
    let mut child = shell(&cgroup, "for i in 1 2 3 4; do sleep 0.1 & done; wait");
    assert!(!child.wait().unwrap().success(), "a fourth process");
    cgroup.remove(soon()).unwrap();
    let outside = plan::Cgroup { path: Some("/elsewhere".into()), ..limited };
    assert!(matches!(refused(&outside, "x"), Error::Machine { .. }));
}

#[test]
fn rootless_limits_without_delegation_are_refused_with_the_cure() {
    let Some((_, false)) = delegated() else {
        return;
    };
    assert!(nowhere());
    let limited =
        plan::Cgroup { limits: vec![("pids.max".into(), "3".into())], ..plan::Cgroup::default() };
    let error = refused(&limited, "x").to_string();
    assert!(error.contains("pids.max") && error.contains("Delegate=yes"), "{error}");
}
