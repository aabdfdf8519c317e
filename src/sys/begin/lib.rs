//! What jec does before its C library does anything: it begins anew from a sealed copy of itself.
//!
//! Why there has to be a copy is told in src/stages/seal.rs. That stage does the same with words
//! and errors, and checks what was done here; here it is done for speed. A C library asks the
//! processor some thirty questions at its start (CPUID), and in a virtual machine the host answers
//! each of them: 0.3 ms together, measured on an EPYC under Firecracker, and who begins twice pays
//! twice. This costs 0.02 ms.
//!
//! Nothing is set up yet: no heap, no thread-local storage, no relocated pointer, and none of the
//! functions that the C library chooses by processor, memcpy among them. So it is a crate of its
//! own, without std, in which the compiler may not call them either (`no_builtins`), and which is
//! always compiled for speed (Cargo.toml). Whatever fails, jec begins as it is.
#![no_std]
#![no_builtins]
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use core::arch::{asm, global_asm};
use core::ffi::{CStr, c_char, c_int};
use core::mem::MaybeUninit;

// The kernel has left argc, argv and envp on the stack; `_start` is the C library's beginning.
// It takes what rdx (x0) says for a function to call at the end, so that has to stay.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl jec_begin",
    "jec_begin: mov rdi, rsp",
    "push rdx; push rdx",
    "call {seal}",
    "pop rdx; pop rdx",
    "jmp _start",
    seal = sym seal,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl jec_begin",
    "jec_begin: mov x19, x0",
    "mov x0, sp",
    "bl {seal}",
    "mov x0, x19",
    "b _start",
    seal = sym seal,
);

const OWN: &CStr = c"/proc/self/exe";
const HERE: usize = libc::AT_FDCWD as usize;
/// Not what has this path below the descriptor, but what the descriptor is.
const ITSELF: usize = libc::AT_EMPTY_PATH as usize;
/// As much as sendfile(2) copies at once.
const CHUNK: usize = 0x7fff_f000;
/// The words of a struct statfs, and which of them has the flags of the mount (statfs(2)): libc
/// has no name for it.
const STATFS: usize = 15;
const F_FLAGS: usize = 10;
/// The path of the original, which the copy gets as its first argument: on the stack it would not
/// outlive the function that reads it.
static mut PATH: [u8; libc::PATH_MAX as usize] = [0; libc::PATH_MAX as usize];

/// Returns where jec is sealed already, cannot be, or need not be.
///
/// # Safety
/// `stack` is the stack as the kernel has left it: argc, argv and its null, envp and its null.
unsafe extern "C" fn seal(stack: *mut usize) {
    // SAFETY: so it is, and each call gets what its manual page says.
    unsafe {
        let (argc, argv) = (*stack, stack.add(1).cast::<*const c_char>());
        if !makes_a_process(argc, argv) {
            return;
        }
        let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
        let own = call(libc::SYS_openat, [HERE, address(OWN), flags, 0, 0]);
        if own >= 0 && !is_sealed(own) {
            begin_anew(own, argv, argv.add(argc + 1));
        }
        close(own);
    }
}

/// Returns only where that cannot be done.
unsafe fn begin_anew(own: isize, argv: *mut *const c_char, envp: *mut *const c_char) {
    // SAFETY: as above; the room for the path ends in a zero whatever comes.
    unsafe {
        let mut copy = mounted_copy(own);
        if copy < 0 {
            copy = copy_in_memory(own);
        }
        if copy < 0 {
            return;
        }
        let (path, room) = (&raw mut PATH, libc::PATH_MAX as usize - 1);
        if call(libc::SYS_readlinkat, [HERE, address(OWN), path as usize, room, 0]) > 0 {
            let first = argv.replace(path.cast());
            let begin = [copy as usize, address(c""), argv as usize, envp as usize, ITSELF];
            call(libc::SYS_execveat, begin);
            *argv = first;
        }
        close(copy);
    }
}

