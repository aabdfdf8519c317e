//! One wrong value each, and the error that names it.

use serde_json::{Value, json};

use super::{error, full, plan};

/// JSON pointer into the full configuration, the value put there (null: taken away), and how the
/// error begins.
const RULES: &str = r#"
/ociVersion "2.0.0" => ociVersion: 2.0.0 is incompatible with 1.x
/ociVersion 1 => ociVersion: invalid type: integer `1`, expected a string
/root/path "none" => root.path: none is not a directory: openat(
/root/path "config.json" => root.path: config.json is not a directory: openat(
/root/path "/a\u0000b" => root.path: has a NUL byte
/annotations {"": "x"} => annotations: has an empty key
/hostname "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" => hostname: is longer than 64 bytes
/hostname "a\u0000" => hostname: has a NUL byte

/mounts/0/destination "" => mounts[0].destination: is empty
/mounts/0/destination "/a\u0000b" => mounts[0].destination: has a NUL byte
/mounts/0/type null => mounts[0].type: is missing
/mounts/0/source "////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////" => mounts[0].source: fsconfig(2) takes
/mounts/0/options [3] => mounts[0].options[0]: invalid type
/mounts/0/options ["tmpcopyup"] => mounts[0].options: tmpcopyup:
/mounts/0/options ["idmap"] => mounts[0].options: idmap: jec shifts
/mounts/2/options ["size=1"] => mounts[2].options: "size=1" is no mount option
/mounts/3/options ["bind", "size=1"] => mounts[3].options: "size=1" is no mount option
/mounts/3/source null => mounts[3].source: a bind mount needs one
/mounts/3/source "/a\u0000b" => mounts[3].source: has a NUL byte
/mounts/3/gidMappings null => mounts[3].uidMappings: must be given along with
/mounts/3/uidMappings/0/size 0 => mounts[3].uidMappings[0].size: maps nothing
/mounts/4/options ["remount", "size=1"] => mounts[4].options: "size=1"

/process/args [] => process.args: names no program
/process/args ["a\u0000"] => process.args[0]: has a NUL byte
/process/env ["A=b", "x"] => process.env[1]: "x" is not NAME=value
/process/env ["=x"] => process.env[0]: "=x" is not NAME=value
/process/env ["A=\u0000"] => process.env[0]: has a NUL byte
/process/cwd "rel" => process.cwd: "rel" is not an absolute path
/process/cwd "" => process.cwd: "" is not an absolute path
/process/consoleSize/width 65536 => process.consoleSize.width: 65536 is not 0 to 65535
/process/user/uid -1 => process.user.uid: invalid value: integer `-1`, expected u32
/process/user/uid "1" => process.user.uid: invalid type: string
/process/user/uid 4294967295 => process.user.uid: 4294967295 is not an id
/process/user/uid 4294967296 => process.user.uid: invalid value
/process/user/uid 70000 => process.user.uid: 70000 is not mapped
/process/user/gid 70000 => process.user.gid: 70000 is not mapped
/process/user/additionalGids [0, 70000] => process.user.additionalGids[1]: 70000
/process/user/umask 512 => process.user.umask: 0o1000 is above
/process/oomScoreAdj 1001 => process.oomScoreAdj: 1001 is not
/process/oomScoreAdj -1001 => process.oomScoreAdj: -1001 is not
/process/rlimits/0/type "RLIMIT_X" => process.rlimits[0].type: there is no RLIMIT_X
/process/capabilities ["CAP_KILL"] => process.capabilities: is not an object
/process/capabilities/bounding [1] => process.capabilities.bounding[0]: invalid type
/process/apparmorProfile 1 => process.apparmorProfile: invalid type
/process/selinuxLabel "l\u0000" => process.selinuxLabel: has a NUL byte
/process/execCPUAffinity {"initial": "0-"} => process.execCPUAffinity.initial: "0-" is not a list
/process/execCPUAffinity {"final": 3} => process.execCPUAffinity.final: invalid type

/linux/namespaces [{"type": "mount"}, {"type": "network"}, {"type": "network"}] => linux.namespaces[2].type: a second network namespace
/linux/namespaces/0/type "net" => linux.namespaces[0].type: unknown variant `net`
/linux/namespaces/0/path "ns" => linux.namespaces[0].path: "ns" is not an absolute
/linux/namespaces [] => linux.namespaces: needs one of type mount
/linux/uidMappings [] => linux.uidMappings: a new user namespace without it
/linux/gidMappings null => linux.gidMappings: a new user namespace without it
/linux/uidMappings/0/hostID null => linux.uidMappings[0].hostID: is missing
/linux/uidMappings/0/hostID -1 => linux.uidMappings[0].hostID: invalid value
/linux/uidMappings/0/size 4294967295 => linux.uidMappings[0]: goes beyond
/linux/timeOffsets {"realtime": {}} => linux.timeOffsets.realtime: is neither
/linux/timeOffsets/monotonic/nanosecs 1000000000 => linux.timeOffsets.monotonic.nanosecs:
/linux/devices/0/type "a" => linux.devices[0].type: "a" is no type of a node
/linux/devices/0/type "x" => linux.devices[0].type: unknown variant `x`
/linux/devices/0/path "dev/x" => linux.devices[0].path: "dev/x" is not an absolute
/linux/devices/0/path "/dev/../x" => linux.devices[0].path: /dev/../x names no node
/linux/devices/0/major 4096 => linux.devices[0].major: 4096 is not 0 to 4095
/linux/devices/0/minor -1 => linux.devices[0].minor: -1 is not 0 to 1048575
/linux/devices/0/fileMode 25008 => linux.devices[0].fileMode: 0o60660 is not
/linux/devices/0/uid 70000 => linux.devices[0].uid: 70000 is not mapped
/linux/maskedPaths ["/a", "b"] => linux.maskedPaths[1]: "b" is not an absolute
/linux/readonlyPaths ["/a\u0000"] => linux.readonlyPaths[0]: has a NUL byte
/linux/rootfsPropagation "ro" => linux.rootfsPropagation: "ro" is not shared
/linux/personality/flags ["X"] => linux.personality.flags:
/linux/personality/domain "BSD" => linux.personality.domain: unknown variant `BSD`
/linux/mountLabel "l\u0000" => linux.mountLabel: has a NUL byte
/linux/netDevices {"eth0": {"name": 1}} => linux.netDevices.eth0.name: invalid type
/linux/netDevices {"eth0": {"name": "a/b"}} => linux.netDevices.eth0: "a/b" is no name
/linux/netDevices {"eth0": {"name": ".."}} => linux.netDevices.eth0: ".." is no name
/linux/netDevices {"eth0": {"name": "a b"}} => linux.netDevices.eth0: "a b" is no name
/linux/netDevices {"eth0": {"name": "a%dx"}} => linux.netDevices.eth0: "a%dx" is no name
/linux/netDevices {"eth0": {"name": "sixteen-letters-"}} => linux.netDevices.eth0: "sixteen-letters-" is no name
/linux/netDevices {"": {}} => linux.netDevices.: "" is no name
/linux/netDevices {"a": {"name": "x"}, "x": {}} => linux.netDevices.x: another device is to be called "x"
/linux/netDevices {"a\u0000": {}} => linux.netDevices.a
/linux/intelRdt {"closID": "a/b"} => linux.intelRdt.closID: "a/b" is no name of a group
/linux/intelRdt {"closID": "//"} => linux.intelRdt.closID: "//" is no name of a group
/linux/intelRdt {"closID": "."} => linux.intelRdt.closID: "." is no name of a group
/linux/intelRdt {"closID": ".."} => linux.intelRdt.closID: ".." is no name of a group
/linux/intelRdt {"closID": "mon_groups"} => linux.intelRdt.closID: "mon_groups" is no name of a group
/linux/intelRdt {"closID": "a\nb"} => linux.intelRdt.closID: "a\nb" is no name of a group
/linux/intelRdt {"closID": 1} => linux.intelRdt.closID: invalid type
/linux/intelRdt {"memBwSchema": "L3:0=f"} => linux.intelRdt.memBwSchema: does not start with MB:
/linux/intelRdt {"memBwSchema": "MB:0=1\nMB:1=1"} => linux.intelRdt.memBwSchema: has a newline
/linux/intelRdt {"l3CacheSchema": "L3:0=f\u0000"} => linux.intelRdt.l3CacheSchema: has a newline
/linux/intelRdt {"schemata": ["L3:0=f", "MB:0=1\nMB:1=1"]} => linux.intelRdt.schemata[1]: has a newline
/linux/intelRdt {"schemata": "L3:0=f"} => linux.intelRdt.schemata: is not a list
/linux/intelRdt {"enableMonitoring": 1} => linux.intelRdt.enableMonitoring: invalid type
/linux/memoryPolicy {} => linux.memoryPolicy.mode: is missing
/linux/memoryPolicy {"mode": "MPOL_X"} => linux.memoryPolicy.mode: there is no MPOL_X
/linux/memoryPolicy {"mode": "MPOL_BIND"} => linux.memoryPolicy.nodes: this mode needs
/linux/memoryPolicy {"mode": "MPOL_LOCAL", "nodes": "0"} => linux.memoryPolicy.nodes: this mode takes no
/linux/memoryPolicy {"mode": "MPOL_BIND", "nodes": "x"} => linux.memoryPolicy.nodes: "x" is not a list
/linux/memoryPolicy {"mode": "MPOL_BIND", "nodes": "0", "flags": ["X"]} => linux.memoryPolicy.flags[0]: there is no X

/hooks {"prestart": [{}]} => hooks.prestart[0].path: is missing
/hooks {"createRuntime": [{"path": "/x"}, {"path": "x"}]} => hooks.createRuntime[1].path: "x" is not an absolute
/hooks {"createContainer": [{"path": "/x", "timeout": 0}]} => hooks.createContainer[0].timeout: 0 is not 1 to
/hooks {"startContainer": [{"path": "/x", "timeout": -1}]} => hooks.startContainer[0].timeout: -1 is not 1 to
/hooks {"poststart": [{"path": "/x", "args": ["a\u0000"]}]} => hooks.poststart[0].args[0]: has a NUL byte
/hooks {"poststart": {}} => hooks.poststart: is not a list
/hooks {"poststop": [{"path": "/x", "env": [1]}]} => hooks.poststop[0].env[0]:
/vm {"kernel": {"path": "/k"}} => vm: jec does not support it
/windows {} => windows: jec does not support it
/solaris {} => solaris: jec does not support it
"#;

#[test]
fn each_rule_of_the_specification_is_an_error_that_names_the_property() {
    for rule in RULES.lines().filter(|rule| !rule.is_empty()) {
        let (change, message) = rule.split_once(" => ").unwrap();
        let (pointer, value) = change.split_once(' ').unwrap();
        let value: Value = serde_json::from_str(value).unwrap();
        let found = error(&[(pointer, value)]);
        assert!(found.starts_with(message), "{pointer}: {found}");
    }
}

#[test]
fn a_missing_property_is_named_by_its_whole_path() {
    let cases = [
        (json!([]), "config.json: is not an object"),
        (json!({"root": {}, "process": {}}), "ociVersion: is missing"),
        (
            json!({"ociVersion": "1.0.0", "root": {"readonly": true}, "process": {}}),
            "root.path: is missing",
        ),
    ];
    for (document, message) in cases {
        assert_eq!(plan(document.to_string()).unwrap_err().to_string(), message);
    }
}

#[test]
fn null_counts_as_missing_and_lists_are_followed() {
    let mut document = full();
    document["linux"]["uidMappings"] = json!([
        {"containerID": 0, "hostID": 1000, "size": 1},
        {"containerID": 1, "hostID": null, "size": 1},
    ]);
    let error = plan(document.to_string()).unwrap_err().to_string();
    assert_eq!(error, "linux.uidMappings[1].hostID: is missing");
    let mut document = full();
    document["mounts"][3]["uidMappings"] = Value::Null;
    document["mounts"][3]["gidMappings"] = Value::Null;
    plan(document.to_string()).unwrap();
    for place in ["/linux/resources", "/linux/resources/memory", "/process/user", "/root"] {
        let property = place[1..].replace('/', ".");
        let found = super::error(&[(place, json!([]))]);
        assert_eq!(found, format!("{property}: is not an object"));
    }
}
