//! A trace and strace(1), side by side: they agree.
//!
//! Every system call that changes something between the first clone and the program's execve is
//! claimed by a line of the trace, in the same order, by the same process, with the same result;
//! and every line of the trace is a call that was made. What need not be claimed is listed, with
//! reasons, in `tests/reconcile/exceptions`.

mod common;

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Ran, World, for_me, has_program, is_root, jec_path};
use serde_json::{Value, json};

/// A call as strace has seen it.
#[derive(Debug, Clone)]
struct Seen {
    pid: i64,
    name: String,
    args: String,
    result: String,
}

/// A row of the list: a call, with an argument or with any, and whether traces show it, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Exception {
    name: String,
    word: String,
    looks: bool,
}

impl Exception {
    fn is_for(&self, name: &str, args: &str) -> bool {
        self.name == name && args.contains(&self.word)
    }
}

fn exceptions() -> Vec<Exception> {
    let (mut looks, mut found) = (false, Vec::new());
    for line in include_str!("reconcile/exceptions").lines() {
        if let Some(section) = line.strip_prefix('[') {
            looks = section == "looks]";
        } else if !line.is_empty() && !line.starts_with('#') {
            let (call, reason) = line.split_once(": ").expect(line);
            assert!(reason.len() > 4, "{line}: why?");
            let (name, word) = call.split_once(' ').unwrap_or((call, ""));
            found.push(Exception { name: name.into(), word: word.into(), looks });
        }
    }
    found
}

/// The calls in the order in which they began; those that were interrupted by others are whole.
fn strace(text: &str) -> Vec<Seen> {
    let mut calls: Vec<Seen> = Vec::new();
    for line in text.lines() {
        let (pid, rest) = line.trim_start().split_once(' ').expect(line);
        let (pid, rest) = (pid.parse().expect(line), rest.trim_start());
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(rest) = rest.strip_prefix("<... ") {
            let (_, rest) = rest.split_once(" resumed>").expect(line);
            let open = calls.iter_mut().rfind(|call| call.pid == pid).expect(line);
            let whole = format!("{}{rest}", open.args);
            (open.args, open.result) = halves(&whole);
            continue;
        }
        let (name, rest) = rest.split_once('(').expect(line);
        let rest = rest.strip_suffix(" <unfinished ...>").unwrap_or(rest);
        let (args, result) = halves(rest);
        calls.push(Seen { pid, name: name.into(), args, result });
    }
    calls
}

/// Arguments, and what stands behind the last `=`; nothing where it has not returned.
fn halves(text: &str) -> (String, String) {
    let split = text.rsplit_once(" = ").map(|(args, result)| (args.trim_end(), result));
    match split.and_then(|(args, result)| Some((args.strip_suffix(')')?, result))) {
        Some((args, result)) => (args.into(), result.into()),
        None => (text.into(), String::new()),
    }
}

/// What strace calls a call.
fn kernels_name(call: &str) -> &str {
    match call {
        "fstat" => "newfstatat",
        "fork" => "clone",
        other => other,
    }
}

/// Whether the line of the trace is this call: name, result, words and numbers.
fn is_same(event: &Value, seen: &Seen) -> Result<(), String> {
    let call = event["call"].as_str().expect("a call");
    if kernels_name(call) != seen.name {
        return Err("another call".into());
    }
    let result = seen.result.split(' ').next().unwrap_or_default();
    match (event.get("errno"), event.get("result")) {
        (Some(errno), _) => {
            let errno = errno.as_str().expect("a name");
            let same = result == "-1" && seen.result.split(' ').nth(1) == Some(errno);
            same.then_some(()).ok_or("another errno")?;
        }
        (None, Some(Value::Number(number))) if number.as_i64() != Some(0) => {
            (number.to_string() == result).then_some(()).ok_or("another result")?;
        }
        (None, Some(_)) => (result != "-1").then_some(()).ok_or("it failed")?,
        (None, None) => {}
    }
    for (name, value) in event["args"].as_object().expect("arguments") {
        // The names of processes stand for numbers.
        let named = ["runtime", "middle", "init"];
        let text = value.as_str().unwrap_or_default();
        let is_named = named.iter().any(|name| text.starts_with(&format!("{name}/")));
        // An ordinary user's strace cannot read the memory of who is not dumpable.
        let is_unread = !is_root() && !seen.args.contains('"') && seen.args.contains("0x");
        let first = seen.args.split(", ").next().unwrap_or_default();
        let holds = match &**name {
            "fd" | "dirfd" | "sockfd" | "from_dirfd" | "fsfd" | "olddirfd" if value.is_i64() => {
                first.parse::<i64>().ok() == value.as_i64()
            }
            "to_dirfd" | "newdirfd" => seen.args.contains(&format!(", {value}, ")),
            "pathname" | "path" | "fsname" | "target" | "linkpath" | "new_root" | "key"
            | "oldpath"
                if !is_named && !text.is_empty() && !is_unread =>
            {
                seen.args.contains(&format!("\"{text}\""))
            }
            "name" if text.is_ascii() && !is_unread => seen.args.contains(text),
            "option" | "request" | "cmd" | "operation" => seen.args.contains(text),
            _ => true,
        };
        if !holds {
            return Err(format!("{name}={value} is not in ({})", seen.args));
        }
    }
    Ok(())
}

