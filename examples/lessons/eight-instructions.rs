//! A seccomp filter is a program of the kernel's oldest machine language, run at each system call.
//!
//! Eight instructions take the network away: which architecture, which number, yes or no. io_uring
//! has a queue in which socket(2) can be asked for without being called, so it goes as well. What
//! is printed: calls before and after. See seccomp(2), and the kernel's seccomp_filter.rst.
#![allow(unsafe_code, clippy::cast_possible_truncation)] // the kernel's numbers are small

use std::error::Error;
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::net::UdpSocket;

use nix::errno::Errno;
use nix::libc::{self, sock_filter, sock_fprog};
use nix::sys::prctl;

/// AUDIT_ARCH_… of <linux/audit.h>: the ELF machine, and bits for 64-bit and little-endian.
const ARCH: u32 = if cfg!(target_arch = "x86_64") { 0xC000_003E } else { 0xC000_00B7 };
const X32: u32 = 0x4000_0000; // the second set of numbers that x86-64 answers to
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EACCES as u32;

// struct seccomp_data is what the filter can load from.
const LOAD_ARCH: sock_filter = load(offset_of!(libc::seccomp_data, arch) as u32);
const LOAD_NUMBER: sock_filter = load(offset_of!(libc::seccomp_data, nr) as u32);

const SOCKET: u32 = libc::SYS_socket as u32;
const IO_URING_SETUP: u32 = libc::SYS_io_uring_setup as u32;

const FILTER: [sock_filter; 8] = [
    LOAD_ARCH,
    jump(libc::BPF_JEQ, ARCH, 0, 5), // not our numbers: on to the last one
    LOAD_NUMBER,
    jump(libc::BPF_JGE, X32, 3, 0),
    jump(libc::BPF_JEQ, SOCKET, 2, 0),
    jump(libc::BPF_JEQ, IO_URING_SETUP, 1, 0),
    answer(libc::SECCOMP_RET_ALLOW),
    answer(REFUSE),
];

const fn load(offset: u32) -> sock_filter {
    let code = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    sock_filter { code, jt: 0, jf: 0, k: offset }
}

/// Skips `yes` instructions where the comparison holds, `no` where it does not.
const fn jump(comparison: u32, k: u32, yes: u8, no: u8) -> sock_filter {
    let code = (libc::BPF_JMP | comparison | libc::BPF_K) as u16;
    sock_filter { code, jt: yes, jf: no, k }
}

const fn answer(k: u32) -> sock_filter {
    sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k }
}

fn main() -> Result<(), Box<dyn Error>> {
    holds("before: socket(2) makes one", socket().is_ok())?;
    holds(&format!("before: io_uring_setup(2) = {:?}", io_uring()), io_uring() != Errno::EACCES)?;
    load_filter(&FILTER)?;
    let refused = socket().err().and_then(|error| error.raw_os_error());
    holds("after:  socket(2) = EACCES", refused == Some(libc::EACCES))?;
    holds(&format!("after:  io_uring_setup(2) = {:?}", io_uring()), io_uring() == Errno::EACCES)?;
    holds("after:  a file can still be opened", File::open("/etc/passwd").is_ok())
}

fn load_filter(filter: &[sock_filter]) -> Result<(), Box<dyn Error>> {
    // Or else a filter could make a set-user-ID program see errors that it never expected.
    prctl::set_no_new_privs()?;
    let program = sock_fprog { len: filter.len().try_into()?, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel reads `len` instructions from `filter`, which lives, and writes nothing.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}

fn socket() -> io::Result<UdpSocket> {
    UdpSocket::bind("127.0.0.1:0")
}

/// What io_uring_setup(2) says of missing parameters.
fn io_uring() -> Errno {
    // SAFETY: with a null pointer for its parameters the call can only fail.
    unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, std::ptr::null::<u8>()) };
    Errno::last()
}

/// Prints a claim that holds; one that does not ends the lesson with status 1.
fn holds(claim: &str, so: bool) -> Result<(), Box<dyn Error>> {
    if !so {
        return Err(format!("this does not hold: {claim}").into());
    }
    println!("{claim}");
    Ok(())
}
