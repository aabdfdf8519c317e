//! The arguments of `jec image`.

use clap::{Args, Subcommand};

/// `jec image`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
An image is layers, each a tree of files, and a configuration that says what to run in them. They are
kept in /var/lib/jec, for ordinary users in ~/.local/share/jec (or $XDG_DATA_HOME/jec), each layer once.
NAME is a name of the list, or the beginning of an id. Run one by jec run image:NAME.
EXAMPLES:
  skopeo copy docker://debian:12 oci:debian:12 && jec run oci:debian:12 -- bash
  podman save alpine > alpine.tar && jec image import docker-archive:alpine.tar
  jec image tree alpine | less"
)]
pub struct ImageArgs {
    /// What to do; list, if nothing is said.
    #[command(subcommand)]
    pub command: Option<ImageCommand>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// What to do with images.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// List the images: what `jec image` alone does
    List(ListedArgs),
    /// Show the layers, the configuration and the history of an image
    Show(ImageNameArgs),
    /// Show which file comes from which layer, and what it hides
    Tree(ImageNameArgs),
    /// Put an image into the store without running it
    Import(ImportArgs),
    /// Remove images, and the layers that no other image has
    Rm(RemoveArgs),
    /// Show what a container has changed: A is new, C another, D gone
    Diff(super::ChangesArgs),
    /// Make an image, or a layer, of what a container has changed; the same changes, the same bytes
    Commit(super::CommitArgs),
    /// Remove all images without a name, and the layers that no image has
    Prune,
}

/// `jec image list`
#[derive(Debug, Args)]
pub struct ListedArgs {
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// `jec image show`, `jec image tree`
#[derive(Debug, Args)]
pub struct ImageNameArgs {
    /// A name, or the beginning of an id
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// `jec image import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// oci:DIR, oci-archive:FILE or docker-archive:FILE, where :TAG may follow; docker://NAME
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// What to call it [default: its own name, or that of the file]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// `jec image rm`
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// Names, or beginnings of ids; of several names of an image only this one goes
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
}