/// What was recorded: the calls of one process, and the lines of the trace for it.
#[derive(Debug)]
struct Half {
    side: &'static str,
    seen: Vec<Seen>,
    told: Vec<Value>,
}

/// Compares; the exceptions that were needed, or what does not agree.
fn reconcile(half: &Half, exceptions: &[Exception]) -> Result<BTreeSet<Exception>, String> {
    let mut used = BTreeSet::new();
    let exception = |name: &str, args: &str| exceptions.iter().find(|row| row.is_for(name, args));
    let words = |event: &Value| event["args"].to_string();
    let is_look = |event: &Value| {
        let name = kernels_name(event["call"].as_str().expect("a call"));
        exception(name, &words(event)).is_some_and(|row| row.looks)
    };
    let (looks, told): (Vec<_>, Vec<_>) = half.told.iter().partition(|event| is_look(event));
    let mut told = VecDeque::from(told);
    for seen in &half.seen {
        if let Some(row) = exception(&seen.name, &seen.args) {
            used.insert(row.clone());
            continue;
        }
        let Some(event) = told.pop_front() else {
            return Err(format!("{}: nobody claims {seen:?}", half.side));
        };
        is_same(event, seen)
            .map_err(|why| format!("{}: {event} is not {seen:?}: {why}", half.side))?;
    }
    if let Some(event) = told.front() {
        return Err(format!("{}: invented: {event}", half.side));
    }
    for look in &looks {
        let same = |look: &Value| kernels_name(look["call"].as_str().expect("a call")).to_owned();
        let count = looks.iter().filter(|other| same(other) == same(look)).count();
        let made = half.seen.iter().filter(|seen| seen.name == same(look)).count();
        if count > made {
            return Err(format!("{}: invented: {look}: {count} told, {made} made", half.side));
        }
    }
    Ok(used)
}

/// Runs jec with both, and cuts the time between the first clone and execve out of both.
fn observe(world: &World, words: &[&str]) -> Vec<Half> {
    let (strace_file, trace) = (world.path("strace"), world.path("trace"));
    let mut command = Command::new("strace");
    command.args(["-f", "-s", "300", "-o"]).arg(&strace_file).arg(jec_path());
    command.arg("--root").arg(world.path("state"));
    command.args([words[0], "--trace"]).arg(&trace).args(&words[1..]).stdin(Stdio::null());
    Ran::of(command).ok();
    let lines = fs::read_to_string(&trace).expect("the trace");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let calls = strace(&fs::read_to_string(&strace_file).expect("what strace has seen"));
    cut(&lines, &calls)
}

