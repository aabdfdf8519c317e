//! Writes the man pages of jec and its completions for bash, zsh and fish, from the table of the
//! command line itself, so that neither can tell of a flag that there is not.
//!
//! `cargo run --example manual -- DIR`; what it takes for that is no part of jec.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use jec::cli::Cli;

/// Writes all of them into a directory that exists.
pub fn write(dir: &Path) -> io::Result<()> {
    let command = Cli::command();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command.clone(), "jec", dir)?;
    }
    // Those for engines are left out of the short help only.
    clap_mangen::generate_to(command.mut_subcommands(|of| of.hide(false)), dir)
}

/// The directory is the first argument.
#[allow(dead_code)] // a test includes this file
fn main() -> io::Result<()> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "target/manual".into());
    fs::create_dir_all(&dir)?;
    write(Path::new(&dir))?;
    writeln!(io::stdout(), "{dir}: man pages jec*.1, completions jec.bash, _jec, jec.fish")
}
