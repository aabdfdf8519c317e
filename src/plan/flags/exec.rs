//! From the flags of `jec exec` to the configuration of a further process: the
//! container's own, with another process object.
//!
//! So the filter, the id maps and whatever else concerns every process are the
//! container's. What the new object could give itself beyond that is cut down:
//! no capability above the container's bounding set, and no_new_privs stays.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::capabilities::CapabilityName;
use crate::cli::ExecArgs;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::sys::file;

/// No process object is longer: execve(2) takes 2 MiB of arguments and environment.
const LIMIT: usize = 4 << 20;

/// What a process object that is silent about it has from the container's.
const INHERITED: [&str; 7] = [
    "rlimits",
    "oomScoreAdj",
    "ioPriority",
    "scheduler",
    "execCPUAffinity",
    "apparmorProfile",
    "selinuxLabel",
];

type Object = Map<String, Value>;

/// The plan of a process in the container that this configuration made; `grantable` are the
/// capabilities that jec itself can give.
pub fn plan(args: &ExecArgs, bundle: &Path, config: &str, grantable: u64) -> Result<Plan> {
    let mut document = object("config.json", config)?;
    let Some(Value::Object(own)) = document.remove("process") else {
        return Err(Error::config("process", "is missing: the container has no program"));
    };
    let ceiling = bounding(&own);
    let mut process = match &args.process {
        Some(path) => read(path)?,
        None => changed(own.clone(), args),
    };
    for name in INHERITED {
        let is_silent = process.get(name).is_none_or(|value| value == "");
        let theirs = own.get(name).filter(|_| is_silent);
        process.extend(theirs.map(|value| (name.to_owned(), value.clone())));
    }
    for (name, given) in [("noNewPrivileges", args.no_new_privs), ("terminal", args.tty)] {
        let kept = name != "terminal" && own.get(name) == Some(&json!(true));
        if given || kept {
            process.insert(name.into(), json!(true));
        }
    }
    document.insert("process".into(), process.into());
    let mut plan = Plan::from_document(&args.id, bundle, &document.into(), config.into())?;
    // Of the rest `create` has told.
    plan.warnings.retain(|warning| warning.starts_with("process."));
    add_capabilities(&mut plan, &args.cap, ceiling)?;
    plan.grant_at_most(ceiling & grantable);
    Ok(plan)
}

fn object(shown: &str, text: &str) -> Result<Object> {
    let problem = |error| Error::config(shown, format!("is no JSON object: {error}"));
    serde_json::from_str(text).map_err(problem)
}

fn read(path: &Path) -> Result<Object> {
    let text = file::read_file(file::HERE, &CString::new(path.as_os_str().as_bytes())?, LIMIT)?;
    object(&format!("--process {}", path.display()), &text)
}

/// What no process of the container can have more than.
fn bounding(process: &Object) -> u64 {
    let names = process.get("capabilities").and_then(|sets| sets["bounding"].as_array());
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    let bits = names.filter_map(|name| name.parse::<caps::Capability>().ok());
    bits.fold(0, |mask, capability| mask | capability.bitmask())
}

/// The container's process, with what the flags say.
fn changed(mut process: Object, args: &ExecArgs) -> Object {
    process.insert("args".into(), json!(args.command));
    process.insert("terminal".into(), json!(args.tty));
    // The size of another terminal.
    process.remove("consoleSize");
    let words = [
        ("cwd", &args.cwd),
        ("apparmorProfile", &args.apparmor),
        ("selinuxLabel", &args.process_label),
    ];
    for (name, word) in words {
        process.extend(word.as_ref().map(|word| (name.to_owned(), json!(word))));
    }
    // getenv(3) finds the first of two.
    let name = |variable: &str| variable.split('=').next().map(str::to_owned);
    let is_given = |variable: &Value| {
        args.env.iter().any(|given| name(given) == variable.as_str().and_then(name))
    };
    let mut env = process.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
    env.retain(|variable| !is_given(variable));
    env.extend(args.env.iter().map(|given| json!(given)));
    process.insert("env".into(), env.into());
    if let Some(Value::Object(user)) = process.get_mut("user") {
        change_user(user, args);
    }
    process
}

fn change_user(user: &mut Object, args: &ExecArgs) {
    if let Some((uid, gid)) = args.user {
        user.insert("uid".into(), json!(uid));
        user.extend(gid.map(|gid| ("gid".to_owned(), json!(gid))));
    }
    if !args.additional_gids.is_empty() {
        let groups = user.entry("additionalGids").or_insert_with(|| json!([]));
        if let Some(groups) = groups.as_array_mut() {
            groups.extend(args.additional_gids.iter().map(|gid| json!(gid)));
        }
    }
}

/// Effective and permitted, as in runc; an inheritable one would outlive a change of user (CVE-2022-29162).
fn add_capabilities(plan: &mut Plan, names: &[CapabilityName], ceiling: u64) -> Result<()> {
    let sets = &mut plan.process.capabilities;
    for name in names {
        let mask = match name {
            CapabilityName::All => ceiling,
            CapabilityName::One(capability) if ceiling & capability.bitmask() == 0 => {
                let problem = "is above the container's bounding set, and nothing in it gets more";
                return Err(Error::config(format!("--cap {capability}"), problem));
            }
            CapabilityName::One(capability) => capability.bitmask(),
        };
        sets.bounding |= mask;
        sets.permitted |= mask;
        sets.effective |= mask;
    }
    Ok(())
}
