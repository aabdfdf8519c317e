use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

#[test]
fn arguments_get_the_names_of_the_man_page() {
    for (call, text, expected) in [
        ("fsopen", "\"proc\"", json!([["fsname", "proc"]])),
        ("setsid", "", json!([])),
        (
            "openat",
            "3, \"a, \\\"b\\\"\", 0",
            json!([["dirfd", 3], ["pathname", "a, \"b\""], ["flags", 0]]),
        ),
        ("fsconfig", "7, CMD_CREATE", json!([["fd", 7], ["cmd", "CMD_CREATE"]])),
        (
            "mount_setattr",
            "7, \"\", AT_RECURSIVE, set=0, clear=0, propagation=MS_SLAVE",
            json!([
                ["dirfd", 7],
                ["pathname", ""],
                ["flags", "AT_RECURSIVE"],
                ["attr_set", 0],
                ["attr_clr", 0],
                ["propagation", "MS_SLAVE"]
            ]),
        ),
        (
            "execve",
            "\"/bin/sh\", [\"sh\", \"-c\", \"a, b\"], 2 variables",
            json!([
                ["pathname", "/bin/sh"],
                ["argv", "[\"sh\", \"-c\", \"a, b\"]"],
                ["envp", "2 variables"]
            ]),
        ),
        ("newuidmap", "12, 0, 1000, 1", json!([["pid", 12], ["arguments", "0 1000 1"]])),
        ("setsid", "1, 2", json!([["?", "1, 2"]])),
        ("nonsense", "1", json!([["?", "1"]])),
    ] {
        assert_eq!(json!(named(call, text)), expected, "{call}");
    }
}

#[test]
fn the_table_is_in_order_and_names_nothing_twice() {
    assert!(CALLS.is_sorted_by(|a, b| a.0 < b.0));
}

/// Each wrapper's name of the call, with the format of its arguments.
fn recorded() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys");
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|end| end != "rs") || path.ends_with("record.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for call in ["record(\"", "record_as(\"", "record_fd(\"", "Recorder::call(\""] {
            for (at, _) in text.match_indices(call) {
                let rest = &text[at + call.len()..];
                let (name, rest) = rest.split_once('"').unwrap();
                // Right there, or on a line above in a variable.
                let rest = rest.trim_start_matches(',').trim_start();
                let above = || {
                    let mut formats = text[..at].rsplit("format_args!(\"");
                    formats.find(|format| !format.starts_with('"')).unwrap()
                };
                let from = rest.strip_prefix("format_args!(\"").unwrap_or_else(above);
                let mut escaped = false;
                let end = |c: char| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                };
                let format = &from[..from.find(end).unwrap()];
                found.push((name.to_owned(), format.replace("\\\"", "\"")));
            }
        }
    }
    found
}

#[test]
fn every_wrapper_has_a_row_with_the_right_number_of_names() {
    let recorded = recorded();
    assert!(recorded.len() > 110, "{}", recorded.len());
    for (call, format) in recorded {
        let text = match &*format {
            // Formats of formats: what they are made of has a test of its own.
            "{name:?}, AT_FDCWD" => continue,
            other => other
                .replace("{rest}", "1, 2")
                .replace("{place}", "1")
                .replace("{{", "{")
                .replace("}}", "}"),
        };
        let text = if call == "mount_setattr" { format!("{text}, 1, 2") } else { text };
        let names = named(&call, &text);
        assert!(names.iter().all(|(name, _)| *name != "?"), "{call}({text})");
    }
}
