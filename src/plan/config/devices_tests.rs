use super::default_rules;
use crate::plan::DeviceKind;
use crate::plan::config::resources::tests::{planned, refusal};

#[test]
fn device_rules_keep_their_order_and_the_defaults_follow_the_last_general_one() {
    let json = r#"{"devices":[{"allow":false,"access":"rwm"},
        {"allow":true,"type":"c","major":10,"minor":229,"access":"rw"},
        {"allow":false,"type":"b","major":8,"minor":-1,"access":"m"}]}"#;
    let rules = planned(json).unwrap().devices;
    let count = default_rules().len();
    assert_eq!(rules.len(), 3 + count);
    assert!(!rules[0].allow && rules[0].kind.is_none());
    assert_eq!(rules[1..=count], default_rules());
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
    assert_eq!(planned("{}").unwrap().devices, default_rules());
}

#[test]
fn a_device_rule_that_means_nothing_is_refused() {
    for (rule, name) in [
        (r#"{"allow":true}"#, "access"),
        (r#"{"allow":true,"access":""}"#, "access"),
        (r#"{"allow":true,"access":"rx"}"#, "access"),
        (r#"{"allow":true,"type":"p","access":"r"}"#, "type"),
        (r#"{"allow":true,"type":"c","major":-2,"access":"r"}"#, "major"),
        (r#"{"allow":true,"type":"c","major":4294967296,"access":"r"}"#, "major"),
    ] {
        let property = format!("linux.resources.devices[0].{name}");
        assert_eq!(refusal(&format!("{{\"devices\":[{rule}]}}")), property);
    }
}
