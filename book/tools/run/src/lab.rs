//! A fresh lab machine for each chapter.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::guest::{Told, Typed};

/// A chapter must end within so many seconds, boot included.
const DEADLINE: &str = "600";

/// Boots a machine, types the script there, and comes back with what was seen.
///
/// The program that types is this one: it is static, and goes along.
pub fn execute(repository: &Path, script: &[Typed]) -> Result<Told> {
    let program = std::env::current_exe()?;
    let program = program.strip_prefix(repository).context("it is not below target/book")?;
    let output = Command::new(repository.join("tests/vm/run"))
        .args(["--deadline", DEADLINE, "--carry"])
        .arg(program)
        .arg("--")
        .arg(program)
        .arg("guest")
        .arg(serde_json::to_string(script)?)
        .stdin(Stdio::null())
        .output()
        .context("tests/vm/run")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("the lab machine ended with {}:\n{errors}", output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("the machine said:\n{errors}"))
}
