//! Which functions a start uses, as a linker script that lays them side by side.
//!
//!     order JEC MAP <commands
//!
//! Each line of standard input is a command, its words apart by blanks; what only the later ones
//! use comes behind what the first uses. A command is executed one instruction at a time
//! (ptrace(2)), and so is all that it forks, as long as that is JEC. MAP is what lld wrote when it
//! linked JEC with `-Map --no-demangle`: it says which function lies at an address, and how that
//! is called in a linker script.
#![cfg(target_arch = "x86_64")]

mod map;
mod step;

use std::collections::BTreeSet;
use std::io::{Error, Result, stdin};
use std::process::ExitCode;

const HEAD: &str = "\
/* The functions that a start uses, side by side, so that what it does not use is never mapped.
   The kernel maps the 64 KiB around each page that is missed, and without this there is one of
   these functions in nearly all of them. Made by benches/order/run; what is not found is left
   where it was. An asterisk is for what another compiler would name otherwise. */
SECTIONS
{
  .text.start :
  {
";

fn main() -> ExitCode {
    match script() {
        Ok(text) => print!("{text}"),
        Err(error) => {
            eprintln!("order: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn script() -> Result<String> {
    let [jec, map] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| usage())?;
    let functions = map::read(&map)?;
    let mut lines: Vec<String> = Vec::new();
    for line in stdin().lines() {
        let line = line?;
        let words: Vec<_> = line.split_whitespace().collect();
        let mut used = BTreeSet::new();
        step::through(&jec, &words, &mut |address| {
            used.extend(map::find(&functions, address));
        })?;
        used.retain(|pattern| !lines.contains(pattern));
        lines.extend(used);
    }
    Ok(format!("{HEAD}    {}\n  }}\n}}\nINSERT BEFORE .text;\n", lines.join("\n    ")))
}

fn usage() -> Error {
    Error::other("usage: order JEC MAP <COMMANDS")
}
