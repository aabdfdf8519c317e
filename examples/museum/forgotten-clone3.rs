//! Its author believed: clone(2) and unshare(2) may not make a user namespace, so nobody makes one.
//!
//! Since Linux 5.3 there is clone3(2), which takes its flags in a structure, where no filter can
//! look. A list of what is forbidden is only as good as its author's knowledge of the newest
//! kernel. Answer ENOSYS: then libc falls back on clone(2), and threads still work. See clone(2).
#![allow(unsafe_code)]

use std::env::consts::ARCH;
use std::error::Error;
use std::process::exit;

use nix::errno::Errno;
use nix::libc::{self, CLONE_NEWUSER, SIGCHLD, c_long};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};
use seccompiler::{SeccompFilter, SeccompRule, apply_filter};

fn main() -> Result<(), Box<dyn Error>> {
    if let Err(errno) = by_clone3() {
        println!("skipped: no user namespace for you: {errno}");
        exit(77);
    }
    mistake()?;
    println!("believed: nobody can make a user namespace here");
    let (by_clone, by_clone3) = (by_clone(), by_clone3());
    let text = format!("clone: {by_clone:?}, clone3: {by_clone3:?}");
    shows("seen", &text, by_clone == Err(Errno::EPERM) && by_clone3.is_ok())?;
    mend()?;
    let by_clone3 = crate::by_clone3();
    shows("mended", &format!("clone3: {by_clone3:?}"), by_clone3 == Err(Errno::ENOSYS))?;
    let thread = std::thread::spawn(|| 42).join();
    shows("mended", "a thread is still made, by clone", thread.is_ok_and(|answer| answer == 42))
}

fn mistake() -> Result<(), Box<dyn Error>> {
    let new_user = CLONE_NEWUSER as u64;
    let operator = SeccompCmpOp::MaskedEq(new_user);
    let flag = SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, new_user)?;
    let rules = [libc::SYS_clone, libc::SYS_unshare]
        .map(|call| Ok((call, vec![SeccompRule::new(vec![flag.clone()])?])));
    let rules = rules.into_iter().collect::<Result<_, seccompiler::BackendError>>()?;
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(apply_filter(&program)?)
}

fn mend() -> Result<(), Box<dyn Error>> {
    let rules = [(libc::SYS_clone3, vec![])].into();
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, unknown, ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(apply_filter(&program)?)
}

fn by_clone() -> nix::Result<&'static str> {
    // SAFETY: like fork(2): no flag shares memory, and the child ends at once.
    child(unsafe { libc::syscall(libc::SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) })
}

fn by_clone3() -> nix::Result<&'static str> {
    // struct clone_args of <linux/sched.h>: flags, and as the fifth word the signal at the end.
    let args = [CLONE_NEWUSER as u64, 0, 0, 0, SIGCHLD as u64, 0, 0, 0];
    // SAFETY: as above; the kernel reads as many bytes as it is told.
    child(unsafe { libc::syscall(libc::SYS_clone3, &args, size_of_val(&args)) })
}

fn child(result: c_long) -> nix::Result<&'static str> {
    if result == 0 {
        // SAFETY: ends this process without touching the state that it copied.
        unsafe { libc::_exit(0) };
    }
    let pid = i32::try_from(Errno::result(result)?).map_err(|_| Errno::EOVERFLOW)?;
    waitpid(Pid::from_raw(pid), None)?;
    Ok("made")
}

/// Prints a line that is so; one that is not ends the visit with status 1.
fn shows(label: &str, text: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this is not so: {label}: {text}").into());
    }
    println!("{:10}{text}", format!("{label}:"));
    Ok(())
}
