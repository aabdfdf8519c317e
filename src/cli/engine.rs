//! What engines say beside the life of a container, in the words of runc.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::plan::flags::quantity::size;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `time="…" level=error msg="…"`
    Text,
    /// An object a line.
    Json,
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns, to be read.
    Table,
    /// For programs.
    Json,
}

/// `jec list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// How it is printed
    #[arg(short, long, value_enum, default_value = "table")]
    pub format: Format,
    /// Print the ids only
    #[arg(short, long)]
    pub quiet: bool,
}

/// `jec ps`
#[derive(Debug, Args)]
pub struct PsArgs {
    /// Columns of ps(1), or the numbers of the processes only
    #[arg(short, long, value_enum, default_value = "table")]
    pub format: Format,
    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
    /// Options of ps(1) [default: -ef]
    #[arg(value_name = "OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
    pub options: Vec<String>,
}

/// `jec events`
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Print what it uses now, and end
    #[arg(long)]
    pub stats: bool,
    /// How often, e.g. 500ms, 5s, 1m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = interval)]
    pub interval: Duration,
    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
}

/// `jec update`
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct UpdateArgs {
    /// Take linux.resources from FILE, or from standard input (-), instead of from flags
    #[arg(short, long, value_name = "FILE")]
    pub resources: Option<PathBuf>,
    /// Memory, e.g. 64M; -1: no limit
    #[arg(long, value_name = "SIZE", value_parser = size_or_none)]
    memory: Option<i64>,
    /// Memory that is taken away last
    #[arg(long, value_name = "SIZE", value_parser = size_or_none)]
    memory_reservation: Option<i64>,
    /// Memory and swap together
    #[arg(long, value_name = "SIZE", value_parser = size_or_none)]
    memory_swap: Option<i64>,
    /// Microseconds of processor in each period
    #[arg(long, value_name = "N")]
    cpu_quota: Option<i64>,
    /// The period, in microseconds
    #[arg(long, value_name = "N")]
    cpu_period: Option<u64>,
    /// Microseconds that may be saved up
    #[arg(long, value_name = "N")]
    cpu_burst: Option<u64>,
    /// Weight of its processor time, usually 1024
    #[arg(long, visible_alias = "cpu-share", value_name = "N")]
    cpu_shares: Option<u64>,
    /// 1: only what nobody else wants
    #[arg(long, value_name = "N")]
    cpu_idle: Option<i64>,
    /// Processors, e.g. 0-3,8
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Processes; -1: no limit
    #[arg(long, value_name = "N")]
    pids_limit: Option<i64>,
    /// Weight of its disk operations, 10 to 1000
    #[arg(long, value_name = "N")]
    blkio_weight: Option<u16>,
    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
}

impl UpdateArgs {
    /// What the flags say, as linux.resources.
    pub fn given(&self) -> Value {
        let flags = [
            ("memory", "limit", json!(self.memory)),
            ("memory", "reservation", json!(self.memory_reservation)),
            ("memory", "swap", json!(self.memory_swap)),
            ("cpu", "quota", json!(self.cpu_quota)),
            ("cpu", "period", json!(self.cpu_period)),
            ("cpu", "burst", json!(self.cpu_burst)),
            ("cpu", "shares", json!(self.cpu_shares)),
            ("cpu", "idle", json!(self.cpu_idle)),
            ("cpu", "cpus", json!(self.cpuset_cpus)),
            ("cpu", "mems", json!(self.cpuset_mems)),
            ("pids", "limit", json!(self.pids_limit)),
            ("blockIO", "weight", json!(self.blkio_weight)),
        ];
        let mut resources = json!({});
        for (part, name, value) in flags.into_iter().filter(|flag| !flag.2.is_null()) {
            resources[part][name] = value;
        }
        resources
    }
}

fn size_or_none(text: &str) -> Result<i64, String> {
    let bytes = if text == "-1" { Ok(-1) } else { size(text)?.try_into() };
    bytes.map_err(|_| "is too large".into())
}

/// A time as Go writes it, of one unit.
fn interval(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.trim_end_matches(unit).parse::<u64>().ok().filter(|number| *number > 0);
    let factor = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let time = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    time.map(Duration::from_millis).ok_or_else(|| "is not a time such as 500ms, 5s or 1m".into())
}
