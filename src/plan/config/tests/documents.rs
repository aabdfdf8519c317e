//! Documents as wholes: what other tools write, what is no document at all.

use std::ffi::CString;
use std::fs;
use std::path::Path;

use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use serde_json::json;

use super::{FULL, Plan, changed, full, is_root, plan};
use crate::plan::{DeviceKind, MountKind};
use crate::sys::constants::CLONE_NEWTIME;

const RUNC: &str = include_str!("../../../../tests/configs/runc-1.1.5.json");
const CRUN: &str = include_str!("../../../../tests/configs/crun-1.8.1.json");
const PODMAN: &str = include_str!("../../../../tests/configs/podman-rootless.json");
const CONTAINERD: &str = include_str!("../../../../tests/configs/containerd-pod.json");

#[test]
fn what_other_tools_write_becomes_a_plan() {
    if !is_root() {
        return;
    }
    for (name, text) in
        [("runc", RUNC), ("crun", CRUN), ("podman", PODMAN), ("containerd", CONTAINERD)]
    {
        let plan = plan(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(plan.config, text, "{name}");
        assert!(plan.namespaces.makes(CloneFlags::CLONE_NEWNS), "{name}");
        assert!(plan.mounts.iter().any(|mount| mount.kind == MountKind::Cgroup), "{name}");
        assert!(plan.masked_paths.contains(&c"/proc/kcore".into()), "{name}");
        assert_eq!(plan.devices.len(), 6, "{name}");
    }
}

#[test]
fn the_default_of_runc_warns_of_its_ambient_set_and_of_nothing_else() {
    if !is_root() {
        return;
    }
    let warnings = plan(RUNC).unwrap().warnings;
    let [only] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    assert!(only.starts_with("process.capabilities.ambient: without CAP_KILL"), "{only}");
}

#[test]
fn the_full_configuration_arrives_in_the_kernels_numbers() {
    let plan = plan(FULL).unwrap();
    assert_eq!(plan.warnings, [""; 0]);
    let every = [
        CloneFlags::CLONE_NEWNS,
        CloneFlags::CLONE_NEWPID,
        CloneFlags::CLONE_NEWNET,
        CloneFlags::CLONE_NEWIPC,
        CloneFlags::CLONE_NEWUTS,
        CloneFlags::CLONE_NEWUSER,
        CloneFlags::CLONE_NEWCGROUP,
        CLONE_NEWTIME,
    ];
    assert!(every.iter().all(|flag| plan.namespaces.makes(*flag)));
    assert_eq!(plan.namespaces.clock_offsets, [("boottime", -5, 0), ("monotonic", 100, 5)]);
    assert_eq!(plan.root.propagation, MsFlags::MS_PRIVATE.bits());
    assert!(plan.root.readonly);
    assert!(plan.root.path.to_str().unwrap().ends_with("/rootfs"));
    assert_eq!(plan.process.args, ["sh", "-c", "true"].map(|text| CString::new(text).unwrap()));
    assert_eq!(plan.process.console_size, Some((25, 80)));
    assert_eq!(plan.process.user.groups, [5, 6]);
    assert_eq!(plan.process.user.umask, 0o077);
    assert_eq!(plan.process.io_priority, Some(0x6004));
    assert_eq!(plan.process.oom_score_adj, Some(100));
    assert_eq!(plan.process.personality, Some(8));
    assert_eq!(plan.process.scheduler.map(|found| found.flags), Some(0x7f));
    assert_eq!(plan.kernel.hostname.as_deref(), Some(c"name"));
    assert_eq!(plan.kernel.sysctl[0].0.as_c_str(), c"kernel/shmmax");
    assert_eq!(
        plan.annotations,
        [("a".into(), String::new()), ("org.example.b".into(), "2".into())]
    );
    let fuse = plan.devices.last().unwrap();
    assert_eq!(
        (fuse.kind, fuse.major, fuse.minor, fuse.mode),
        (DeviceKind::Character, 10, 229, 0o660)
    );
    let kinds: Vec<_> = plan.mounts.iter().map(|mount| &mount.kind).collect();
    assert!(matches!(kinds[0], MountKind::New { fstype, .. } if **fstype == *c"proc"));
    assert!(matches!(kinds[1], MountKind::New { parameters, .. } if parameters.len() == 2));
    assert!(plan.mounts[1].copy_up);
    assert_eq!(kinds[2], &MountKind::Cgroup);
    assert!(
        matches!(kinds[3], MountKind::Bind { recursive: true, source } if **source == *c"/etc")
    );
    assert!(plan.mounts[3].idmap.as_ref().is_some_and(|idmap| idmap.recursive));
    assert_eq!(kinds[4], &MountKind::Remount);
}

#[test]
fn relative_paths_start_at_the_bundle() {
    let bundle = tempfile::tempdir().unwrap();
    fs::create_dir(bundle.path().join("rootfs")).unwrap();
    let mut document = full();
    document["mounts"][3]["source"] = json!("data");
    fs::write(bundle.path().join("config.json"), document.to_string()).unwrap();
    let plan = Plan::from_bundle("test", bundle.path()).unwrap();
    let inside = |name: &str| bundle.path().canonicalize().unwrap().join(name);
    assert_eq!(plan.bundle, inside(""));
    assert_eq!(Path::new(plan.root.path.to_str().unwrap()), inside("rootfs"));
    let MountKind::Bind { source, .. } = &plan.mounts[3].kind else {
        panic!("no bind");
    };
    assert_eq!(Path::new(source.to_str().unwrap()), inside("data"));
}

#[test]
fn a_bundle_that_cannot_be_read_is_named_with_the_cure() {
    let bundle = tempfile::tempdir().unwrap();
    let shown = bundle.path().canonicalize().unwrap().join("config.json");
    let message = |bundle: &Path| Plan::from_bundle("test", bundle).unwrap_err().to_string();
    assert_eq!(
        message(bundle.path()),
        format!("{}: does not exist; `jec spec > config.json` makes one", shown.display())
    );
    assert!(message(&bundle.path().join("none")).contains("none is not a directory: "));
    nix::unistd::mkfifo(&shown, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert_eq!(message(bundle.path()), format!("{}: is not a regular file", shown.display()));
    fs::remove_file(&shown).unwrap();
    fs::create_dir(&shown).unwrap();
    assert_eq!(message(bundle.path()), format!("{}: is not a regular file", shown.display()));
}

#[test]
fn a_document_that_is_none_says_where_it_breaks() {
    let deep = "[".repeat(100_000);
    let cases: [(&[u8], &str); 7] = [
        (b"", "config.json: is not JSON: EOF while parsing a value at line 1 column 0"),
        (
            b"{\n  \"ociVersion\": \"1.0",
            "config.json: is not JSON: EOF while parsing a string at line 2 column 20",
        ),
        (
            deep.as_bytes(),
            "config.json: is not JSON: recursion limit exceeded at line 1 column 128",
        ),
        (b"\xff", "config.json: is not UTF-8"),
        (b"\xef\xbb\xbf{}", "config.json: is not JSON: expected value at line 1 column 1"),
        (b"[]", "config.json: is not an object"),
        (b"{} {}", "config.json: is not JSON: trailing characters at line 1 column 4"),
    ];
    for (text, message) in cases {
        let error = plan(text).unwrap_err().to_string();
        assert!(error.ends_with(message), "{error}");
    }
    let large = vec![b' '; (4 << 20) + 1];
    let error = plan(large).unwrap_err().to_string();
    assert!(error.ends_with("config.json: is larger than 4194304 bytes"), "{error}");
}

#[test]
fn unknown_properties_are_ignored() {
    let odd = json!({"a": [null]});
    for pointer in ["/unknown", "/linux/unknown", "/process/commandLine2", "/mounts/0/unknown"] {
        assert!(changed(&[(pointer, odd.clone())]).is_ok(), "{pointer}");
    }
}
