//! The trace in the binary, with which `jec tour` opens, is of this jec: the reference container,
//! run anew, walks the same stages and makes the same calls in the same order.
//!
//! All of it in the lab, where it was recorded. Elsewhere without the stages that depend on the
//! machine: on its controllers, and on what its kernel has below /proc and /sys.

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::{Ran, is_emulated, is_root, jec_path};
use serde_json::Value;

/// Of each stage, its calls in their order: side, call, arguments, errno, place in the source.
type Calls = BTreeMap<String, Vec<String>>;

const RECORDED: &str = include_str!("../src/microscope/tour/reference.jsonl");
const RENEW: &str = "tests/vm/run -- tests/reference >src/microscope/tour/reference.jsonl";
const OF_THE_MACHINE: [&str; 6] = ["plan", "cgroup", "masks", "program-runs", "kill-all", "remove"];

fn lines(trace: &str) -> Vec<Value> {
    trace.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn stages(lines: &[Value]) -> Vec<String> {
    let stages = lines.iter().filter(|line| line["event"] == "stage");
    stages.map(|line| format!("{} {} {}", line["stage"], line["side"], line["why"])).collect()
}

fn calls(lines: &[Value]) -> Calls {
    let mut all = Calls::new();
    for line in lines.iter().filter(|line| line["event"] == "call") {
        let (call, stage) = (line["call"].as_str().expect("a name"), &line["stage"]);
        let is_out = !is_emulated() && OF_THE_MACHINE.iter().any(|name| stage == name);
        // Two processes at once: who takes the baton, and who has passed it. And signals that
        // whoever called us ignores: nothing but jec resets those that libc keeps to itself.
        let varies = ["poll", "waitid", "recvmsg", "sendmsg", "rt_sigaction"].contains(&call);
        if is_out || varies {
            continue;
        }
        let mut args = line["args"].clone();
        let fields = args.as_object_mut().expect("arguments");
        // What is written has numbers of this run in it, the flags of limits are not everywhere,
        // and what number a descriptor has depends on how many were open when jec began.
        fields.retain(|name, value| !["buf", "argv"].contains(&&**name) && !value.is_number());
        let place = format!("{}:{}", line["file"], line["line"]);
        let text = format!("{} {call} {args} {} {place}", line["side"], line["errno"]);
        all.entry(stage.to_string()).or_default().push(text);
    }
    all
}

#[test]
fn the_recorded_trace_is_what_this_jec_does() {
    if !is_root() {
        skip!("only root can make the reference container");
    }
    let mut script = Command::new("tests/reference");
    script.env("JEC", jec_path());
    let now = lines(&Ran::of(script).ok().out);
    let recorded = lines(RECORDED);
    assert_eq!(stages(&recorded), stages(&now), "stale stages; {RENEW}");
    let (recorded, now) = (calls(&recorded), calls(&now));
    assert!(now.values().map(Vec::len).sum::<usize>() > 200, "{now:?}");
    for (stage, calls) in &now {
        let empty = Vec::new();
        let old = recorded.get(stage).unwrap_or(&empty);
        let differs = old.iter().zip(calls).find(|(old, now)| old != now);
        assert!(
            differs.is_none() && old.len() == calls.len(),
            "{stage} is stale: {} calls were recorded, {} are made now; first difference \
             {differs:#?}\nto renew it: {RENEW}",
            old.len(),
            calls.len(),
        );
    }
    assert_eq!(recorded.len(), now.len(), "stages without calls; {RENEW}");
}

#[test]
fn the_recorded_trace_is_small_whole_and_of_no_machine() {
    assert!(RECORDED.len() < 300_000, "{} bytes", RECORDED.len());
    let lines = lines(RECORDED);
    let schema = include_str!("../src/microscope/trace.schema.json");
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    for line in &lines {
        schema::check(&schema, line).unwrap_or_else(|problem| panic!("{line}\n{problem}"));
    }
    assert_eq!(lines.last().expect("lines")["event"], "end");
    // It is the lab's: limits were set, root inside is another user, the filter was loaded.
    for word in ["\"memory.max\"", "0 100000 65536", "\"seccomp\"", "pivot_root"] {
        assert!(RECORDED.contains(word), "{word}");
    }
    for word in ["/home/", "/root/", "/work", "target/"] {
        assert!(!RECORDED.contains(word), "{word}");
    }
}

#[path = "common/schema.rs"]
mod schema;
