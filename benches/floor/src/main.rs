//! The floor: what the isolation of a default container costs when nothing
//! else is paid for. No configuration, no state, no checks, no second thoughts:
//! only the system calls, in the order of jec's stages. What a runtime needs
//! beyond this time is the price of its own work.
//!
//! Every part has a switch, so that the price of each can be read: leave it
//! out, and look at the difference. It is a measuring instrument and no
//! runtime: it trusts the root it is given (paths instead of openat2), and
//! after an error it leaves its cgroup behind.

mod call;
mod devices;
mod init;
mod options;
mod root;
mod runtime;

use std::ffi::CString;
use std::time::Instant;

use call::{c, call, execveat, fail, p};
use options::{USAGE, parse};

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().cloned().as_deref() {
        Some(mode @ ("--repeat" | "--time")) if args.len() > 2 => {
            let count = args[1].parse().unwrap_or_else(|_| fail(&format!("{mode}: a number")));
            let mut command = args.split_off(2);
            if mode == "--repeat" {
                command.insert(0, "/proc/self/exe".into());
            }
            repeat(count, &command);
        }
        Some("-h" | "--help") | None => println!("{USAGE}"),
        _ => {
            let options = parse(args.into_iter());
            if options.seal && std::env::var_os("FLOOR_SEALED").is_none() {
                seal();
            }
            std::process::exit(runtime::start(&options));
        }
    }
}

/// Runs the command `count` times and prints percentiles of the wall time,
/// which holds everything: the spawn, the loader, the work, the exit.
fn repeat(count: usize, command: &[String]) {
    let mut times: Vec<u128> = (0..count)
        .map(|_| {
            let begin = Instant::now();
            let status = std::process::Command::new(&command[0]).args(&command[1..]).status();
            if !status.is_ok_and(|status| status.success()) {
                fail(&format!("{} failed", command[0]));
            }
            begin.elapsed().as_micros()
        })
        .collect();
    times.sort_unstable();
    let at = |percent: usize| times.get(count * percent / 100).copied().unwrap_or(0);
    println!("{} us median, {} least, {} p10, {} p90, of {count}", at(50), at(0), at(10), at(90));
}

/// Executes this binary again from a read-only mount that is attached nowhere.
fn seal() {
    let mount = call!(SYS_open_tree, root::HERE, p(c"/proc/self/exe"), root::COPY);
    root::set_attributes(mount, root::RDONLY, 0);
    let args: Vec<CString> = std::env::args().map(|arg| c(&arg)).collect();
    execveat(mount, c"", &args, &[c("FLOOR_SEALED=1")]);
}
