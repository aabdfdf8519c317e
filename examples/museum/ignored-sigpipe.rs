//! Its author believed: execve gives the program a fresh start.
//!
//! Handlers are gone after execve(2), but what is ignored stays ignored, and Rust's standard library
//! ignores SIGPIPE before main. So every program in the container does: `yes | head` ends with an
//! error message instead of in silence. See signal(7), execve(2).
#![allow(unsafe_code)]

use std::env;
use std::error::Error;
use std::process::Command;

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::execvp;

/// Bit 12: SIGPIPE is 13, and the first signal is 1.
const SIGPIPE: u64 = 1 << 12;

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(way) = env::args().nth(1) {
        if way == "mended" {
            mend()?;
        }
        return mistake();
    }
    println!("believed: the program ignores no signal");
    let (line, ignored) = program("seen")?;
    shows("seen", &line, ignored & SIGPIPE != 0)?;
    let (line, ignored) = program("mended")?;
    shows("mended", &line, ignored & SIGPIPE == 0)
}

fn mistake() -> Result<(), Box<dyn Error>> {
    execvp(c"grep", &[c"grep", c"SigIgn", c"/proc/self/status"])?;
    Ok(())
}

fn mend() -> nix::Result<()> {
    // SAFETY: the default action is no handler, so none runs at a wrong moment.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.map(drop)
}

fn program(way: &str) -> Result<(String, u64), Box<dyn Error>> {
    println!("          $ grep SigIgn /proc/self/status");
    let output = Command::new("/proc/self/exe").arg(way).output()?;
    let line = String::from_utf8(output.stdout)?.trim().replace('\t', " ");
    let set = line.split(' ').nth(1).ok_or("no set")?;
    let set = u64::from_str_radix(set, 16)?;
    Ok((line, set))
}

/// Prints a line that is so; one that is not ends the visit with status 1.
fn shows(label: &str, text: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this is not so: {label}: {text}").into());
    }
    println!("{:10}{text}", format!("{label}:"));
    Ok(())
}