fn cut(lines: &[Value], calls: &[Seen]) -> Vec<Half> {
    let clone = |event: &Value| event["call"] == "clone3" && event["stage"] == "spawn-middle";
    let execve = |event: &Value| event["call"] == "execve" && event["stage"] == "exec";
    let from = lines.iter().position(clone).expect("the first clone");
    let to = lines.iter().position(execve).expect("execve");
    let told = &lines[from..=to];
    let runtime = lines[0]["pid"].as_i64().expect("a pid");
    let made_by = |pid: i64, begin: usize| {
        let found = calls[begin..].iter().position(|call| call.pid == pid && call.name == "clone3");
        let at = begin + found.expect("a clone");
        (at, calls[at].result.parse().expect("a pid"))
    };
    let (first, middle): (usize, i64) = made_by(runtime, 0);
    let (_, init) = made_by(middle, first);
    let last = calls.iter().position(|call| call.pid == init && call.name == "execve");
    let window = &calls[first..=last.expect("execve")];
    let ours = [("runtime", runtime), ("middle", middle), ("init", init)];
    let children_of = |pids: &[i64]| -> Vec<i64> {
        let forks = ["clone", "fork", "vfork", "clone3"];
        let made = window.iter().filter(|call| pids.contains(&call.pid));
        let made = made.filter(|call| forks.contains(&&*call.name));
        made.filter_map(|call| call.result.split_whitespace().last()?.parse().ok()).collect()
    };
    let own = ours.map(|own| own.1);
    let observers = calls.iter().filter(|call| call.args.contains("jec:[TRACE]"));
    let observers: Vec<_> = observers.map(|call| call.pid).collect();
    let observers = [&observers[..], &children_of(&observers)].concat();
    let mut hooks = children_of(&own);
    hooks.retain(|pid| !own.contains(pid));
    // What a hook makes, once it is a program, is no business of jec's.
    let mut known = [&own[..], &hooks].concat();
    for _ in 0..4 {
        known.extend(children_of(&known));
        known.sort_unstable();
        known.dedup();
    }
    for call in window {
        assert!(
            known.contains(&call.pid) || observers.contains(&call.pid),
            "who is that? {call:?}"
        );
    }
    let half = |(side, pid): (&'static str, i64)| Half {
        side,
        seen: window.iter().filter(|call| call.pid == pid).cloned().collect(),
        told: told
            .iter()
            .filter(|line| line["event"] == "call" && line["side"] == side)
            .filter(|line| line.get("child").is_none())
            .cloned()
            .collect(),
    };
    let mut halves: Vec<_> = ours.into_iter().map(half).collect();
    // One hook after the other: each process, up to its execve, with its part of the lines.
    let mut children = told.iter().filter(|line| line.get("child").is_some()).cloned();
    for pid in hooks {
        let all: Vec<_> = window.iter().filter(|call| call.pid == pid).cloned().collect();
        let end = all.iter().position(|call| call.name == "execve").expect("a hook");
        let mut told = Vec::new();
        while told.last().is_none_or(|line: &Value| line["call"] != "execve") {
            told.push(children.next().expect("the lines of a hook"));
        }
        halves.push(Half { side: "hook", seen: all[..=end].to_vec(), told });
    }
    assert_eq!(children.next(), None, "of no process");
    halves
}

/// Containers of different kinds: by flags with all defaults, and bundles.
fn all(world: &World) -> Vec<Half> {
    let rootfs = common::rootfs().to_string_lossy().into_owned();
    let mut halves = Vec::new();
    let bundle = |name: &str| {
        let bundle = world.bundle(name, |config| {
            for_me(config);
            config["process"]["args"] = json!(["true"]);
        });
        bundle.to_string_lossy().into_owned()
    };
    let mut names =
        vec!["masks", "limits", "time-namespace", "seccomp", "hooks-runtime", "console"];
    if is_root() {
        // With an ordinary user's rights these take newuidmap, which is set-uid, and that counts
        // for nothing under strace.
        names.extend(["identity", "user-namespace"]);
        halves.extend(observe(world, &["run", "--name", &world.id("f"), &rootfs, "true"]));
    }
    for name in names {
        halves.extend(observe(world, &["run", "--bundle", &bundle(name), &world.id(name)]));
    }
    halves
}

fn can_trace() -> bool {
    has_program("strace")
        && Command::new("strace")
            .args(["-o", "/dev/null", "true"])
            .status()
            .is_ok_and(|status| status.success())
}

