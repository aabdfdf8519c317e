//! Hooks: programs that the configuration wants to be run around the container's.

use std::time::Duration;

use super::property::Property;
use crate::error::Result;
use crate::plan::{Hook, Hooks};

/// Reads all six kinds.
pub(super) fn hooks(config: &Property) -> Result<Hooks> {
    let kind = |name| config.each(&format!("hooks.{name}"), hook);
    Ok(Hooks {
        prestart: kind("prestart")?,
        create_runtime: kind("createRuntime")?,
        create_container: kind("createContainer")?,
        start_container: kind("startContainer")?,
        poststart: kind("poststart")?,
        poststop: kind("poststop")?,
    })
}

/// The arguments begin with the program's own name, as those of execv(3) do; where there are
/// none, it is the path.
fn hook(given: &Property) -> Result<Hook> {
    let path = given.at("path")?.absolute()?;
    let mut args = given.each("args", Property::c_string)?;
    if args.is_empty() {
        args.push(path.clone());
    }
    let timeout = given.optional("timeout", |given| given.within(1..=i128::from(i32::MAX)))?;
    Ok(Hook {
        property: given.path(),
        path,
        args,
        env: given.each("env", Property::c_string)?,
        timeout: timeout.map(|seconds: u32| Duration::from_secs(seconds.into())),
    })
}
