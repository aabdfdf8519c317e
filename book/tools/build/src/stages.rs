//! What `jec stages --json` says.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// A row of STAGES.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The process that runs it.
    pub side: String,
    /// Its part of the life, and of the book.
    pub part: String,
    /// The condition.
    pub when: String,
    /// What it does.
    pub what: String,
    /// Why it stands where it stands.
    pub why_here: String,
    /// Its chapter: a stage with two rows has one.
    pub chapter: String,
}

/// The rows, from the program that the variable JEC names.
pub fn load() -> Result<Vec<Stage>> {
    let jec = std::env::var("JEC").unwrap_or_else(|_| "jec".into());
    let output = Command::new(&jec).args(["stages", "--json"]).output().context(jec)?;
    let stages: Vec<Stage> = serde_json::from_slice(&output.stdout).context("jec stages --json")?;
    if stages.is_empty() {
        bail!("jec stages --json: there are none");
    }
    Ok(stages)
}

/// The module of a chapter.
pub fn module(chapter: &str) -> String {
    format!("src/stages/{}.rs", chapter.replace('-', "_"))
}

/// Parts and chapters in the order of the table, each once: what SUMMARY.md must say.
pub fn chapters(stages: &[Stage]) -> Vec<(String, String)> {
    let mut chapters: Vec<(String, String)> = Vec::new();
    for stage in stages {
        if !chapters.iter().any(|(_, chapter)| *chapter == stage.chapter) {
            chapters.push((stage.part.clone(), stage.chapter.clone()));
        }
    }
    chapters
}
