//! What holds of the document whatever it means: which properties an object must have, and
//! which ones jec has nothing for.
//!
//! The crate `oci_spec` reads a missing number as 0. For ids that is the most dangerous value
//! there is: a map without `hostID` would map the container to the host's root. So presence is
//! checked before the document is typed. And to leave a hook or a label out in silence would
//! make another container than the one described.

use serde_json::Value;

use super::property::{each, ensure, inside};
use crate::error::{Error, Result};

/// A rule for one place of the document.
enum Rule {
    /// An object, with these properties at least. Of null serde makes an absent value, of a list
    /// it makes a struct.
    Has(&'static [&'static str]),
    /// jec does not support it.
    Unsupported,
    /// The same, but an empty value asks for nothing.
    UnsupportedUnlessEmpty,
    /// cgroup v2 has no equivalent, which the specification makes an error, unless the value is
    /// this one (as JSON): it asks for what v2 does anyway.
    OnlyV1Unless(&'static str),
}
use Rule::{Has, OnlyV1Unless, Unsupported, UnsupportedUnlessEmpty};

const MAPPING: Rule = Has(&["containerID", "hostID", "size"]);

/// Where, with `[]` for each element of a list, and what holds there.
const RULES: &[(&str, Rule)] = &[
    ("", Has(&["ociVersion", "root", "process"])),
    ("root", Has(&["path"])),
    ("mounts.[]", Has(&["destination"])),
    ("mounts.[].uidMappings.[]", MAPPING),
    ("mounts.[].gidMappings.[]", MAPPING),
    ("process", Has(&["cwd", "args", "user"])),
    ("process.user", Has(&["uid", "gid"])),
    ("process.consoleSize", Has(&["height", "width"])),
    ("process.capabilities", Has(&[])),
    ("process.rlimits.[]", Has(&["type", "soft", "hard"])),
    ("process.ioPriority", Has(&["class", "priority"])),
    ("process.scheduler", Has(&["policy"])),
    ("process.apparmorProfile", UnsupportedUnlessEmpty),
    ("process.selinuxLabel", UnsupportedUnlessEmpty),
    ("process.execCPUAffinity", Unsupported),
    ("linux", Has(&[])),
    ("linux.namespaces.[]", Has(&["type"])),
    ("linux.uidMappings.[]", MAPPING),
    ("linux.gidMappings.[]", MAPPING),
    ("linux.devices.[]", Has(&["type", "path"])),
    ("linux.personality", Has(&["domain"])),
    ("linux.resources", Has(&[])),
    ("linux.resources.devices.[]", Has(&["allow"])),
    ("linux.resources.memory", Has(&[])),
    ("linux.resources.cpu", Has(&[])),
    ("linux.resources.pids", Has(&["limit"])),
    ("linux.resources.hugepageLimits.[]", Has(&["pageSize", "limit"])),
    // crun refuses these too; runc warns or says nothing, which here would be a silent weakening.
    // memory.checkBeforeUpdate needs nothing: the cgroup is new and its usage 0.
    ("linux.resources.memory.kernel", OnlyV1Unless("-1")),
    ("linux.resources.memory.kernelTCP", OnlyV1Unless("-1")),
    ("linux.resources.memory.swappiness", OnlyV1Unless("")),
    ("linux.resources.memory.disableOOMKiller", OnlyV1Unless("false")),
    ("linux.resources.memory.useHierarchy", OnlyV1Unless("true")),
    ("linux.resources.cpu.realtimeRuntime", OnlyV1Unless("0")),
    ("linux.resources.cpu.realtimePeriod", OnlyV1Unless("0")),
    ("linux.resources.blockIO.leafWeight", OnlyV1Unless("0")),
    ("linux.resources.blockIO.weightDevice.[].leafWeight", OnlyV1Unless("0")),
    ("linux.resources.network.classID", OnlyV1Unless("0")),
    ("linux.resources.network.priorities", OnlyV1Unless("[]")),
    ("linux.seccomp", Has(&["defaultAction"])),
    ("linux.seccomp.syscalls.[]", Has(&["names", "action"])),
    ("linux.seccomp.syscalls.[].args.[]", Has(&["index", "value", "op"])),
    ("linux.netDevices", UnsupportedUnlessEmpty),
    ("linux.mountLabel", UnsupportedUnlessEmpty),
    ("linux.intelRdt", Unsupported),
    ("linux.memoryPolicy", Unsupported),
    ("hooks", UnsupportedUnlessEmpty),
    // Sections of other platforms say that the bundle is meant for another machine.
    ("windows", Unsupported),
    ("solaris", Unsupported),
    ("zos", Unsupported),
    ("vm", Unsupported),
];

/// Refuses a document that breaks a rule, by the path of the property.
pub(super) fn check(document: &Value) -> Result<()> {
    ensure(document.is_object(), "config.json", "is not an object")?;
    RULES.iter().try_for_each(|(place, rule)| {
        let steps: Vec<&str> = place.split_terminator('.').collect();
        check_below(document, &steps, rule)
    })
}

/// Follows `steps` down from `value`, and checks what is at their end. What is absent or null on
/// the way breaks no rule; a wrong type is named by serde.
fn check_below(value: &Value, steps: &[&str], rule: &Rule) -> Result<()> {
    match steps {
        [] => rule.check(value),
        ["[]", rest @ ..] => {
            each("", value.as_array(), |item| check_below(item, rest, rule)).map(|_| ())
        }
        [name, rest @ ..] => match value.get(name) {
            None | Some(Value::Null) => Ok(()),
            Some(inner) => check_below(inner, rest, rule).map_err(inside(name)),
        },
    }
}

impl Rule {
    fn check(&self, value: &Value) -> Result<()> {
        let unsupported = "jec does not support it; leave it out";
        match self {
            Has(names) => {
                ensure(value.is_object(), "", "is not an object")?;
                let present = |name| value.get(name).is_some_and(|found| !found.is_null());
                names.iter().try_for_each(|name| ensure(present(name), name, "is missing"))
            }
            Unsupported => Err(Error::config("", unsupported)),
            UnsupportedUnlessEmpty => ensure(is_empty(value), "", unsupported),
            OnlyV1Unless(harmless) => {
                let problem = "exists in cgroup v1 only, and v2 has no equivalent";
                ensure(format!("{value}") == *harmless, "", problem)
            }
        }
    }
}

/// Empty text, an empty object, or an object of empty lists, as `hooks` may be.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Object(object) => {
            object.values().all(|inner| inner.as_array().map_or(inner.is_null(), Vec::is_empty))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
            assert_eq!(check(&document).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn null_counts_as_missing_and_lists_are_followed() {
        let mut document = json!({
            "ociVersion": "1.0.0", "root": {"path": "r"},
            "process": {"cwd": "/", "args": ["a"], "user": {"uid": 0, "gid": 0}},
            "linux": {"uidMappings": [
                {"containerID": 0, "hostID": 1000, "size": 1},
                {"containerID": 1, "hostID": null, "size": 1},
            ]},
        });
        let error = check(&document).unwrap_err().to_string();
        assert_eq!(error, "linux.uidMappings[1].hostID: is missing");
        document["linux"]["uidMappings"] = Value::Null;
        check(&document).unwrap();
        document["linux"]["resources"] = json!([]);
        let error = check(&document).unwrap_err().to_string();
        assert_eq!(error, "linux.resources: is not an object");
    }
}
