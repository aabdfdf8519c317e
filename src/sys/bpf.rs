//! bpf(2), as far as the device program of a cgroup needs it.
//!
//! Two commands: BPF_PROG_LOAD hands the kernel a program, whose verifier
//! proves that it ends and touches only what it may, and gives a descriptor;
//! BPF_PROG_ATTACH hangs the program on a cgroup, which keeps it alive.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::record::{descriptor, record, record_fd};
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
    /// log_level to prog_flags.
    unused: [u32; 6],
    prog_name: [u8; 16],
}

/// Loads a program of the type BPF_PROG_TYPE_CGROUP_DEVICE. EPERM without
/// CAP_BPF and CAP_NET_ADMIN (before 5.8 CAP_SYS_ADMIN) in the initial user
/// namespace: a user namespace of one's own gives neither.
#[track_caller]
pub fn load_device_program(program: &[Instruction]) -> Result<OwnedFd> {
    let count = program.len();
    let load = Load {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(count).unwrap_or(u32::MAX),
        insns: program.as_ptr() as u64,
        // Only a program that calls helpers marked so needs a GPL license; this one calls none.
        license: c"MIT".as_ptr() as u64,
        unused: [0; 6],
        prog_name: *b"jec_devices\0\0\0\0\0",
    };
    let (call, size) = (libc::SYS_bpf, size_of::<Load>());
    // SAFETY: `load` and what its two pointers name outlive the call, and insn_cnt is the
    // length of `program` (of one longer than u32::MAX the kernel reads nothing: E2BIG).
    // What it makes is a new descriptor (close-on-exec) that is ours alone.
    let result = unsafe { descriptor(libc::syscall(call, BPF_PROG_LOAD, &raw const load, size)) };
    let args = format_args!("BPF_PROG_LOAD, {{CGROUP_DEVICE, {count} instructions}}");
    record_fd("bpf", args, result)
}

/// Attaches a device program to a cgroup, beside those that are there already
/// (BPF_F_ALLOW_MULTI): every program of the cgroup and of the cgroups above it
/// has to say yes.
#[track_caller]
pub fn attach_device_program(program: BorrowedFd, cgroup: BorrowedFd) -> Result<()> {
    let [cgroup, program] = [cgroup, program].map(|fd| fd.as_raw_fd().unsigned_abs());
    // union bpf_attr of BPF_PROG_ATTACH: target_fd, attach_bpf_fd, attach_type, attach_flags.
    let attach = [cgroup, program, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI];
    let (call, size) = (libc::SYS_bpf, size_of_val(&attach));
    // SAFETY: `attach` outlives the call and has no pointers.
    let result = unsafe { libc::syscall(call, BPF_PROG_ATTACH, attach.as_ptr(), size) };
    let what = format_args!("CGROUP_DEVICE, cgroup {cgroup}, program {program}");
    let args = format_args!("BPF_PROG_ATTACH, {{{what}, BPF_F_ALLOW_MULTI}}");
    record("bpf", args, Errno::result(result))
}
