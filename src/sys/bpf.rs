//! bpf(2), as far as the device program of a cgroup needs it.
//!
//! Two commands: BPF_PROG_LOAD hands the kernel a program, whose verifier
//! proves that it ends and touches only what it may, and gives a descriptor;
//! BPF_PROG_ATTACH hangs the program on a cgroup, which keeps it alive.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use super::record;
use crate::error::Result;

// <linux/bpf.h>: enum bpf_cmd, enum bpf_prog_type, enum bpf_attach_type.
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_ATTACH: libc::c_long = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 1 << 1;

/// One instruction of eBPF (struct bpf_insn of <linux/bpf.h>): 8 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Class, operation and kind of operand, or-ed.
    pub code: u8,
    /// Destination register in the low four bits, source register in the high four.
    pub registers: u8,
    /// A jump's distance, counted from the next instruction; a load's offset in bytes.
    pub offset: i16,
    /// The immediate operand.
    pub immediate: i32,
}

/// union bpf_attr, the part of BPF_PROG_LOAD that we use. The kernel takes a
/// shorter structure than its own and reads zeros for the rest.
#[repr(C)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

/// union bpf_attr, the part of BPF_PROG_ATTACH that we use, with the kernel's names.
#[repr(C)]
#[allow(clippy::struct_field_names)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Loads a program of the type BPF_PROG_TYPE_CGROUP_DEVICE. EPERM without
/// CAP_BPF and CAP_NET_ADMIN (before 5.8 CAP_SYS_ADMIN) in the initial user
/// namespace: a user namespace of one's own gives neither.
pub fn load_device_program(program: &[Instruction]) -> Result<OwnedFd> {
    let count = program.len();
    let load = Load {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(count).unwrap_or(u32::MAX),
        insns: program.as_ptr() as u64,
        // Only a program that calls helpers marked so needs a GPL license; this one calls none.
        license: c"MIT".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
        prog_name: *b"jec_devices\0\0\0\0\0",
    };
    // SAFETY: `load` and what its two pointers name outlive the call, and insn_cnt is the
    // length of `program` (of one longer than u32::MAX the kernel reads nothing: E2BIG).
    let result = Errno::result(unsafe {
        libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const load, size_of::<Load>())
    });
    // SAFETY: a successful BPF_PROG_LOAD gives a new descriptor (close-on-exec) that is ours alone.
    let result = result.map(|fd| unsafe { OwnedFd::from_raw_fd(narrow(fd)) });
    let args = format_args!("BPF_PROG_LOAD, {{CGROUP_DEVICE, {count} instructions}}");
    record("bpf", args, result)
}

/// Attaches a device program to a cgroup, beside those that are there already
/// (BPF_F_ALLOW_MULTI): every program of the cgroup and of the cgroups above it
/// has to say yes.
pub fn attach_device_program(program: BorrowedFd, cgroup: BorrowedFd) -> Result<()> {
    let attach = Attach {
        target_fd: cgroup.as_raw_fd().unsigned_abs(),
        attach_bpf_fd: program.as_raw_fd().unsigned_abs(),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: `attach` outlives the call and has no pointers.
    let result = Errno::result(unsafe {
        libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attach, size_of::<Attach>())
    });
    let args = format_args!(
        "BPF_PROG_ATTACH, {{CGROUP_DEVICE, cgroup {}, program {}, BPF_F_ALLOW_MULTI}}",
        cgroup.as_raw_fd(),
        program.as_raw_fd()
    );
    record("bpf", args, result.map(drop))
}

/// syscall(2) gives a long; a descriptor always fits an int.
fn narrow(fd: libc::c_long) -> RawFd {
    RawFd::try_from(fd).unwrap_or(-1)
}
