//! What runs in the containers: two programs of a few instructions, written as
//! bytes. No libc means no start-up of a libc in the time that is measured:
//! glibc asks the processor some thirty times what it can do (CPUID), and in a
//! virtual machine each question is an exit to the hypervisor.

/// _exit(0).
#[cfg(target_arch = "x86_64")]
const TRUE: &[u8] = &[0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
/// pause(), for ever.
#[cfg(target_arch = "x86_64")]
const PAUSE: &[u8] = &[0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];

/// mov x0, #0; mov x8, #93; svc #0: _exit(0).
#[cfg(target_arch = "aarch64")]
const TRUE: &[u8] = &[0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4];
/// x0 to x4 = 0; mov x8, #73; svc #0; b: ppoll() of nothing, for ever.
#[cfg(target_arch = "aarch64")]
const PAUSE: &[u8] = &[
    0, 0, 0x80, 0xd2, 1, 0, 0x80, 0xd2, 2, 0, 0x80, 0xd2, 3, 0, 0x80, 0xd2, 4, 0, 0x80, 0xd2, 0x28,
    0x09, 0x80, 0xd2, 1, 0, 0, 0xd4, 0xf9, 0xff, 0xff, 0x17,
];

const MACHINE: u8 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
const ADDRESS: u64 = 0x40_0000;
const HEADERS: u64 = 64 + 56;

/// Ends at once, well.
pub fn true_program() -> Vec<u8> {
    executable(TRUE)
}

/// Stays until it is killed.
pub fn pause_program() -> Vec<u8> {
    executable(PAUSE)
}

/// An ELF file (elf(5)) with one segment, which holds the file itself.
fn executable(code: &[u8]) -> Vec<u8> {
    let size = HEADERS + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // e_type EXEC, e_machine, e_version; e_entry, e_phoff, e_shoff; e_flags, sizes, counts.
    file.extend([2, 0, MACHINE, 0, 1, 0, 0, 0]);
    for value in [ADDRESS + HEADERS, 64, 0] {
        file.extend(value.to_le_bytes());
    }
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    // p_type LOAD, p_flags R and X; p_offset, p_vaddr, p_paddr, sizes, alignment.
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for value in [0, ADDRESS, ADDRESS, size, size, 4096] {
        file.extend(value.to_le_bytes());
    }
    file.extend(code);
    file
}