#[test]
fn every_call_that_changes_something_is_claimed_and_none_is_invented() {
    if !can_trace() {
        skip!("there is no strace, or it may not trace");
    }
    let world = World::new();
    let (exceptions, mut used) = (exceptions(), BTreeSet::new());
    let halves = all(&world);
    for half in &halves {
        assert!(half.told.len() > 2, "{}: {:?}", half.side, half.told);
        used.extend(reconcile(half, &exceptions).unwrap_or_else(|problem| panic!("{problem}")));
    }
    let is_memory = |row: &&Exception| ["brk", "mmap", "munmap"].contains(&&*row.name);
    let needless: Vec<_> =
        exceptions.iter().filter(|row| !used.contains(row) && !is_memory(row)).collect();
    assert!(needless.is_empty(), "{needless:?}");
    world.assert_clean();
}

#[test]
fn a_claim_left_out_or_invented_is_noticed() {
    if !can_trace() {
        skip!("there is no strace, or it may not trace");
    }
    let world = World::new();
    let bundle = world.bundle("masks", |config| {
        for_me(config);
        config["process"]["args"] = json!(["true"]);
    });
    let bundle = bundle.to_string_lossy().into_owned();
    let halves = observe(&world, &["run", "--bundle", &bundle, &world.id("m")]);
    let exceptions = exceptions();
    let mut mutants = 0;
    for half in &halves {
        for at in 0..half.told.len() {
            let is_look = exceptions.iter().any(|row| {
                let (call, args) = (&half.told[at]["call"], half.told[at]["args"].to_string());
                row.looks && row.is_for(kernels_name(call.as_str().expect("a call")), &args)
            });
            if is_look {
                continue;
            }
            let mutant = |told: Vec<Value>| Half { side: half.side, seen: half.seen.clone(), told };
            let mut told = half.told.clone();
            let taken = told.remove(at);
            assert!(reconcile(&mutant(told), &exceptions).is_err(), "left out: {taken}");
            let mut told = half.told.clone();
            told.insert(
                at,
                json!({"call": "unshare", "args": {"flags": "CLONE_NEWNS"}, "result": 0}),
            );
            assert!(reconcile(&mutant(told), &exceptions).is_err(), "invented before {taken}");
            let mut told = half.told.clone();
            told[at]["errno"] = json!("EIO");
            assert!(reconcile(&mutant(told), &exceptions).is_err(), "failed: {taken}");
            mutants += 3;
        }
    }
    assert!(mutants > 300, "{mutants}");
}

#[test]
fn who_is_traced_makes_the_same_calls_as_who_is_not() {
    if !can_trace() {
        skip!("there is no strace, or it may not trace");
    }
    let world = World::new();
    let bundle = world.bundle("masks", |config| {
        for_me(config);
        config["process"]["args"] = json!(["true"]);
    });
    let id = world.id("s");
    let names = |flags: &[&str], file: &Path| {
        let mut command = Command::new("strace");
        command.args(["-f", "-s", "300", "-o"]).arg(file).arg(jec_path());
        command.arg("--root").arg(world.path("state")).arg("run").args(flags);
        command.arg("--bundle").arg(&bundle).arg(&id).stdin(Stdio::null());
        Ran::of(command).ok();
        let calls = strace(&fs::read_to_string(file).expect("what strace has seen"));
        // Init's, from its birth to execve, by its name.
        let init = calls.iter().find(|call| call.args.contains("jec:[2:INIT]")).expect("init").pid;
        let own = calls.into_iter().filter(|call| call.pid == init && call.name != "brk");
        let own = own.map(|call| (call.name, call.result.starts_with("-1")));
        let mut own: Vec<_> = own.collect();
        // `fds` asks of each descriptor that it has listed whether it is a directory, and who is
        // traced has one more.
        let listed = own.iter().rposition(|call| call.0 == "getdents64").expect("fds");
        let asks = own.split_off(listed).into_iter().filter(|call| call.0 != "newfstatat");
        own.extend(asks);
        let end = own.iter().position(|call| call.0 == "execve").expect("execve");
        own[..=end].to_vec()
    };
    let plain = names(&[], &world.path("plain"));
    let trace = world.path("t").to_string_lossy().into_owned();
    let traced = names(&["--trace", &trace], &world.path("traced"));
    assert!(plain.len() > 50, "{plain:?}");
    assert_eq!(plain, traced);
}
