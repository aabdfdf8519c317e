//! What depends on a namespace, and what may pass with a warning.

use nix::sched::CloneFlags;
use serde_json::{Value, json};

use super::{changed, error, is_root};
use crate::plan::MountKind;

#[test]
fn empty_texts_and_lists_of_what_is_not_supported_are_no_error() {
    let empty = [
        ("/process/apparmorProfile", json!("")),
        ("/process/selinuxLabel", json!("")),
        ("/linux/mountLabel", json!("")),
        ("/linux/netDevices", json!({})),
        ("/hooks", json!({"poststop": []})),
        ("/linux/rootfsPropagation", json!("")),
        ("/hostname", json!("")),
    ];
    assert!(changed(&empty).is_ok());
}

#[test]
fn a_console_size_is_ignored_without_a_terminal() {
    let large = json!({"height": 70_000, "width": 1});
    let plan = changed(&[("/process/terminal", json!(false)), ("/process/consoleSize", large)]);
    assert_eq!(plan.unwrap().process.console_size, None);
}

#[test]
fn sysctls_need_the_namespace_that_they_belong_to() {
    if !is_root() {
        return;
    }
    let only = |kinds: &[&str]| {
        let list: Vec<Value> = kinds.iter().map(|kind| json!({"type": kind})).collect();
        let alone = json!({"destination": "/proc", "type": "proc"});
        vec![
            ("/linux/namespaces", json!(list)),
            ("/linux/uidMappings", Value::Null),
            ("/linux/gidMappings", Value::Null),
            ("/linux/timeOffsets", Value::Null),
            ("/hostname", Value::Null),
            ("/domainname", Value::Null),
            ("/mounts", json!([alone])),
        ]
    };
    let cases = [
        ("net.core.somaxconn", "network"),
        ("net/ipv4/ip_forward", "network"),
        ("kernel.msgmax", "ipc"),
        ("fs.mqueue.msg_max", "ipc"),
        ("kernel.domainname", "uts"),
    ];
    for (key, kind) in cases {
        let mut changes = only(&["mount", kind]);
        changes.push(("/linux/sysctl", json!({key: "1"})));
        assert!(changed(&changes).is_ok(), "{key}");
        changes[0] = only(&["mount"]).swap_remove(0);
        let found = error(&changes);
        assert!(found.contains("is not the container's own"), "{key}: {found}");
    }
    for key in ["kernel.core_pattern", "vm.swappiness", "kernel.shmmaxx", "kernel.msgmax/x", "net"]
    {
        let found = error(&[("/linux/sysctl", json!({key: "1"}))]);
        assert!(found.contains("belongs to no namespace"), "{key}: {found}");
    }
    let twice = json!({"net.core.somaxconn": "1", "net/core/somaxconn": "2"});
    assert!(error(&[("/linux/sysctl", twice)]).contains("is given twice"));
    let name = json!({"kernel.hostname": "other"});
    assert_eq!(error(&[("/linux/sysctl", name)]), "hostname: is also set in linux.sysctl");
}

#[test]
fn a_namespace_path_that_leads_to_our_own_protects_nothing() {
    let join = |kind: &str, file: &str| json!([{"type": "mount"}, {"type": "user"}, {"type": kind, "path": format!("/proc/self/ns/{file}")}]);
    let offsets = ("/linux/timeOffsets", Value::Null);
    let uts = error(&[("/linux/namespaces", join("uts", "uts")), offsets.clone()]);
    assert!(uts.starts_with("hostname: needs a uts namespace"), "{uts}");
    let names = [("/hostname", Value::Null), ("/domainname", Value::Null), offsets];
    let mut changes = names.to_vec();
    changes.push(("/linux/namespaces", join("network", "net")));
    let sysctl = ("/linux/sysctl", json!({"net.core.somaxconn": "1"}));
    changes.push(sysctl);
    let found = error(&changes);
    assert!(found.contains("would change the host"), "{found}");
    let mount = json!([{"type": "mount", "path": "/proc/self/ns/mnt"}]);
    let found = error(&[("/linux/namespaces", mount)]);
    assert!(found.starts_with("linux.namespaces: needs one of type mount"), "{found}");
}

