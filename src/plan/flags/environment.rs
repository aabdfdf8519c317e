//! `--env`, and the environment of a container that asks for none.

use super::Machine;
use crate::error::{Error, Result};

/// One `--env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The name.
    pub name: String,
    /// The value; none: copied from jec's own environment.
    pub value: Option<String>,
}

/// The search path of every container: the host's own says nothing about its directories.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `NAME=VALUE`, or `NAME` alone.
pub fn variable(text: &str) -> std::result::Result<Variable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if name.is_empty() || text.contains('\0') {
        return Err("write NAME=VALUE, or NAME to copy your own variable".into());
    }
    Ok(Variable { name: name.into(), value: value.map(Into::into) })
}

/// process.env: PATH, HOME, with a terminal TERM; then what the flags ask for.
pub(super) fn environment(
    wanted: &[Variable],
    home: &str,
    terminal: bool,
    machine: &Machine,
) -> Result<Vec<String>> {
    let mut all = vec![("PATH", PATH), ("HOME", home)];
    if terminal {
        all.push(("TERM", machine.environment.get("TERM").map_or("xterm", |term| term)));
    }
    for variable in wanted {
        let name = &*variable.name;
        let value = match &variable.value {
            Some(value) => value,
            None => machine.environment.get(name).ok_or_else(|| missing(name))?,
        };
        // getenv(3) finds the first of two: the last flag must win, so no name stands twice.
        all.retain(|(other, _)| *other != name);
        all.push((name, value));
    }
    Ok(all.iter().map(|(name, value)| format!("{name}={value}")).collect())
}

fn missing(name: &str) -> Error {
    let problem = "your own environment has no such variable (or it is not UTF-8)";
    Error::config(format!("--env {name}"), format!("{problem}; give a value: --env {name}=VALUE"))
}
