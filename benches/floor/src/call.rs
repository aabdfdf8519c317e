//! System calls by number: every argument is a `usize`, every error ends the floor.

use std::ffi::{CStr, CString};

use libc::{c_int, c_long};

use crate::root;

/// A system call that has to succeed; a macro, because its name is its number's.
macro_rules! call {
    ($number:ident $(, $argument:expr)*) => {
        $crate::call::checked(stringify!($number), libc::$number, &[$($argument as usize),*])
    };
}

pub(crate) use call;

/// Ends this process or replaces it: 127 when the program cannot be started.
pub fn execveat(at: usize, path: &CStr, args: &[CString], environment: &[CString]) -> ! {
    let pointers = |list: &[CString]| list.iter().map(|text| p(text)).chain([0]).collect();
    let (args, environment): (Vec<usize>, Vec<usize>) = (pointers(args), pointers(environment));
    let flags = if path.is_empty() { root::EMPTY_PATH } else { 0 };
    let arguments = [at, p(path), args.as_ptr() as usize, environment.as_ptr() as usize, flags];
    let errno = try_call(libc::SYS_execveat, &arguments).err();
    eprintln!("floor: execve({path:?}): errno {}", errno.unwrap_or(0));
    exit_now(127)
}

/// The exit status of a child, as a shell counts: 128 + the signal that ended it.
pub fn wait(pid: c_int) -> c_int {
    let mut status = 0_i32;
    let place = &raw mut status as usize;
    call!(SYS_wait4, pid, place, libc::__WALL, 0);
    if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
}

pub fn fail(problem: &str) -> ! {
    eprintln!("floor: {problem}");
    exit_now(125)
}

/// _exit(2): a cloned child runs no handlers of its parent.
pub fn exit_now(status: usize) -> ! {
    loop {
        let _never = try_call(libc::SYS_exit_group, &[status]);
    }
}

pub fn c(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| fail("a text with a zero byte"))
}

/// A text as an argument of a system call.
pub fn p(text: &CStr) -> usize {
    text.as_ptr() as usize
}

/// What `call!` stands for: a system call that has to succeed.
pub fn checked(name: &str, number: c_long, arguments: &[usize]) -> usize {
    try_call(number, arguments).unwrap_or_else(|errno| {
        let error = std::io::Error::from_raw_os_error(errno);
        fail(&format!("{}: {error}", &name["SYS_".len()..]))
    })
}

/// Any system call: its result, or its errno.
pub fn try_call(number: c_long, arguments: &[usize]) -> Result<usize, i32> {
    let mut a = [0_usize; 6];
    a[..arguments.len()].copy_from_slice(arguments);
    // SAFETY: every pointer handed over is to a live value of its caller; clone3
    // is called without CLONE_VM by a process of one thread, as fork would be.
    let result = unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) };
    if result < 0 {
        return Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO));
    }
    Ok(result as usize)
}
