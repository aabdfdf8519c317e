//! The arguments of `jec unpack`.

use std::path::PathBuf;

use clap::Args;

use crate::plan::flags::quantity;

/// `jec unpack`
#[derive(Debug, Args)]
#[command(mut_arg("rootless", |rootless| {
    // Of every command, where engines give it a value; here it means something by itself.
    let help = "As root too, make nothing that takes root: files are yours, devices are left out";
    let alone = rootless.num_args(0..=1).require_equals(true).default_missing_value("true");
    alone.help(help).help_heading(None::<&str>).hide_short_help(false)
}))]
#[command(after_help = "\
As root, owners (by number), modes, times, devices, attributes and file capabilities come out
as the archive has them. An ordinary user gets the same inside her containers, where /etc/subuid
lends her ids, and is told what was left out. DIR has to be new or empty; until it is whole it is
called DIR.jec-partial. It may hold set-user-ID programs of somebody else: keep it where only you
get at it.
EXAMPLES:
  jec unpack alpine-minirootfs.tar.gz ./alpine && jec run ./alpine -- sh
  curl -L https://example.org/rootfs.tar.xz | jec unpack - ./root")]
pub struct UnpackArgs {
    /// A tar archive, plain or compressed by gzip, xz or zstd; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The directory to be made
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Let it become SIZE long, and grow as it will [default: 256G, and 200 times its own length]
    #[arg(long, value_name = "SIZE", value_parser = quantity::size_above_zero)]
    pub max_size: Option<u64>,
}
