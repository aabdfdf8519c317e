//! The lines of a trace. `trace.schema.json` says the same to other programs; a test compares.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::stages::Stage;

/// What lines look like; a change that a reader could stumble over gets a new number.
pub const FORMAT: u32 = 1;

/// Where a process is in the table.
#[derive(Clone, Default)]
pub struct Place {
    /// A stage, or what is none: the making of the plan, the time of the program.
    pub name: String,
    pub side: String,
    pub stage: Option<&'static Stage>,
}

/// A line of the trace.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    pub event: &'a str,
    pub sequence: u64,
    /// Nanoseconds since the begin.
    pub time: i64,
    #[serde(flatten)]
    pub rest: Event<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Event<'a> {
    Begin {
        format: u32,
        jec: &'a str,
        kernel: &'a str,
        command: Vec<String>,
        pid: i32,
        /// CLOCK_MONOTONIC where `time` is 0.
        clock: i64,
    },
    Stage {
        stage: &'a str,
        side: &'a str,
        what: Option<&'a str>,
        why: Option<&'a str>,
        part: Option<&'a str>,
        chapter: Option<&'a str>,
    },
    Call {
        stage: &'a str,
        side: &'a str,
        /// Of a process that this side has made beside the three: a hook, until it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        child: Option<bool>,
        call: &'a str,
        #[serde(serialize_with = "in_order")]
        args: Vec<(&'static str, Value)>,
        /// Neither a result nor an errno: it has not returned.
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        errno: Option<&'a str>,
        why: Option<&'a str>,
        file: &'a str,
        line: u32,
        chapter: Option<&'a str>,
    },
    State {
        of: &'a str,
        /// What it is compared with, where it was not there before.
        from: Option<&'a str>,
        /// The stage that has just ended.
        after: Option<&'a str>,
        #[serde(serialize_with = "in_order")]
        changed: Vec<(&'a str, Value)>,
    },
    /// Whoever had begun to tell something was killed.
    Lost {},
    End {
        code: u8,
    },
}

fn in_order<S: Serializer>(pairs: &[(&str, Value)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}
