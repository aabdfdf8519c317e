//! `--seccomp`: the filter of system calls.

use std::ffi::CString;

use caps::Capability;
use oci_spec::runtime::LinuxSeccomp;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::plan::flags::default_profile::default_profile;
use crate::sys::file;

/// `--seccomp`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeccompFlag {
    /// jec's own profile.
    Default,
    /// No filter.
    None,
    /// A profile in the format of linux.seccomp.
    File(String),
}

/// The largest profile, in bytes.
const LIMIT: usize = 1 << 20;

/// The words of linux.seccomp, and those of an entry of its syscalls.
const PROFILE: &[&str] = &[
    "defaultAction",
    "defaultErrnoRet",
    "architectures",
    "flags",
    "listenerPath",
    "listenerMetadata",
    "syscalls",
];
const RULE: &[&str] = &["names", "action", "errnoRet", "args", "comment"];

/// `default`, `none` or a file.
pub fn flag(text: &str) -> std::result::Result<SeccompFlag, String> {
    match text {
        "default" => Ok(SeccompFlag::Default),
        "none" | "unconfined" => Ok(SeccompFlag::None),
        "" => Err("write default, none or the path of a profile".into()),
        path => Ok(SeccompFlag::File(path.into())),
    }
}

/// linux.seccomp.
pub(super) fn seccomp(flag: &SeccompFlag, bounding: &[Capability]) -> Result<Option<LinuxSeccomp>> {
    match flag {
        SeccompFlag::Default => {
            let mask = bounding.iter().fold(0, |mask, capability| mask | capability.bitmask());
            Ok(Some(default_profile(mask)))
        }
        SeccompFlag::None => Ok(None),
        SeccompFlag::File(path) => read(path).map(Some),
    }
}

fn read(path: &str) -> Result<LinuxSeccomp> {
    let flag = || format!("--seccomp {path}");
    let name = CString::new(path).map_err(|_| Error::config(flag(), "a path has no NUL byte"))?;
    let text = file::read_file(file::HERE, &name, LIMIT)
        .map_err(|error| Error::config(flag(), format!("cannot be read: {error}")))?;
    parse(&text).map_err(|problem| Error::config(flag(), problem))
}

/// Reads a profile. A word that is not the specification's is refused: to pass
/// over it could open what it was to close.
fn parse(text: &str) -> std::result::Result<LinuxSeccomp, String> {
    let mut value: Value =
        serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let profile = value.as_object_mut().ok_or("not a profile: a JSON object is expected")?;
    profile.retain(|_, value| !is_empty(value));
    known(profile, PROFILE, "")?;
    if let Some(Value::Array(rules)) = profile.get_mut("syscalls") {
        for (at, rule) in rules.iter_mut().enumerate() {
            if let Value::Object(rule) = rule {
                rule.retain(|_, value| !is_empty(value));
                known(rule, RULE, &format!("syscalls[{at}]."))?;
            }
        }
    }
    serde_json::from_value(value)
        .map_err(|error| format!("not a profile of linux.seccomp: {error}"))
}

/// `{}`, `[]` and `null` say nothing, also where the word is not ours: docker's
/// profiles have `"includes": {}` everywhere.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(inside) => inside.is_empty(),
        Value::Array(inside) => inside.is_empty(),
        _ => false,
    }
}

fn known(
    object: &serde_json::Map<String, Value>,
    words: &[&str],
    place: &str,
) -> std::result::Result<(), String> {
    match object.keys().map(String::as_str).find(|key| !words.contains(key)) {
        None => Ok(()),
        Some(key @ ("includes" | "excludes" | "archMap" | "minKernel")) => Err(format!(
            "{place}{key} is docker's extension, which an engine has to resolve first; \
             jec takes only what linux.seccomp has"
        )),
        Some(key) => Err(format!("{place}{key} is not a word of linux.seccomp")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_of_the_specification_is_taken_as_it_is() {
        let profile = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86_64"],
            "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":null,"comment":"x","includes":{}}]}"#;
        let found = parse(profile).unwrap();
        assert_eq!(found.default_errno_ret(), Some(38));
        assert_eq!(found.syscalls().as_ref().unwrap()[0].names(), &["read"]);
    }

    #[test]
    fn what_could_be_passed_over_silently_is_refused_by_name() {
        for (text, problem) in [
            ("", "not JSON"),
            ("[]", "a JSON object"),
            ("{}", "defaultAction"),
            (r#"{"defaultAction":"SCMP_ACT_ALOW"}"#, "SCMP_ACT_ALOW"),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","archMap":[1]}"#,
                "archMap is docker's extension",
            ),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","sycalls":[1]}"#, "sycalls is not a word"),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_LOG","includes":{"caps":["A"]}}]}"#,
                "syscalls[0].includes is docker's extension",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_LOG","errno":1}]}"#,
                "syscalls[0].errno is not a word",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
        assert!(parse(&"[".repeat(1 << 17)).is_err());
    }
}
