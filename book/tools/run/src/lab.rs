//! A fresh lab machine for each chapter: book/tools/machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::guest::{Orders, Told, Typed};

const MACHINE: &str = "book/tools/machine";

/// A machine that has booted and that nobody has used. Copies of it are.
#[derive(Debug, Clone)]
pub struct Frozen {
    repository: PathBuf,
    directory: String,
}

impl Frozen {
    /// Boots it, unless that has been done for this jec and this repository.
    ///
    /// The program that types in there is this one: it is static, and goes along.
    pub fn new(repository: &Path) -> Result<Self> {
        let mut machine = Command::new(repository.join(MACHINE));
        machine.arg("freeze").arg(std::env::current_exe()?).stdin(Stdio::null());
        let output = machine.stderr(Stdio::inherit()).output().context(MACHINE)?;
        let directory = said(&output)?.trim().to_owned();
        Ok(Self { repository: repository.to_owned(), directory })
    }

    /// Types the script in a copy, and comes back with what was seen.
    pub fn execute(&self, script: Vec<Typed>) -> Result<Told> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let chance = u16::try_from(now.as_micros() % 65_536)?;
        let mut orders = serde_json::to_string(&Orders { script, chance })?;
        orders.push('\n');
        let mut machine = Command::new(self.repository.join(MACHINE));
        machine.args(["thaw", &self.directory]).stdin(Stdio::piped());
        let mut machine = machine.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // Dropped at once, which is how the machine learns that this is all.
        machine.stdin.take().context("it is piped")?.write_all(orders.as_bytes())?;
        let output = machine.wait_with_output().context(MACHINE)?;
        let text = said(&output)?;
        serde_json::from_str(&text).with_context(|| format!("the machine said:\n{text}"))
    }
}

fn said(output: &Output) -> Result<String> {
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("the lab machine ended with {}:\n{errors}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
