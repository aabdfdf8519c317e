//! What the specification requires of an object, and the crate `oci_spec` does not.
//!
//! oci_spec reads a missing number as 0. For ids that is the most dangerous
//! value there is: a map without `hostID` would map the container to the
//! host's root. So presence is checked on the document, before it is typed.

use serde_json::Value;

use crate::error::{Error, Result};

/// Where the objects are (`[]`: each element of the list), and what each must have.
/// A row without names asks only that it is an object: serde takes a list for a struct.
const REQUIRED: &[(&str, &[&str])] = &[
    ("", &["ociVersion", "root", "process"]),
    ("root", &["path"]),
    ("mounts[]", &["destination"]),
    ("mounts[].uidMappings[]", &["containerID", "hostID", "size"]),
    ("mounts[].gidMappings[]", &["containerID", "hostID", "size"]),
    ("process", &["cwd", "args", "user"]),
    ("process.user", &["uid", "gid"]),
    ("process.consoleSize", &["height", "width"]),
    ("process.capabilities", &[]),
    ("process.rlimits[]", &["type", "soft", "hard"]),
    ("process.ioPriority", &["class", "priority"]),
    ("process.scheduler", &["policy"]),
    ("linux", &[]),
    ("linux.namespaces[]", &["type"]),
    ("linux.uidMappings[]", &["containerID", "hostID", "size"]),
    ("linux.gidMappings[]", &["containerID", "hostID", "size"]),
    ("linux.devices[]", &["type", "path"]),
    ("linux.personality", &["domain"]),
    ("linux.resources", &[]),
    ("linux.resources.devices[]", &["allow"]),
    ("linux.resources.memory", &[]),
    ("linux.resources.cpu", &[]),
    ("linux.resources.pids", &["limit"]),
    ("linux.resources.hugepageLimits[]", &["pageSize", "limit"]),
    ("linux.seccomp", &["defaultAction"]),
    ("linux.seccomp.syscalls[]", &["names", "action"]),
    ("linux.seccomp.syscalls[].args[]", &["index", "value", "op"]),
];

/// Refuses a document in which something required is missing, by its path.
pub(super) fn check(document: &Value) -> Result<()> {
    for (place, names) in REQUIRED {
        let steps: Vec<&str> = place.split('.').filter(|step| !step.is_empty()).collect();
        check_below(document, &steps, &mut String::new(), names)?;
    }
    Ok(())
}

/// Follows `steps` down from `value`, whose path is `path`, and checks what is at their end.
/// What is absent or null on the way is nothing to check; a wrong type is named by serde.
fn check_below(value: &Value, steps: &[&str], path: &mut String, names: &[&str]) -> Result<()> {
    let Some((step, rest)) = steps.split_first() else {
        return check_object(value, path, names);
    };
    let name = step.trim_end_matches("[]");
    let Some(inner) = value.get(name).filter(|inner| !inner.is_null()) else {
        return Ok(());
    };
    let length = path.len();
    path.push_str(if path.is_empty() { "" } else { "." });
    path.push_str(name);
    if name.len() == step.len() {
        check_below(inner, rest, path, names)?;
    } else {
        for (at, item) in inner.as_array().into_iter().flatten().enumerate() {
            let list = path.len();
            path.push('[');
            path.push_str(&at.to_string());
            path.push(']');
            check_below(item, rest, path, names)?;
            path.truncate(list);
        }
    }
    path.truncate(length);
    Ok(())
}

fn check_object(value: &Value, path: &str, names: &[&str]) -> Result<()> {
    let shown = if path.is_empty() { "config.json" } else { path };
    let Some(object) = value.as_object() else {
        return Err(Error::config(shown, "is not an object"));
    };
    let present = |name: &&&str| object.get(**name).is_none_or(Value::is_null);
    match names.iter().find(present) {
        None => Ok(()),
        Some(name) if path.is_empty() => Err(Error::config(*name, "is missing")),
        Some(name) => Err(Error::config(format!("{path}.{name}"), "is missing")),
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
