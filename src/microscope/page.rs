//! The page of `jec inspect`: 80 columns, a heading for each kind of object.

use std::fmt::Write;

use super::facts::Facts;
use super::inspect::Seen;

/// Of the page, and of its first column.
const WIDTH: usize = 80;
const FIRST: usize = 22;

/// What stands in place of a value that is the host's.
const SAME: &str = "as the host";

/// Headings, and the beginnings of the keys below them.
const GROUPS: [(&str, &[&str]); 6] = [
    ("IDENTITY", &["ids.", "uid_map", "gid_map", "setgroups", "umask", "hostname", "domainname"]),
    ("CGROUP", &["cgroup"]),
    ("NETWORK", &["network."]),
    ("RIGHTS", &["no_new_privs", "seccomp", "label", "oom_score_adj"]),
    ("LIMITS", &["limit."]),
    ("DESCRIPTORS OF ITS FIRST PROCESS", &["descriptor"]),
];

impl Seen {
    /// All of it, for somebody to read.
    pub fn page(&self) -> String {
        let name = self.container.get("name").map_or("", |name| name);
        let mut out = format!("{}: process {} ({name})\n", self.id, self.pid);
        self.namespaces(&mut out);
        for (heading, keys) in &GROUPS[..2] {
            self.group(&mut out, heading, keys);
        }
        for (key, value) in &self.usage {
            row(&mut out, key, &format!("{value} in use"));
        }
        capabilities(&mut out, &self.container, &self.host);
        for (heading, keys) in &GROUPS[2..] {
            self.group(&mut out, heading, keys);
        }
        self.mounts(&mut out);
        self.processes(&mut out);
        out
    }

    fn namespaces(&self, out: &mut String) {
        out.push_str("\nNAMESPACES\n");
        for (key, value) in &self.container {
            let Some(kind) = key.strip_prefix("namespace.") else {
                continue;
            };
            let host = self.host.get(key);
            let owner = self.owners.get(kind).map(|uid| format!(", owner uid {uid}"));
            let number = value.rsplit(':').next().unwrap_or_default();
            let text = match host {
                Some(host) if host == value => SAME.into(),
                _ => format!("own {number}{}", owner.unwrap_or_default()),
            };
            row(out, kind, &text);
        }
    }

    fn group(&self, out: &mut String, heading: &str, keys: &[&str]) {
        writeln!(out, "\n{heading}").unwrap_or_default();
        let mut same = Vec::new();
        for (key, value) in &self.container {
            let Some(begin) = keys.iter().find(|begin| key.starts_with(**begin)) else {
                continue;
            };
            let value = &worded(key, value);
            let label = if begin.ends_with('.') { &key[begin.len()..] } else { key };
            let label = label.trim_start_matches("descriptor.");
            let host = self.host.get(key).map(|host| worded(key, host));
            match host {
                // Where it is, somebody wants to know in any case.
                Some(host) if host == *value && key == "cgroup" => {
                    row(out, "path", &format!("{value}, {SAME}"));
                }
                Some(host) if host == *value => same.push(label),
                // What descriptors jec itself has is nobody's concern.
                Some(host) if !key.starts_with("descriptor") => {
                    row(out, label, &format!("{value} | {host}"));
                }
                _ => row(out, label, value),
            }
        }
        if !same.is_empty() {
            row(out, SAME, &same.join(", "));
        }
    }

    fn mounts(&self, out: &mut String) {
        out.push_str("\nMOUNTS\n");
        let mut above: Vec<&str> = Vec::new();
        for (key, value) in &self.container {
            let Some(place) = key.strip_prefix("mount.") else {
                continue;
            };
            let inside = |outer: &str| outer == "/" || place.starts_with(&format!("{outer}/"));
            while above.last().is_some_and(|outer| !inside(outer)) {
                above.pop();
            }
            let words: Vec<_> = value.split(' ').collect();
            let (kind, flags) = (words[0], words.get(3).copied().unwrap_or_default());
            let indented = format!("{}{place}", "  ".repeat(above.len()));
            row(out, &indented, &format!("{kind} {flags}"));
            above.push(place);
        }
    }

    fn processes(&self, out: &mut String) {
        out.push_str("\nPROCESSES, by their numbers on the host and inside\n");
        for process in &self.processes {
            let pids: Vec<_> = process.pids.iter().map(ToString::to_string).collect();
            row(out, &pids.join(" "), &process.name);
        }
    }
}

/// The five sets; equal ones share a line.
fn capabilities(out: &mut String, facts: &Facts, host: &Facts) {
    out.push_str("\nCAPABILITIES\n");
    let sets = ["bounding", "permitted", "effective", "inheritable", "ambient"];
    let key = |set: &str| format!("capabilities.{set}");
    let mut told: Vec<&String> = Vec::new();
    for set in sets {
        let Some(value) = facts.get(&key(set)).filter(|value| !told.contains(value)) else {
            continue;
        };
        told.push(value);
        let equal = sets.into_iter().filter(|set| facts.get(&key(set)) == Some(value));
        let equal: Vec<_> = equal.collect();
        let as_host = equal.iter().all(|set| host.get(&key(set)) == Some(value));
        row(out, &equal.join(", "), if as_host { SAME.into() } else { by_name(value) }.as_str());
    }
}

/// A mode of seccomp(2) is a number in /proc.
pub(super) fn worded(key: &str, value: &str) -> String {
    match (key, value) {
        ("seccomp.mode", "0") => "disabled".into(),
        ("seccomp.mode", "1") => "strict".into(),
        ("seccomp.mode", "2") => "filter".into(),
        _ => value.into(),
    }
}

/// `00000000a80425fb` is CHOWN, DAC_OVERRIDE and so on.
pub(super) fn by_name(hex: &str) -> String {
    let bits = u64::from_str_radix(hex, 16).unwrap_or_default();
    let mut all: Vec<_> = caps::all().into_iter().collect();
    all.sort_by_key(caps::Capability::index);
    let have = all.iter().filter(|one| bits & (1 << one.index()) != 0);
    let names: Vec<_> = have.map(|one| one.to_string().replace("CAP_", "")).collect();
    if names.is_empty() { "none".into() } else { names.join(" ") }
}

/// A label and words, which go on below themselves; words longer than a line are cut.
fn row(out: &mut String, label: &str, text: &str) {
    let mut line = format!("  {label:FIRST$}");
    if line.len() > FIRST + 2 {
        out.push_str(&fitting(&line));
        line = " ".repeat(FIRST + 2);
    }
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&fitting(&line));
            line = " ".repeat(FIRST + 2);
        }
        line.push(' ');
        line.push_str(word);
        empty = false;
    }
    out.push_str(&fitting(&line));
}

/// A line that ends within the page.
fn fitting(line: &str) -> String {
    let line = line.trim_end();
    if line.chars().count() <= WIDTH {
        return format!("{line}\n");
    }
    line.chars().take(WIDTH - 1).collect::<String>() + "…\n"
}
