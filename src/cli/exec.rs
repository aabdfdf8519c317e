//! The flags of `jec exec`, as engines know them from runc.

use std::path::PathBuf;

use clap::Args;

use super::{BeginArgs, EndsArgs};
use crate::plan::flags::capabilities::{self, CapabilityName};

/// `jec exec`
#[derive(Debug, Args)]
#[command(
    override_usage = "jec exec [FLAGS] ID COMMAND…\n       jec exec [FLAGS] --process FILE ID",
    after_help = "The process gets the container's namespaces, cgroup and system call filter, and never more
capabilities than the container. Exit status: the command's; 128 and the number of the
signal that ended it; 126 or 127 where it cannot be started; 1 where jec itself fails.

EXAMPLES:
  jec exec web ps                                  another command in the container web
  jec exec -t -u 1000:1000 --cwd /tmp web sh       a shell with a terminal, as somebody else
  jec exec -d --pid-file /run/p -p p.json web      as engines do: the process object of a file"
)]
pub struct ExecArgs {
    /// What comes first.
    #[command(flatten)]
    pub begin: BeginArgs,
    /// Take the process from FILE: an object like "process" of config.json
    #[arg(short, long, value_name = "FILE", conflicts_with = "command")]
    pub process: Option<PathBuf>,
    /// Give it a terminal of its own
    #[arg(short, long)]
    pub tty: bool,
    /// Where to tell of it.
    #[command(flatten)]
    pub ends: EndsArgs,
    /// Return when it has started; it then goes on without jec
    #[arg(short, long)]
    pub detach: bool,
    /// Who runs it, in numbers of the container [default: who runs process 1]
    #[arg(short, long, value_name = "UID[:GID]", value_parser = user, conflicts_with = "process")]
    pub user: Option<(u32, Option<u32>)>,
    /// A further group, e.g. 27
    #[arg(short = 'g', long, value_name = "GID", conflicts_with = "process")]
    pub additional_gids: Vec<u32>,
    /// Directory to start in [default: that of process 1]
    #[arg(long, value_name = "DIR", conflicts_with = "process")]
    pub cwd: Option<String>,
    /// Environment variable, besides those of process 1, e.g. -e LANG=C
    #[arg(short, long, value_name = "NAME=VALUE", conflicts_with = "process")]
    pub env: Vec<String>,
    /// A capability that process 1 has in its bounding set only, e.g. NET_ADMIN
    #[arg(short, long, value_name = "NAME", value_parser = capabilities::name)]
    #[arg(conflicts_with = "process")]
    pub cap: Vec<CapabilityName>,
    /// Set-user-ID programs (sudo, su) gain nothing, even where process 1 lets them
    #[arg(long)]
    pub no_new_privs: bool,
    /// Its AppArmor profile [default: that of process 1]
    #[arg(long, value_name = "PROFILE", conflicts_with = "process")]
    pub apparmor: Option<String>,
    /// Its SELinux label [default: that of process 1]
    #[arg(long, value_name = "LABEL", conflicts_with = "process")]
    pub process_label: Option<String>,
    /// Put it into the cgroup PATH below the container's [default: that of process 1]
    #[arg(long, value_name = "PATH", value_parser = cgroup)]
    pub cgroup: Option<String>,
    /// Do not refuse a container that is paused: wait until it goes on
    #[arg(long)]
    pub ignore_paused: bool,
    /// The container
    #[arg(value_name = "ID")]
    pub id: String,
    /// The command with its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    #[arg(required_unless_present = "process")]
    pub command: Vec<String>,
}

fn user(text: &str) -> Result<(u32, Option<u32>), String> {
    let number = |text: &str| {
        text.parse().map_err(|_| format!("{text:?} is no id; write UID or UID:GID, in numbers"))
    };
    let (uid, gid) = text.split_once(':').map_or((text, None), |(uid, gid)| (uid, Some(gid)));
    Ok((number(uid)?, gid.map(number).transpose()?))
}

/// Below the container's own, and never out of it.
fn cgroup(text: &str) -> Result<String, String> {
    if text.split('/').any(|name| name == "..") {
        return Err("`..` would lead out of the container's cgroup".into());
    }
    Ok(text.trim_matches('/').into())
}
