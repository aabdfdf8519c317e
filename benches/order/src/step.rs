//! One instruction at a time. See ptrace(2).

use std::collections::HashSet;
use std::fs::metadata;
use std::io::{Error, ErrorKind, Result};
use std::mem::offset_of;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::ptr::null_mut;

use libc::{c_int, c_uint, pid_t};

const FOLLOW: usize = (libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_EXITKILL) as usize;

/// Where an instruction is, and its bytes, with some of the next one's.
pub type Instruction = (u64, [u8; 16]);

/// Calls `seen` with each instruction once, until the command has ended. What it has left running
/// is gone through too, by the next one's call.
pub fn through(jec: &str, words: &[&str], seen: &mut dyn FnMut(Instruction)) -> Result<()> {
    let (program, arguments) = words.split_first().ok_or(ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null());
    // SAFETY: it is one system call.
    unsafe { command.pre_exec(|| ptrace(libc::PTRACE_TRACEME, 0, 0)) };
    let first = command.spawn()?.id().cast_signed();
    let mut known = HashSet::new();
    loop {
        let mut status = 0;
        // SAFETY: it fills the number.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if pid < 0 {
            return Err(Error::last_os_error());
        }
        if libc::WIFSTOPPED(status) {
            step(jec, (pid, pid == first), status, &mut known, seen);
        } else if pid == first {
            eprintln!("order: {}: exit status {}", words.join(" "), libc::WEXITSTATUS(status));
            return Ok(());
        }
    }
}

/// A process that has gone meanwhile is no fault: the next wait tells.
fn step(
    jec: &str,
    (pid, is_first): (pid_t, bool),
    status: c_int,
    known: &mut HashSet<u64>,
    seen: &mut dyn FnMut(Instruction),
) {
    let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
    let has_begun = event == libc::PTRACE_EVENT_EXEC || is_first && known.is_empty();
    if has_begun {
        ptrace(libc::PTRACE_SETOPTIONS, pid, FOLLOW).ok();
        if !is_jec(jec, pid) {
            ptrace(libc::PTRACE_DETACH, pid, 0).ok();
            return;
        }
    }
    let address = next(pid);
    if known.insert(address) {
        seen((address, bytes(pid, address)));
    }
    let is_ours = [libc::SIGTRAP, libc::SIGSTOP].contains(&signal);
    let passed_on = if is_ours { 0 } else { signal.cast_unsigned() as usize };
    ptrace(libc::PTRACE_SINGLESTEP, pid, passed_on).ok();
}

/// Its sealed copy too, which has no path: by the length.
fn is_jec(jec: &str, pid: pid_t) -> bool {
    let length = |path: &str| metadata(path).map(|found| found.len()).ok();
    length(&format!("/proc/{pid}/exe")) == length(jec)
}

fn next(pid: pid_t) -> u64 {
    let rip = offset_of!(libc::user, regs) + offset_of!(libc::user_regs_struct, rip);
    // SAFETY: it reads a register.
    unsafe { libc::ptrace(libc::PTRACE_PEEKUSER, pid, rip, 0) }.cast_unsigned()
}

/// Behind the last page there may be nothing: that reads as 0xff.
fn bytes(pid: pid_t, address: u64) -> [u8; 16] {
    // SAFETY: it reads memory of the other process.
    let word = |at: u64| unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, pid, at, 0) }.to_le_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word(address));
    bytes[8..].copy_from_slice(&word(address + 8));
    bytes
}

fn ptrace(request: c_uint, pid: pid_t, data: usize) -> Result<()> {
    // SAFETY: none of these requests reads or writes memory of ours.
    let result = unsafe { libc::ptrace(request, pid, null_mut::<u8>(), data) };
    if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
}
