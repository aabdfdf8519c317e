//! Pages of the source itself, so that every reference to a line can be followed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bookrun::report::escape;

/// The folders that chapters refer to.
const FOLDERS: [&str; 4] = ["src", "tests", "examples", "rootfs-scripts"];

/// Writes a page for each source file below `out`/source.
pub fn write(repository: &Path, out: &Path) -> Result<usize> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        walk(&repository.join(folder), &mut files)?;
    }
    let mut written = 0;
    for file in files {
        // Whatever is not text has no lines to refer to.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let path = file.strip_prefix(repository)?.to_string_lossy().into_owned();
        let target = out.join("source").join(format!("{path}.html"));
        fs::create_dir_all(target.parent().context("it has a parent")?)?;
        fs::write(&target, page(&path, &text))?;
        written += 1;
    }
    Ok(written)
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != "rootfs" {
            walk(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn page(path: &str, text: &str) -> String {
    let up = "../".repeat(path.matches('/').count() + 1);
    let lines: String = text
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let number = at + 1;
            format!(
                "<span id=\"L{number}\"><a href=\"#L{number}\">{number}</a>{}</span>\n",
                escape(line)
            )
        })
        .collect();
    include_str!("source.html")
        .replace("{{up}}", &up)
        .replace("{{path}}", path)
        .replace("{{lines}}", &lines)
}
