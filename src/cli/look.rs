//! The flags of the commands that look: `inspect` and `diff`.

use clap::Args;

/// `jec inspect`
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The container
    #[arg(value_name = "ID", required_unless_present = "pid", conflicts_with = "pid")]
    pub id: Option<String>,
    /// Any process instead, another runtime's container too
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Option<i32>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// `jec diff`
#[derive(Debug, Args)]
#[command(
    after_help = "A and B: the id of a container, pid:NUMBER, a file that --trace wrote (its last state), or
FILE#STAGE (the state after that stage). Numbers of namespaces, sockets and processes are
replaced by names; times and what is used now are left out.
Exit status: 0 nothing differs, 1 something does, 2 trouble."
)]
pub struct DiffArgs {
    /// One
    #[arg(value_name = "A")]
    pub a: String,
    /// The other
    #[arg(value_name = "B")]
    pub b: String,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}
