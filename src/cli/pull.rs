//! The arguments of `jec pull`.

use std::path::PathBuf;

use clap::Args;

/// `jec pull`
#[derive(Debug, Args)]
#[command(after_help = "\
NAME is what Docker calls it: busybox, busybox:1.36, host:5000/team/app:1.0, NAME@sha256:… A password
comes from $DOCKER_CONFIG/config.json or ~/.docker/config.json, where `docker login` writes it.
What was cut, or stopped by Ctrl-C, goes on when the same command is said again. The digest that is
printed is that of the manifest: NAME@DIGEST means exactly this image for ever.
EXAMPLES:
  jec pull busybox && jec run image:busybox -- sh
  jec run docker://busybox -- sh                (the same, and asks the registry each time)
  jec pull --ca ./ca.pem registry.example.org/app:1.0
jec speaks to registries if it was built so: cargo build --release --features pull")]
pub struct PullArgs {
    /// The image
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Trust those whose certificates are in FILE (PEM), and nobody else [default: $SSL_CERT_FILE,
    /// else those of this machine]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Speak without TLS to another machine: anybody on the way can read, and change what is not
    /// named by a digest. Loopback needs no flag
    #[arg(long)]
    pub plain_http: bool,
    /// Draw no progress bars
    #[arg(short, long)]
    pub quiet: bool,
}
