//! `jec diff`: what differs between two containers, processes or traces.

use std::io::Write;

use serde_json::json;

use super::inspect::running;
use super::open_proc;
use super::state::print;
use crate::cli::{DiffArgs, Global};
use crate::error::{Error, Failure, Result};
use crate::log;
use crate::microscope::diff::{self, Source};

/// 0 where nothing differs, 1 where something does, 2 on trouble: as diff(1).
pub fn run(global: &Global, args: &DiffArgs) -> Result<u8, Failure> {
    compare(global, args).or_else(|failure| {
        log::error(&failure.to_string());
        Ok(2)
    })
}

fn compare(global: &Global, args: &DiffArgs) -> Result<u8, Failure> {
    let (a, b) = (facts(global, &args.a)?, facts(global, &args.b)?);
    let differ = diff::differences(&a, &b);
    if args.json {
        let list = differ.iter().map(|(key, a, b)| json!({"key": key, "a": a, "b": b}));
        let list: Vec<_> = list.collect();
        print(&json!({"a": args.a, "b": args.b, "differences": list}))?;
    } else {
        // A reader that has seen enough is no error.
        drop(std::io::stdout().write_all(diff::text(&differ).as_bytes()));
    }
    Ok(u8::from(!differ.is_empty()))
}

/// What `pid:7`, `FILE`, `FILE#STAGE` or an id stands for.
fn facts(global: &Global, word: &str) -> Result<diff::Facts> {
    let proc = open_proc()?;
    if let Some(pid) = word.strip_prefix("pid:") {
        let pid = pid.parse().map_err(|_| Error::config(word, "pid:NUMBER, e.g. pid:1"))?;
        return diff::of_process(&proc, &Source { word, pid });
    }
    let (file, stage) = word.split_once('#').map_or((word, None), |(file, at)| (file, Some(at)));
    if stage.is_some() || std::path::Path::new(file).is_file() {
        return diff::of_trace(file, stage);
    }
    diff::of_process(&proc, &Source { word, pid: running(global, word, &proc)? })
}
