//! Names and numbers of the system calls, for each interface (ABI) of the machine.
//!
//! The tables are files, a number and a name a line, as in the kernel's
//! arch/x86/entry/syscalls/syscall_{64,32}.tbl and include/uapi/asm-generic/unistd.h,
//! of Linux 6.17; a test compares with the headers of the machine it runs on.

/// A system call interface: what its calls are called and numbered.
#[derive(Debug, PartialEq, Eq)]
pub struct Abi {
    /// `AUDIT_ARCH_*` of <linux/audit.h>: how a filter tells the interfaces apart.
    pub audit_arch: u32,
    /// Numbers from here up belong to another interface, which shares `audit_arch`.
    pub foreign_from: Option<u32>,
    /// Calls that are also reached through another call: its name, the first
    /// value of its first argument, and what that value and the next ones stand for.
    pub multiplexed: &'static [(&'static str, u64, &'static str)],
    /// A number and a name a line.
    table: &'static str,
}

impl Abi {
    /// Every call with its number.
    pub fn calls(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.table.lines().filter_map(|line| {
            let (number, name) = line.split_once('\t')?;
            Some((name, number.parse().ok()?))
        })
    }
}

/// x86_64. A number with bit 30 set (`__X32_SYSCALL_BIT` of <asm/unistd.h>) is
/// the x32 interface under the same `AUDIT_ARCH`: the classic hole in deny-lists.
pub const X86_64: Abi = Abi {
    audit_arch: 0xC000_003E,
    foreign_from: Some(0x4000_0000),
    multiplexed: &[],
    table: include_str!("syscalls/x86_64.tbl"),
};

/// 32-bit programs on x86_64: `int 0x80`. Old ones reach sockets and System V
/// IPC through one call each (socketcall(2), ipc(2)).
pub const I386: Abi = Abi {
    audit_arch: 0x4000_0003,
    foreign_from: None,
    multiplexed: &[
        (
            "socketcall",
            1,
            "socket bind connect listen accept getsockname getpeername socketpair send recv sendto \
         recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg",
        ),
        ("ipc", 1, "semop semget semctl semtimedop"),
        ("ipc", 11, "msgsnd msgrcv msgget msgctl"),
        ("ipc", 21, "shmat shmdt shmget shmctl"),
    ],
    table: include_str!("syscalls/i386.tbl"),
};

/// 64-bit ARM.
pub const AARCH64: Abi = Abi {
    audit_arch: 0xC000_00B7,
    foreign_from: None,
    multiplexed: &[],
    table: include_str!("syscalls/aarch64.tbl"),
};

/// The interface jec itself, and every 64-bit program of the machine, uses.
pub const NATIVE: &Abi = if cfg!(target_arch = "aarch64") { &AARCH64 } else { &X86_64 };

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("jec knows the system calls of x86_64 and aarch64 only");

#[cfg(test)]
mod tests;