/// Whether the line may be a command that makes a process; by its words alone, so it may also be
/// something else. With `--explain` and its like it is not: sealing is to be seen then; nor with
/// `--skip`: that may be what is left out.
unsafe fn makes_a_process(argc: usize, argv: *const *const c_char) -> bool {
    let mut makes = false;
    for at in 1..argc {
        // SAFETY: below argc, and a text that ends in a zero.
        let is = |wanted: &CStr| unsafe { is(*argv.add(at), wanted) };
        makes |= is(c"run") || is(c"create") || is(c"exec");
        if is(c"--explain") || is(c"--trace") || is(c"--skip") || is(c"--step") {
            return false;
        }
        if is(c"--stop-before") || is(c"--stop-after") || is(c"--help") || is(c"-h") {
            return false;
        }
    }
    makes
}

/// Whether a word of the command line is this one, or this one with `=VALUE`.
unsafe fn is(word: *const c_char, wanted: &CStr) -> bool {
    let mut at = 0;
    // SAFETY: both end in a zero, and nothing is read behind the first difference.
    unsafe {
        while *wanted.as_ptr().add(at) != 0 {
            if *word.add(at) != *wanted.as_ptr().add(at) {
                return false;
            }
            at += 1;
        }
        *word.add(at) == 0 || *word.add(at) == b'=' as c_char
    }
}

/// On a read-only mount, or a memfd that cannot be written any more.
unsafe fn is_sealed(own: isize) -> bool {
    let mut found = MaybeUninit::<[usize; STATFS]>::zeroed();
    // SAFETY: the kernel fills a whole struct statfs; all of its bits are numbers.
    unsafe {
        let told = call(libc::SYS_fstatfs, [own as usize, found.as_mut_ptr() as usize, 0, 0, 0]);
        let read_only = found.assume_init()[F_FLAGS] & libc::ST_RDONLY as usize != 0;
        let seals = call(libc::SYS_fcntl, [own as usize, libc::F_GET_SEALS as usize, 0, 0, 0]);
        told < 0 || read_only || seals > 0 && seals as c_int & libc::F_SEAL_WRITE != 0
    }
}

/// A detached read-only mount of the file: root may.
unsafe fn mounted_copy(own: isize) -> isize {
    let read_only = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let how = (libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC) as usize | ITSELF;
    let (change, size) = (&raw const read_only as usize, size_of::<libc::mount_attr>());
    // SAFETY: texts that end in a zero, and a whole mount_attr.
    unsafe {
        let copy = call(libc::SYS_open_tree, [own as usize, address(c""), how, 0, 0]);
        if copy < 0 {
            return copy;
        }
        let changed = [copy as usize, address(c""), ITSELF, change, size];
        if call(libc::SYS_mount_setattr, changed) == 0 { copy } else { close(copy) }
    }
}

/// A memfd that nobody can write any more: so may everybody.
unsafe fn copy_in_memory(own: isize) -> isize {
    let how = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let all = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: numbers, and a text that ends in a zero.
    unsafe {
        let make =
            |how: u32| call(libc::SYS_memfd_create, [address(c"jec"), how as usize, 0, 0, 0]);
        let mut copy = make(how | libc::MFD_EXEC);
        if copy == -(libc::EINVAL as isize) {
            copy = make(how); // before Linux 6.3 nobody has to ask for executable memory
        }
        if copy < 0 {
            return copy;
        }
        let mut count = 1;
        while count > 0 {
            count = call(libc::SYS_sendfile, [copy as usize, own as usize, 0, CHUNK, 0]);
        }
        let seal = [copy as usize, libc::F_ADD_SEALS as usize, all as usize, 0, 0];
        let is_whole = count == 0 && call(libc::SYS_fcntl, seal) == 0;
        if is_whole { copy } else { close(copy) }
    }
}

/// And no descriptor is what there is then.
unsafe fn close(fd: isize) -> isize {
    // SAFETY: a number; nobody else has it.
    unsafe { call(libc::SYS_close, [fd as usize, 0, 0, 0, 0]) };
    -1
}

fn address(text: &CStr) -> usize {
    text.as_ptr() as usize
}

/// A system call; below zero, the errno.
unsafe fn call(number: libc::c_long, args: [usize; 5]) -> isize {
    let result;
    // SAFETY: whoever calls this knows the call; no register stays changed but these.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") args[0],
            in("rsi") args[1], in("rdx") args[2], in("r10") args[3], in("r8") args[4],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    // SAFETY: the same.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") args[0] as isize => result,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4],
            options(nostack));
    }
    result
}
