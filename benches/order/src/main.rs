//! Which functions and constants a start uses, as a linker script that lays them side by side.
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

/// Behind the functions.
const MIDDLE: &str = "\
  }
}
INSERT BEFORE .text;

/* And the constants: tables of these functions, and what the C library keeps. Before .eh_frame,
   whose first word is read by every program. */
SECTIONS
{
  .rodata.start :
  {
";

/// Behind the constants.
const END: &str = "\
  }
}
INSERT BEFORE .eh_frame;
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
    let pieces = map::read(&map)?;
    let (mut code, mut data) = (Vec::new(), Vec::new());
    for line in stdin().lines() {
        let line = line?;
        let words: Vec<_> = line.split_whitespace().collect();
        let (mut new_code, mut new_data) = (BTreeSet::new(), BTreeSet::new());
        step::through(&jec, &words, &mut |(address, bytes)| {
            let executed = map::find(&pieces, address).filter(|piece| !piece.is_data);
            new_code.extend(executed.map(|piece| &piece.pattern));
            let named = named(address, bytes).filter_map(|address| map::find(&pieces, address));
            new_data.extend(named.filter(|piece| piece.is_data).map(|piece| &piece.pattern));
        })?;
        for (all, mut new) in [(&mut code, new_code), (&mut data, new_data)] {
            new.retain(|pattern| !all.contains(pattern));
            all.extend(new);
        }
    }
    Ok([HEAD, &lines(&code), MIDDLE, &lines(&data), END].concat())
}

/// The addresses that an instruction names, by the byte before each that says how it is meant: an
/// offset from the end of the instruction (`[rip+…]`), one beside a register (`[rax+…]`,
/// `[…+rax*8]`), or a number (`mov eax, …`).
fn named(address: u64, bytes: [u8; 16]) -> impl Iterator<Item = u64> {
    (2..=bytes.len() - 4).filter_map(move |at| {
        let number = i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let end = address + at as u64 + 4;
        match (bytes[at - 2], bytes[at - 1]) {
            (_, how) if how & 0xc7 == 0x05 => Some(end.wrapping_add_signed(number.into())),
            (sib, how) if sib & 0xc7 == 0x04 && how & 0x07 == 0x05 => u64::try_from(number).ok(),
            (_, how) if how & 0xc0 == 0x80 || how & 0xf8 == 0xb8 => u64::try_from(number).ok(),
            _ => None,
        }
    })
}

fn lines(patterns: &[&String]) -> String {
    patterns.iter().flat_map(|pattern| ["    ", pattern, "\n"]).collect()
}

fn usage() -> Error {
    Error::other("usage: order JEC MAP <COMMANDS")
}
