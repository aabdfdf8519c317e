//! The flags of the commands that look: `plan`, `inspect` and `diff`; and where `run` rests.

use clap::Args;

use super::{ContainerFlags, MakingArgs};

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
    after_help = "A and B: the id of a container, pid:NUMBER, a file that --trace wrote (its state before
execve), or FILE#STAGE (the state after that stage). Numbers of namespaces, sockets and processes are
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

/// Where the making of a container rests, and who made it gets a shell in that process.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Rest before STAGE: a shell in that process, as it is then; `exit 1` abandons
    #[arg(long, value_name = "STAGE")]
    pub stop_before: Option<String>,
    /// Rest after STAGE
    #[arg(long, value_name = "STAGE")]
    pub stop_after: Option<String>,
    /// Rest before each stage
    #[arg(long)]
    pub step: bool,
    /// The two pipes of `jec tour`
    #[arg(long, hide = true, num_args = 2, requires = "step")]
    pub guide: Vec<String>,
}

/// `jec plan`
#[derive(Debug, Args)]
#[command(
    override_usage = "jec plan [FLAGS] [TARGET] [--] [COMMAND…]",
    after_help = "EXAMPLES:
  jec plan --memory 64M ./rootfs ls                what this would do, and why
  jec plan --svg --bundle ./bundle box > box.svg   the same as a picture"
)]
pub struct PlanArgs {
    /// How it would be made.
    #[command(flatten)]
    pub making: MakingArgs,
    /// As with `jec run --detach`: the container rests between create and start
    #[arg(short, long)]
    pub detach: bool,
    /// Print JSON, for programs
    #[arg(long, group = "form")]
    pub json: bool,
    /// Print a picture in the language of graphviz
    #[arg(long, group = "form")]
    pub dot: bool,
    /// Print a picture as SVG
    #[arg(long, group = "form")]
    pub svg: bool,
    /// What would make the container.
    #[command(flatten)]
    pub container: ContainerFlags,
}
