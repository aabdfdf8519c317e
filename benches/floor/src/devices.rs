//! The device rules: the eBPF program that the kernel asks at every open and
//! mknod of a device node in the cgroup. The shortest one that means what
//! jec's default rules mean: the nodes of DEVICES, ptmx and terminals are open,
//! and mknod alone is allowed for everything.

use crate::call::{call, p};

// <linux/bpf.h>: commands, the type of program, the place, and the flag.
const BPF_PROG_LOAD: usize = 5;
const BPF_PROG_ATTACH: usize = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u64 = 15;
const BPF_CGROUP_DEVICE: u64 = 6;
const BPF_F_ALLOW_MULTI: u64 = 2;

/// One instruction: code, registers (source and destination), distance, operand.
const fn op(code: u64, registers: u64, distance: u64, operand: u64) -> u64 {
    code | registers << 8 | distance << 16 | operand << 32
}

// r1 points to struct bpf_cgroup_dev_ctx: kind (2: character) and access << 16
// (1: mknod), major, minor.
#[rustfmt::skip]
const PROGRAM: [u64; 21] = [
    op(0x61, 0x12, 0, 0),       // r2 = kind and access
    op(0xb4, 0x00, 0, 1),       // r0 = yes
    op(0xbc, 0x23, 0, 0),       // r3 = r2
    op(0x74, 0x03, 0, 16),      // r3 >>= 16: access
    op(0x16, 0x03, 15, 1),      // mknod alone: exit
    op(0x54, 0x02, 0, 0xffff),  // r2 &= 0xffff: kind
    op(0x56, 0x02, 12, 2),      // no character device: no
    op(0x61, 0x14, 4, 0),       // r4 = major
    op(0x61, 0x15, 8, 0),       // r5 = minor
    op(0x16, 0x04, 10, 136),    // a terminal: exit
    op(0x16, 0x04, 6, 5),       // major 5: below
    op(0x56, 0x04, 7, 1),       // not major 1: no
    op(0x16, 0x05, 7, 3),       // null
    op(0x16, 0x05, 6, 5),       // zero
    op(0x26, 0x05, 4, 9),       // above urandom: no
    op(0x36, 0x05, 4, 7),       // full, random, urandom
    op(0x05, 0x00, 2, 0),       // no
    op(0x16, 0x05, 2, 0),       // 5:0, tty
    op(0x16, 0x05, 1, 2),       // 5:2, ptmx
    op(0xb4, 0x00, 0, 0),       // r0 = no
    op(0x95, 0x00, 0, 0),       // exit
];

/// Loads the program and hangs it on the cgroup.
pub fn attach(cgroup: usize) {
    // union bpf_attr of BPF_PROG_LOAD: type and count, instructions, license.
    let count = PROGRAM.len() as u64;
    let mut load = [0; 9];
    load[0] = BPF_PROG_TYPE_CGROUP_DEVICE | count << 32;
    load[1] = PROGRAM.as_ptr() as u64;
    load[2] = p(c"MIT") as u64;
    let program = call!(SYS_bpf, BPF_PROG_LOAD, load.as_ptr(), size_of_val(&load)) as u64;
    // union bpf_attr of BPF_PROG_ATTACH: where, what, how.
    let attach = [cgroup as u64 | program << 32, BPF_CGROUP_DEVICE | BPF_F_ALLOW_MULTI << 32];
    call!(SYS_bpf, BPF_PROG_ATTACH, attach.as_ptr(), size_of_val(&attach));
}
