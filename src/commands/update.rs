//! `jec update`: other limits for a container that exists.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::{find, open_proc};
use crate::cgroup::{Cgroup, systemd};
use crate::cli::{Global, UpdateArgs};
use crate::error::{Error, Failure, Result};
use crate::plan::limits_of;
use crate::state::Status;

/// Writes them, and into the configuration, so that they are known later. The rules
/// for devices stay as they were, whatever the file says of them.
pub fn run(global: &Global, args: &UpdateArgs) -> Result<u8, Failure> {
    let (_, container) = find(global, &args.id, &open_proc()?)?;
    let wrong = |problem: &str| Error::state(&args.id, problem);
    if container.status()? == Status::Stopped {
        return Err(wrong("container not running").into());
    }
    let cgroup = container.cgroup()?.ok_or_else(|| wrong("has no cgroup, so no limits"))?;
    let given = args.resources.as_deref().map_or_else(|| Ok(args.given()), from_file)?;
    let mut config = parsed("config.json", &container.config()?)?;
    let saved = &mut config["linux"]["resources"];
    let given = completed(given, saved);
    let limits = limits_of(&given)?;
    merge(saved, given);
    if saved["memory"]["checkBeforeUpdate"] == true {
        refuse_below_usage(&cgroup, &limits)?;
    }
    systemd::tell(&cgroup.path, &limits)?;
    cgroup.limit(&limits)?;
    container.write_config(&config)?;
    Ok(0)
}

/// What belongs together is written together: the rest of it is taken from what was said before.
fn completed(mut given: Value, saved: &Value) -> Value {
    const TOGETHER: [(&str, &[&str]); 2] =
        [("memory", &["limit", "swap"]), ("cpu", &["quota", "period", "burst"])];
    for (part, names) in TOGETHER {
        let Some(object) = given[part].as_object() else {
            continue;
        };
        let has = |name: &&&str| object.get(**name).is_some_and(|value| !value.is_null());
        if !names.iter().any(|name| has(&name)) {
            continue;
        }
        let missing: Vec<_> = names.iter().filter(|name| !has(name)).collect();
        for name in missing {
            let said = &saved[part][*name];
            // Without a limit of memory there is none of memory and swap.
            let lifted = *name == "swap" && given[part]["limit"] == -1 && !said.is_null();
            given[part][*name] = if lifted { (-1).into() } else { said.clone() };
        }
    }
    given
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from.into_iter().filter(|(_, value)| !value.is_null()) {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn from_file(path: &Path) -> Result<Value> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    let name = format!("--resources {}", path.display());
    read.map_err(|error| Error::config(&*name, error.to_string()))?;
    parsed(&name, &text).map(without_zeros)
}

/// Docker names all that it could change, and says 0 of what stays as it is.
fn without_zeros(mut given: Value) -> Value {
    const UNSET: [(&str, &[&str]); 2] = [
        ("memory", &["limit", "swap", "reservation", "kernel", "kernelTCP"]),
        ("cpu", &["shares", "quota", "period"]),
    ];
    for (part, names) in UNSET {
        let object = given.get_mut(part).and_then(Value::as_object_mut).into_iter();
        object.for_each(|all| all.retain(|name, value| *value != 0 || !names.contains(&&**name)));
    }
    given
}

fn parsed(name: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::config(name, format!("is not JSON: {error}")))
}

/// The kernel would take the memory back, and kill for it.
fn refuse_below_usage(cgroup: &Cgroup, limits: &[(String, String)]) -> Result<()> {
    let limit = limits.iter().find(|(file, _)| file == "memory.max");
    let limit: Option<u64> = limit.and_then(|(_, value)| value.parse().ok());
    let usage = cgroup.file(c"memory.current")?.and_then(|text| text.trim().parse().ok());
    match limit.zip(usage) {
        Some((limit, usage)) if limit < usage => {
            let problem = format!("{limit} is less than the {usage} that are in use");
            Err(Error::config("linux.resources.memory.limit", problem))
        }
        _ => Ok(()),
    }
}
