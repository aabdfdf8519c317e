//! `jec update`: other limits for a container that exists.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::{find, open_proc};
use crate::cgroup::Cgroup;
use crate::cli::{Global, UpdateArgs};
use crate::error::{Error, Failure, Result};
use crate::plan::change_limits;
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
    let resources = &mut config["linux"]["resources"];
    let limits = change_limits(resources, &given)?;
    if resources["memory"]["checkBeforeUpdate"] == true {
        refuse_below_usage(&cgroup, &limits)?;
    }
    cgroup.limit(&limits)?;
    container.write_config(&config)?;
    Ok(0)
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
    parsed(&name, &text)
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
