//! `jec init`: a process 1 for programs that are not made to be one.
//!
//! Process 1 of a pid namespace is special twice. Orphans become its children,
//! and stay zombies until it waits for them. And a signal that it has no
//! handler for is not delivered at all, not even SIGTERM or the one of Ctrl-C
//! (pid_namespaces(7)). Most programs know nothing of either. With `--init`
//! this loop is process 1 and the program its child: it waits for everybody,
//! passes every signal on, and ends as the program ended.

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cli::InitArgs;
use crate::error::Failure;
use crate::sys::signal::{self, READ};
use crate::sys::{process, program, terminal};

/// Runs the program as a child until it ends; its exit status is ours.
pub fn run(args: &InitArgs) -> Result<u8, Failure> {
    let signals = signal::as_messages()?;
    // A process group of its own, so that Ctrl-C reaches it once, from the terminal.
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]).process_group(0);
    // As the stage `exec` would have said it: 127 not found, 126 not executable.
    let not_started = |error| Failure { stage: Some("exec".into()), error };
    let child = program::spawn_unblocked(&mut command).map_err(not_started)?;
    let pid = i32::try_from(child.id()).unwrap_or(0);
    terminal::make_foreground(pid);
    loop {
        signal::watch(&[(signals.as_fd(), READ)], None)?;
        match signal::next(&signals) {
            None => {}
            Some(signal::CHILD) => {
                while let Some((ended, end)) = process::reap()? {
                    if ended == pid {
                        return Ok(end.code());
                    }
                }
            }
            Some(number) => signal::send(pid, number)?,
        }
    }
}
