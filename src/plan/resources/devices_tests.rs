use super::super::cgroup;
use super::super::tests::{linux, refusal};
use super::default_devices;
use crate::plan::DeviceKind;

#[test]
fn device_rules_keep_their_order_and_the_defaults_follow_the_last_general_one() {
    let json = r#"{"devices":[{"allow":false,"access":"rwm"},
        {"allow":true,"type":"c","major":10,"minor":229,"access":"rw"},
        {"allow":false,"type":"b","major":8,"minor":-1,"access":"m"}]}"#;
    let rules = cgroup(&linux(json)).unwrap().devices;
    let count = default_devices().len();
    assert_eq!(rules.len(), 3 + count);
    assert!(!rules[0].allow && rules[0].kind.is_none());
    assert_eq!(rules[1..=count], default_devices());
    let fuse = rules[count + 1];
    assert_eq!(
        (fuse.kind, fuse.major, fuse.minor),
        (Some(DeviceKind::Character), Some(10), Some(229))
    );
    assert_eq!((fuse.read, fuse.write, fuse.mknod), (true, true, false));
    assert_eq!((rules[count + 2].major, rules[count + 2].minor), (Some(8), None));
}

#[test]
fn without_rules_only_the_default_devices_are_open() {
    assert_eq!(cgroup(&linux("{}")).unwrap().devices, default_devices());
}

#[test]
fn a_device_rule_that_means_nothing_is_refused() {
    for rule in [
        r#"{"allow":true}"#,
        r#"{"allow":true,"access":""}"#,
        r#"{"allow":true,"access":"rx"}"#,
        r#"{"allow":true,"type":"p","access":"r"}"#,
        r#"{"allow":true,"type":"c","major":-2,"access":"r"}"#,
        r#"{"allow":true,"type":"c","major":4294967296,"access":"r"}"#,
    ] {
        assert_eq!(refusal(&format!("{{\"devices\":[{rule}]}}")), "linux.resources.devices");
    }
}