#[test]
fn joined_namespaces_come_in_an_order_that_works() {
    let paths = json!([
        {"type": "mount"}, {"type": "network", "path": "/n"}, {"type": "pid", "path": "/p"},
        {"type": "user", "path": "/u"}, {"type": "ipc", "path": ""},
    ]);
    let names = [("/hostname", Value::Null), ("/domainname", Value::Null)];
    let mut changes = names.to_vec();
    changes.extend([
        ("/linux/namespaces", paths),
        ("/linux/timeOffsets", Value::Null),
        ("/linux/sysctl", json!({})),
    ]);
    let plan = changed(&changes).unwrap();
    let order: Vec<_> = plan.namespaces.joined.iter().map(|(_, path)| path.as_c_str()).collect();
    assert_eq!(order, [c"/u", c"/p", c"/n"]);
    assert!(plan.namespaces.makes(CloneFlags::CLONE_NEWIPC));
    assert_eq!(plan.warnings.len(), 2, "{:?}", plan.warnings);
    assert!(plan.namespaces.ids.uids.is_empty());
}

#[test]
fn maps_and_offsets_without_their_namespace_are_refused() {
    if !is_root() {
        return;
    }
    let mount = ("/linux/namespaces", json!([{"type": "mount"}]));
    let found = error(std::slice::from_ref(&mount));
    assert_eq!(found, "linux.uidMappings: there is no user namespace to map ids for");
    let found =
        error(&[mount, ("/linux/uidMappings", Value::Null), ("/linux/gidMappings", Value::Null)]);
    assert!(found.starts_with("linux.timeOffsets: needs a new time namespace"), "{found}");
}

#[test]
fn a_configured_device_takes_the_place_of_the_default_one() {
    let device =
        |path: &str| json!({"path": path, "type": "c", "major": 1, "minor": 3, "fileMode": 0o600});
    let list = json!([device("//dev/./null"), device("/opt/null"), device("/dev/ptmx")]);
    let plan = changed(&[("/linux/devices", list)]).unwrap();
    let null: Vec<_> = plan.devices.iter().filter(|device| *device.path == *c"/dev/null").collect();
    assert_eq!((null.len(), null[0].mode), (1, 0o600));
    assert_eq!(plan.devices.len(), 7);
    assert_eq!(plan.warnings.len(), 1);
    let found = error(&[("/linux/devices", json!([device("/a"), device("/a/")]))]);
    assert_eq!(found, "linux.devices[1].path: is given twice");
}

#[test]
fn what_may_pass_is_said_in_a_warning() {
    let cases = [
        ("/mounts/0/destination", json!("proc"), "mounts[0].destination: proc is taken from /"),
        (
            "/mounts/3/options",
            json!(["bind"]),
            "mounts[3].options: the mappings should come with idmap",
        ),
        (
            "/mounts/3/options",
            json!(["bind", "idmap", "sync"]),
            "mounts[3].options: sync has no effect here",
        ),
        (
            "/mounts/0/options",
            json!(["iversion"]),
            "mounts[0].options: iversion has no effect here",
        ),
        ("/process/user/username", json!("root"), "process.user.username: "),
        ("/ociVersion", json!("1.9.0"), "ociVersion: 1.9.0 is newer than 1.3"),
    ];
    for (pointer, value, message) in cases {
        let plan = changed(&[(pointer, value)]).unwrap();
        assert_eq!(plan.warnings.len(), 1, "{:?}", plan.warnings);
        assert!(plan.warnings[0].starts_with(message), "{:?}", plan.warnings);
    }
}

#[test]
fn a_block_device_is_read_only_down_to_its_superblock() {
    let mount = |source: &str| json!({"destination": "/d", "type": "ext4", "source": source, "options": ["ro"]});
    for (source, count) in [("/dev/vda", 1), ("sysfs", 0)] {
        let plan = changed(&[("/mounts/0", mount(source))]).unwrap();
        let MountKind::New { parameters, .. } = &plan.mounts[0].kind else {
            panic!("not new");
        };
        assert_eq!(parameters.len(), count, "{source}");
    }
}
