//! The container's first process: session, root, privileges, program, in jec's order.

use crate::call::{c, call, execveat, p};
use crate::options::Options;
use crate::root;

/// What remains after SECURITY's drop, as numbers of <linux/capability.h>: CHOWN
/// DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE
/// SYS_CHROOT SETFCAP.
const KEPT: [u32; 11] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31];
/// The highest capability of Linux 6.18: CAP_CHECKPOINT_RESTORE.
const LAST_CAP: u32 = 40;

/// From the clone to the program.
pub fn init(options: &Options) -> ! {
    if options.has("session") {
        call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        call!(SYS_prctl, libc::PR_SET_DUMPABLE, 0);
        call!(SYS_setsid);
    }
    if options.has("keyring") {
        call!(SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, 0);
    }
    if options.has("net") && options.has("loopback") {
        loopback_up();
    }
    root::build(options);
    if options.has("uts") {
        call!(SYS_sethostname, p(c"floor"), 5);
    }
    drop_privileges(options);
    // Close on exec what is left above the standard streams.
    let cloexec = libc::CLOSE_RANGE_CLOEXEC as usize;
    call!(SYS_close_range, 3, u32::MAX, cloexec);
    let environment = [c("PATH=/usr/sbin:/usr/bin:/sbin:/bin")];
    if let Some(program) = &options.filter {
        load_filter(program);
    }
    execveat(root::HERE, &options.program[0], &options.program, &environment)
}

/// SIOCSIFFLAGS on lo; struct ifreq is a name of 16 bytes and 24 of union.
fn loopback_up() {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    let socket = call!(SYS_socket, libc::AF_INET, kind, 0);
    let mut request = [0_u8; 40];
    request[..2].copy_from_slice(b"lo");
    request[16..18].copy_from_slice(&(libc::IFF_UP as u16).to_ne_bytes());
    call!(SYS_ioctl, socket, libc::SIOCSIFFLAGS, request.as_ptr());
}

/// Bounding set, ids, exact sets, no_new_privs: SECURITY's order of dropping.
fn drop_privileges(options: &Options) {
    if options.has("bounding") {
        for cap in (0..=LAST_CAP).filter(|cap| !KEPT.contains(cap)) {
            call!(SYS_prctl, libc::PR_CAPBSET_DROP, cap, 0, 0, 0);
        }
    }
    call!(SYS_setgroups, 0, 0);
    call!(SYS_setresgid, 0, 0, 0);
    call!(SYS_setresuid, 0, 0, 0);
    if options.has("capset") {
        // struct __user_cap_header_struct, _LINUX_CAPABILITY_VERSION_3; then
        // effective, permitted, inheritable for the low and the high 32 bits.
        let header = [0x2008_0522_u32, 0];
        let kept = KEPT.iter().fold(0_u32, |set, cap| set | 1 << cap);
        let sets = [kept, kept, 0, 0, 0, 0];
        call!(SYS_capset, header.as_ptr(), sets.as_ptr());
    }
    if options.has("nnp") {
        call!(SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
}

/// Loads a program of struct sock_filter, 8 bytes an instruction.
fn load_filter(program: &[u8]) {
    // struct sock_fprog: the count, padding to the alignment of a pointer, the pointer.
    let fprog = [program.len() / 8, program.as_ptr() as usize];
    let mode = libc::SECCOMP_SET_MODE_FILTER as usize;
    call!(SYS_seccomp, mode, 0, fprog.as_ptr());
}
