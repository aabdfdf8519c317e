//! A tracer: runs jec and stands beside it and its children at every system
//! call, to kill one there, to let the call fail, or to send a signal.
//!
//! strace can do such things too, but it counts each call by its name, and
//! cannot tell jec from its children; here a point is "the 17th call of init".
//! See ptrace(2). The program that init becomes is let go.
#![allow(dead_code, unsafe_code)]

use std::collections::HashMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Which of jec's processes, in the order in which they are made.
pub const JEC: usize = 0;
/// Its first child.
pub const MIDDLE: usize = 1;
/// Its second.
pub const INIT: usize = 2;

/// A system call that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Whose: 0 jec, 1 middle, 2 init, then helpers.
    pub role: usize,
    /// Its number among the calls of this process, from 1.
    pub nth: usize,
    /// The number of the call.
    pub number: i64,
    /// Its arguments.
    pub args: [u64; 6],
    /// Whether main() has begun: what comes before belongs to the C library and to Rust.
    pub main: bool,
    /// The process.
    pub pid: i32,
}

impl Call {
    /// A string argument.
    pub fn text(&self, argument: usize) -> String {
        text_at(self.pid, self.args[argument])
    }
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is made.
    Go,
    /// The process is killed before the call.
    Kill,
    /// It is not made, and returns this errno.
    Fail(i32),
    /// It is made, and the process has this signal.
    Signal(i32),
}

/// How it went.
#[derive(Debug)]
pub struct Traced {
    /// Exit status of jec, as a shell shows it.
    pub code: i32,
    /// Not everybody had ended in time.
    pub hung: bool,
    /// Every call, in order.
    pub calls: Vec<Call>,
}

struct Tracee {
    role: usize,
    calls: usize,
    main: bool,
    new: bool,
    fails: Option<i32>,
}

/// Runs `command` and asks `decide` at every call. What has not ended after
/// `patience` is killed. In a thread of its own, whose only children are the
/// tracees; it shares the mount namespace of the caller's.
pub fn trace(
    command: Command,
    patience: Duration,
    decide: impl FnMut(&Call) -> Act + Send,
) -> Traced {
    std::thread::scope(|scope| {
        scope.spawn(|| trace_here(command, patience, decide)).join().expect("the tracer")
    })
}

fn trace_here(
    mut command: Command,
    patience: Duration,
    mut decide: impl FnMut(&Call) -> Act,
) -> Traced {
    // SAFETY: ptrace(2) is async-signal-safe, and so is making an error of errno.
    unsafe {
        command.pre_exec(|| {
            let result = libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
        })
    };
    // It stops with SIGTRAP when its execve is done.
    #[allow(clippy::zombie_processes)] // waited for below, by number
    let child = command.spawn().expect("spawn");
    let jec = i32::try_from(child.id()).expect("a pid");
    let alive = Arc::new(Mutex::new(vec![jec]));
    let (done, watchdog, late) = watchdog(Arc::clone(&alive), patience);
    let mut all = HashMap::from([(jec, Tracee::new(JEC))]);
    let mut made = 1;
    let (mut code, mut calls) = (-1, Vec::new());
    let mut options_set = false;
    while let Some((pid, status)) = wait() {
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            alive.lock().expect("lock").retain(|other| *other != pid);
            if pid == jec {
                let status = ExitStatus::from_raw(status);
                code = status.code().or(status.signal().map(|s| 128 + s)).unwrap_or(-1);
            }
            all.remove(&pid);
            continue;
        }
        if !options_set {
            options_set = true;
            set_options(pid);
            resume(pid, 0);
            continue;
        }
        let tracee = all.entry(pid).or_insert_with(|| {
            alive.lock().expect("lock").push(pid);
            made += 1;
            Tracee::new(made - 1)
        });
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        if signal == libc::SIGTRAP | 0x80 {
            if at_call(pid, tracee, &mut calls, &mut decide) {
                // At its gate it may wait for ever, and is nobody's child.
                all.remove(&pid);
                alive.lock().expect("lock").retain(|other| *other != pid);
                request(libc::PTRACE_DETACH, pid, 0);
            }
        } else if event == libc::PTRACE_EVENT_EXEC && tracee.role != JEC {
            // Init is the program now (or a helper has begun): no business of ours.
            all.remove(&pid);
            alive.lock().expect("lock").retain(|other| *other != pid);
            request(libc::PTRACE_DETACH, pid, 0);
        } else if event != 0 {
            if event == libc::PTRACE_EVENT_EXEC {
                tracee.main = false;
            }
            resume(pid, 0);
        } else if tracee.new && signal == libc::SIGSTOP {
            tracee.new = false;
            resume(pid, 0);
        } else {
            resume(pid, signal);
        }
    }
    drop(done);
    watchdog.join().expect("the watchdog");
    Traced { code, hung: late.load(Ordering::SeqCst), calls }
}

/// Lets it make the call, or not; true when it is left there, since it comes to rest.
fn at_call(
    pid: i32,
    tracee: &mut Tracee,
    calls: &mut Vec<Call>,
    decide: &mut impl FnMut(&Call) -> Act,
) -> bool {
    let mut registers = registers(pid);
    if !entering(pid) {
        if let Some(errno) = tracee.fails.take() {
            machine::set_result(&mut registers, -i64::from(errno));
            set_registers(pid, &mut registers);
        }
        resume(pid, 0);
        return false;
    }
    tracee.calls += 1;
    let (number, args) = (machine::number(&registers), machine::args(&registers));
    // The first thing that main does.
    if number == libc::SYS_openat && text_at(pid, args[1]) == "/proc" {
        tracee.main = true;
    }
    let main = tracee.main || tracee.role != JEC;
    let call = Call { role: tracee.role, nth: tracee.calls, number, args, main, pid };
    let act = decide(&call);
    calls.push(call);
    match act {
        Act::Go if number == libc::SYS_accept4 => return true,
        Act::Go => resume(pid, 0),
        Act::Kill => kill(pid, libc::SIGKILL),
        Act::Fail(errno) => {
            machine::skip(pid, &mut registers);
            tracee.fails = Some(errno);
            resume(pid, 0);
        }
        Act::Signal(number) => {
            kill(pid, number);
            resume(pid, 0);
        }
    }
    false
}

