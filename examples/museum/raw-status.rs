//! Its author believed: waitpid has given me the exit status, so I print it and end with it.
//!
//! What waitpid(2) gives is a word in which the exit status is the second byte and the signal the
//! lowest seven bits. Printed raw, 3 is 768, and death by SIGKILL looks like exit status 9. Handed on
//! to exit(2), which keeps the lowest byte, 768 is 0: a container that failed has succeeded.

use std::env;
use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, exit};

fn main() -> Result<(), Box<dyn Error>> {
    // As the runtime of the mistake, or the mended one: runs a script, ends as it ended.
    if let [_, way, script] = &env::args().collect::<Vec<_>>()[..] {
        let status = Command::new("sh").args(["-c", script]).status()?;
        exit(if way == "raw" { mistake(status) } else { mend(status) });
    }
    println!("believed: outside, one sees how the container has ended");
    let ends = all("raw")?;
    shows("seen", &format!("exit 3, exit 9, kill -9 are {ends:?}"), ends == [0, 0, 9])?;
    let ends = all("mended")?;
    shows("mended", &format!("exit 3, exit 9, kill -9 are {ends:?}"), ends == [3, 9, 137])
}

fn mistake(status: ExitStatus) -> i32 {
    println!("          the container ended with {}", status.into_raw());
    status.into_raw()
}

fn mend(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 255,
    }
}

/// What a shell outside would see, of three containers.
fn all(way: &str) -> Result<[i32; 3], Box<dyn Error>> {
    Ok([run(way, "exit 3")?, run(way, "exit 9")?, run(way, "kill -9 $$")?])
}

fn run(way: &str, script: &str) -> Result<i32, Box<dyn Error>> {
    println!("          $ raw-status {way} '{script}'; echo $?");
    let status = Command::new("/proc/self/exe").args([way, script]).status()?;
    Ok(status.code().ok_or("killed")?)
}

/// Prints a line that is so; one that is not ends the visit with status 1.
fn shows(label: &str, text: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this is not so: {label}: {text}").into());
    }
    println!("{:10}{text}", format!("{label}:"));
    Ok(())
}
