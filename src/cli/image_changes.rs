//! The arguments of `jec image diff` and `jec image commit`.

use std::path::PathBuf;

use clap::Args;

/// `jec image diff`
#[derive(Debug, Args)]
pub struct ChangesArgs {
    /// The container: it runs, or its changes were kept (jec run --keep=DIR)
    #[arg(value_name = "ID")]
    pub id: String,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// `jec image commit`
#[derive(Debug, Args)]
pub struct CommitArgs {
    /// The container: it runs, or its changes were kept (jec run --keep=DIR)
    #[arg(value_name = "ID")]
    pub id: String,
    /// What to call the new image of the store: the layers of the container, and one of its changes
    #[arg(value_name = "NAME", required_unless_present = "layer")]
    pub name: Option<String>,
    /// Write the layer alone, a tar archive, into this new file
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    pub layer: Option<PathBuf>,
}
