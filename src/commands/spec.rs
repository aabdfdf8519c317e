//! `jec spec`: the config.json that the same flags of `jec run` stand for.

use std::io::{IsTerminal, Write};

use super::machine;
use crate::cgroup::Hierarchy;
use crate::cli::SpecArgs;
use crate::error::{Error, Failure, Result};
use crate::plan::flags::{self, Target};

/// Prints the spec.
pub fn run(args: &SpecArgs) -> Result<u8, Failure> {
    let mut machine = machine(&args.container, &Hierarchy::look()?)?;
    // Standard output is where the spec goes; and the same flags print the same text each time.
    machine.terminal = std::io::stdin().is_terminal();
    machine.id = "jec".into();
    let target = Target::find(&args.container, None, &machine.directory)?;
    if let Target::Bundle { id, .. } = &target {
        let problem = "is a bundle, which has its config.json already";
        return Err(Error::config(format!("{id:?}"), problem).into());
    }
    let text = flags::json(&flags::spec(&args.container, &target, &machine)?)?;
    // A reader that has seen enough (`jec spec | head`) is no error.
    drop(writeln!(std::io::stdout(), "{text}"));
    Ok(0)
}