impl Tracee {
    fn new(role: usize) -> Self {
        Self { role, calls: 0, main: false, new: role != JEC, fails: None }
    }
}

type Watchdog = (mpsc::Sender<()>, std::thread::JoinHandle<()>, Arc<AtomicBool>);

fn watchdog(alive: Arc<Mutex<Vec<i32>>>, patience: Duration) -> Watchdog {
    let (done, ended) = mpsc::channel::<()>();
    let late = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&late);
    let thread = std::thread::spawn(move || {
        while ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            told.store(true, Ordering::SeqCst);
            alive.lock().expect("lock").iter().for_each(|pid| kill(*pid, libc::SIGKILL));
        }
    });
    (done, thread, late)
}

/// The next tracee that stops or ends. `__WNOTHREAD`: of this thread only, since other tests run beside.
fn wait() -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: `status` is an int that outlives the call.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
    (pid > 0).then_some((pid, status))
}

fn set_options(pid: i32) {
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    request(libc::PTRACE_SETOPTIONS, pid, options);
}

fn resume(pid: i32, signal: i32) {
    request(libc::PTRACE_SYSCALL, pid, signal);
}

/// ESRCH: it was killed meanwhile; wait() tells.
fn request(what: libc::c_uint, pid: i32, data: i32) {
    // SAFETY: these requests take a number, no pointer.
    unsafe { libc::ptrace(what, pid, 0, libc::c_long::from(data)) };
}

fn kill(pid: i32, signal: i32) {
    // SAFETY: only numbers are passed; the process is a tracee of ours that we have not waited for.
    unsafe { libc::kill(pid, signal) };
}

/// Whether the stop is before the call: PTRACE_GET_SYSCALL_INFO says 1 then, and 2 behind it.
fn entering(pid: i32) -> bool {
    // SAFETY: all-zero is a valid value of this struct of numbers.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::ptrace_syscall_info>();
    // SAFETY: the kernel writes at most `size` bytes.
    unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size, &raw mut info) };
    info.op == libc::PTRACE_SYSCALL_INFO_ENTRY
}

/// PTRACE_GETREGSET and PTRACE_SETREGSET move one set of registers, ptrace(2).
fn register_set<T>(what: libc::c_uint, pid: i32, set: libc::c_int, registers: &mut T) {
    let base = (&raw mut *registers).cast();
    let mut whole = libc::iovec { iov_base: base, iov_len: size_of::<T>() };
    // SAFETY: the kernel reads or writes at most the whole of `registers`.
    unsafe { libc::ptrace(what, pid, set, &raw mut whole) };
}

fn registers(pid: i32) -> libc::user_regs_struct {
    // SAFETY: all-zero is a valid value of this struct of numbers.
    let mut found: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    register_set(libc::PTRACE_GETREGSET, pid, libc::NT_PRSTATUS, &mut found);
    found
}

fn set_registers(pid: i32, registers: &mut libc::user_regs_struct) {
    register_set(libc::PTRACE_SETREGSET, pid, libc::NT_PRSTATUS, registers);
}

/// Which registers a call uses, syscall(2): its number, its arguments, its result.
#[cfg(target_arch = "x86_64")]
mod machine {
    pub fn number(of: &libc::user_regs_struct) -> i64 {
        of.orig_rax.cast_signed()
    }
    pub fn args(of: &libc::user_regs_struct) -> [u64; 6] {
        [of.rdi, of.rsi, of.rdx, of.r10, of.r8, of.r9]
    }
    pub fn set_result(of: &mut libc::user_regs_struct, result: i64) {
        of.rax = result.cast_unsigned();
    }
    /// There is no call of number -1: the kernel makes none.
    pub fn skip(pid: i32, of: &mut libc::user_regs_struct) {
        of.orig_rax = u64::MAX;
        super::set_registers(pid, of);
    }
}

#[cfg(target_arch = "aarch64")]
mod machine {
    pub fn number(of: &libc::user_regs_struct) -> i64 {
        of.regs[8].cast_signed()
    }
    pub fn args(of: &libc::user_regs_struct) -> [u64; 6] {
        std::array::from_fn(|at| of.regs[at])
    }
    pub fn set_result(of: &mut libc::user_regs_struct, result: i64) {
        of.regs[0] = result.cast_unsigned();
    }
    /// Here the number of the call has a register set of its own (<linux/elf.h>).
    pub fn skip(pid: i32, _: &mut libc::user_regs_struct) {
        const NT_ARM_SYSTEM_CALL: libc::c_int = 0x404;
        super::register_set(libc::PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &mut -1i32);
    }
}

/// A NUL-terminated string in the memory of a tracee, of at most 255 bytes.
fn text_at(pid: i32, address: u64) -> String {
    use std::os::unix::fs::FileExt;
    let mut bytes = [0; 256];
    let read = std::fs::File::open(format!("/proc/{pid}/mem"))
        .and_then(|memory| memory.read_at(&mut bytes, address));
    let bytes = &bytes[..read.unwrap_or(0)];
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
