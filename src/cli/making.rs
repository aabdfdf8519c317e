//! The flags of every command that makes a process.

use std::path::PathBuf;

use clap::Args;

/// What every command takes that makes a process.
#[derive(Debug, Args)]
pub struct BeginArgs {
    /// Print each step and its system calls while they happen
    #[arg(long)]
    pub explain: bool,
    /// Write each call, and what it changes in the kernel's state, to FILE as lines of JSON
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Let the program have N descriptors above 2 as well
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub preserve_fds: u32,
}

/// What `create` and `run` take beside the configuration.
#[derive(Debug, Args)]
pub struct MakingArgs {
    /// What comes first.
    #[command(flatten)]
    pub begin: BeginArgs,
    /// Take the container from DIR/config.json; TARGET is then its id [default: .]
    #[arg(short, long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// Do what the bundle's annotations jec.overlay say: they name directories of the host
    #[arg(long, hide_short_help = true)]
    pub bundle_overlay: bool,
    /// Where to tell of its process.
    #[command(flatten)]
    pub ends: EndsArgs,
    /// Where the root of this machine is an initramfs: MS_MOVE and chroot instead of pivot_root
    #[arg(long)]
    pub no_pivot: bool,
    /// Leave the container in the session keyring of the caller
    #[arg(long)]
    pub no_new_keyring: bool,
}

/// Where an engine wants to hear of a process that is made.
#[derive(Debug, Args)]
pub struct EndsArgs {
    /// Write the number of the process into FILE
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Send the master of its terminal to the unix socket PATH
    #[arg(long, value_name = "PATH")]
    pub console_socket: Option<PathBuf>,
    /// Send a pidfd of it to the unix socket PATH
    #[arg(long, value_name = "PATH")]
    pub pidfd_socket: Option<PathBuf>,
}
