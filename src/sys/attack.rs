//! Calls that only the attacks of `jec attack` make, and what is laid out for them. jec itself
//! makes none of them, so none is recorded.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::Result;
use nix::errno::Errno;
use nix::sched::CloneFlags;

/// add_key(2): a key for text, in the session keyring.
pub fn add_key(name: &CStr, text: &str) -> Result<()> {
    let (kind, session) = (c"user".as_ptr(), libc::KEY_SPEC_SESSION_KEYRING);
    // SAFETY: the kernel reads two strings, and as many bytes of the text as it has.
    let result = unsafe {
        libc::syscall(libc::SYS_add_key, kind, name.as_ptr(), text.as_ptr(), text.len(), session)
    };
    Errno::result(result).map(drop)
}

/// keyctl(2) KEYCTL_SEARCH and KEYCTL_READ: the text of a key that the session keyring has.
pub fn read_key(name: &CStr) -> Result<String> {
    let (session, kind) = (libc::KEY_SPEC_SESSION_KEYRING, c"user".as_ptr());
    let mut text = [0_u8; 256];
    // SAFETY: the kernel reads two strings, and writes no more bytes than there are.
    let result = unsafe {
        let (search, name) = (libc::KEYCTL_SEARCH, name.as_ptr());
        let key = Errno::result(libc::syscall(libc::SYS_keyctl, search, session, kind, name, 0))?;
        let (read, into) = (libc::KEYCTL_READ, text.as_mut_ptr());
        libc::syscall(libc::SYS_keyctl, read, key, into, text.len())
    };
    let length = usize::try_from(Errno::result(result)?).unwrap_or(0).min(text.len());
    Ok(String::from_utf8_lossy(&text[..length]).into_owned())
}

/// ioctl(2) TIOCSTI: the terminal takes the byte as if it had been typed.
pub fn type_into(terminal: BorrowedFd, byte: u8) -> Result<()> {
    let fd = terminal.as_raw_fd();
    // SAFETY: the request takes a pointer to a byte.
    Errno::result(unsafe { libc::ioctl(fd, libc::TIOCSTI, &raw const byte) }).map(drop)
}

/// delete_module(2).
pub fn delete_module(name: &CStr) -> Result<()> {
    let (name, how) = (name.as_ptr(), libc::O_NONBLOCK);
    // SAFETY: the kernel reads one string.
    Errno::result(unsafe { libc::syscall(libc::SYS_delete_module, name, how) }).map(drop)
}

/// syslog(2) SYSLOG_ACTION_READ_ALL: the newest messages of the kernel.
pub fn kernel_log() -> Result<String> {
    let mut text = vec![0_u8; 64 * 1024];
    // SAFETY: the kernel writes no more bytes than there are.
    let result = unsafe { libc::syscall(libc::SYS_syslog, 3, text.as_mut_ptr(), text.len()) };
    text.truncate(usize::try_from(Errno::result(result)?).unwrap_or(0));
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// unshare(2) by the interface of 32-bit programs, where its number is 310.
#[cfg(target_arch = "x86_64")]
pub fn unshare_by_int80(what: CloneFlags) -> Result<()> {
    let mut result = 310_i64;
    // SAFETY: only numbers are passed. The first argument goes into ebx, which the compiler keeps
    // for itself, so it is put back; older kernels clear r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg {flags:r}, rbx", "int 0x80", "xchg {flags:r}, rbx",
            flags = inout(reg) i64::from(what.bits()) => _, inout("rax") result,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    // The kernel's answer has 32 bits.
    let error = u32::try_from(result & 0xffff_ffff).unwrap_or(0).cast_signed();
    if error == 0 { Ok(()) } else { Err(Errno::from_raw(-error)) }
}

/// Other machines have no such door.
#[cfg(not(target_arch = "x86_64"))]
pub fn unshare_by_int80(_what: CloneFlags) -> Result<()> {
    Err(Errno::ENOSYS)
}
