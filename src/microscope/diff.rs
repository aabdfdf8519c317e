//! `jec diff`: what differs between the facts of two processes, or of two moments of a trace.
//!
//! Names are given as in a trace, with the host's namespaces first; so two runs of one bundle
//! are equal. The parent and the session are left out: they are whoever called the runtime.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use serde_json::Value;

use super::facts::Eye;
pub use super::facts::Facts;
use super::names::Names;
use super::state::Difference;
pub use super::state::differences;
use crate::error::{Error, Result};
use crate::sys::file;

/// Differ from run to run.
const LEFT_OUT: [&str; 2] = ["parent", "session"];

/// A process, and the word that stands for it.
pub struct Source<'a> {
    /// As on the command line: the id of a container is in the name of its cgroup.
    pub word: &'a str,
    /// Its number on the host.
    pub pid: i32,
}

/// The facts of a process, with names instead of numbers.
pub fn of_process(proc: &Rc<OwnedFd>, source: &Source) -> Result<Facts> {
    let (mut eye, mut names) = (Eye::new_for_now(proc.clone()), Names::default());
    for kind in super::facts::NAMESPACES {
        let link = file::readlinkat(proc.as_fd(), &CString::new(format!("self/ns/{kind}"))?)?;
        names.of_link(&link.to_string_lossy());
    }
    names.process(source.pid, "init");
    let gone = || Error::state(source.word, "no such process runs; ps -e lists those that do");
    let mut facts = eye.facts(source.pid, &mut names).ok_or_else(gone)?;
    if let Some(path) = facts.get_mut("cgroup") {
        let named = |part| if part == source.word { "ID" } else { part };
        *path = path.split('/').map(named).collect::<Vec<_>>().join("/");
    }
    facts.retain(|key, _| !LEFT_OUT.contains(&&**key));
    Ok(facts)
}

/// The facts of the container's process after a stage; without one, those with which it went
/// into execve(2). Of the program there are facts only where it lived until somebody had looked.
pub fn of_trace(path: &str, stage: Option<&str>) -> Result<Facts> {
    let text = file::read_file(file::HERE, &CString::new(path)?, 64 << 20)?;
    let no_trace = |why: String| Error::config(path, why);
    let mut all: BTreeMap<String, Facts> = BTreeMap::new();
    let (mut passed, mut last) = (false, String::new());
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)
            .map_err(|error| no_trace(format!("no line of a trace: {error}")))?;
        match line["event"].as_str() {
            // jec begins anew once it is sealed.
            Some("begin") => (all, passed) = (BTreeMap::new(), false),
            Some("stage") if passed => break,
            Some("stage") => passed = line["stage"].as_str() == stage,
            Some("state") => last = change(&mut all, &line),
            _ => {}
        }
    }
    if let Some(stage) = stage.filter(|_| !passed) {
        return Err(no_trace(format!("no stage {stage:?} in it; `jec stages` lists them")));
    }
    let after_exec = stage == Some("exec");
    let wanted: &[&str] = if after_exec { &["program"] } else { &["init", "middle", &last] };
    let facts = wanted.iter().find_map(|name| all.remove(*name));
    let ended = "no state of the program in it: it had ended before somebody could look";
    let none = if after_exec { ended } else { "no state in it" };
    let mut facts = facts.ok_or_else(|| no_trace(none.into()))?;
    facts.retain(|key, _| !LEFT_OUT.contains(&&**key));
    Ok(facts)
}

/// Whose state has changed.
pub(super) fn change(all: &mut BTreeMap<String, Facts>, line: &Value) -> String {
    let of = line["of"].as_str().unwrap_or_default();
    let copy = line["from"].as_str().and_then(|from| all.get(from).cloned());
    let facts = all.entry(of.into()).or_default();
    *facts = copy.unwrap_or_else(|| std::mem::take(facts));
    for (key, values) in line["changed"].as_object().into_iter().flatten() {
        match values[1].as_str() {
            Some(value) => drop(facts.insert(key.clone(), value.into())),
            None => drop(facts.remove(key)),
        }
    }
    of.into()
}

/// For somebody to read: a heading for each kind of object, `- ` what A has, `+ ` what B has.
pub fn text(differ: &[Difference]) -> String {
    let (mut out, mut group) = (String::new(), "");
    for (key, a, b) in differ {
        let (kind, rest) = key.split_once('.').unwrap_or((key, "is"));
        if kind != group {
            writeln!(out, "{kind}").unwrap_or_default();
            group = kind;
        }
        for (sign, value) in [('-', a), ('+', b)] {
            if let Some(value) = value {
                writeln!(out, "  {sign} {rest} {value}").unwrap_or_default();
            }
        }
    }
    out
}
