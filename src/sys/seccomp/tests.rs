use super::*;
use crate::plan::{config::seccomp::profile, flags::default_profile::default_profile};
use seccompiler::BpfProgram;

/// The errno of a raw call, 0 for success. In a forked child of a process
/// with threads nothing may be allocated.
fn errno(number: libc::c_long, args: [u64; 3]) -> i32 {
    // SAFETY: only calls that take no pointer, or a null one, are made.
    let value = unsafe { libc::syscall(number, args[0], args[1], args[2]) };
    Errno::result(value).err().map_or(0, |errno| errno as i32)
}

/// Runs `child` in a forked process that first loads `program`, if any, and
/// returns the wait status. The child's answer is its exit status.
fn forked(program: Option<&BpfProgram>, child: fn() -> bool) -> libc::c_int {
    // SAFETY: the child makes system calls only, and ends in _exit.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            let loaded = program.is_none_or(|program| load(program, 0).is_ok());
            libc::_exit(i32::from(!(loaded && child())));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
        status
    }
}

fn default_program() -> BpfProgram {
    crate::filter::compile(&profile(&default_profile(0)).unwrap()).unwrap()
}

const ENDED_WELL: libc::c_int = 0;

#[test]
fn the_default_profile_refuses_in_the_real_kernel() {
    let refused = || {
        errno(libc::SYS_getpid, [0; 3]) == 0
            && errno(libc::SYS_clone3, [0; 3]) == libc::ENOSYS
            && errno(libc::SYS_unshare, [0; 3]) == libc::EPERM
            && errno(libc::SYS_chroot, [0; 3]) == libc::EPERM
            && errno(libc::SYS_socket, [38, 5, 0]) == libc::EPERM
            && errno(libc::SYS_socket, [0x1_0000_0026, 5, 0]) == libc::EPERM
            && errno(libc::SYS_socket, [1, 1, 0]) == 0
            && errno(5000, [0; 3]) == libc::ENOSYS
    };
    assert_eq!(forked(Some(&default_program()), refused), ENDED_WELL);
}

#[test]
fn without_the_filter_the_same_calls_get_further() {
    let open = || {
        errno(libc::SYS_clone3, [0; 3]) == libc::EINVAL
            && errno(libc::SYS_unshare, [0; 3]) == 0
            && errno(libc::SYS_chroot, [0; 3]) == libc::EFAULT
    };
    assert_eq!(forked(None, open), ENDED_WELL);
}

/// getpid(2) through the 32-bit door.
#[cfg(target_arch = "x86_64")]
fn int80() -> bool {
    let mut value = 20_i64;
    // SAFETY: call 20 of i386 is getpid, which touches no memory.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("rax") value,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    value > 0
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_through_int_0x80_kills() {
    if forked(None, int80) != ENDED_WELL {
        println!("skipped: this kernel has no 32-bit calls");
        return;
    }
    let status = forked(Some(&default_program()), int80);
    assert!(libc::WIFSIGNALED(status));
    assert_eq!(libc::WTERMSIG(status), libc::SIGSYS);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_32_bit_call_obeys_the_rules_where_i386_is_listed() {
    let json = r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],
        "syscalls":[{"names":["getpid","exit_group"],"action":"SCMP_ACT_ALLOW"}]}"#;
    let profile = profile(&serde_json::from_str(json).unwrap()).unwrap();
    let program = crate::filter::compile(&profile).unwrap();
    if forked(None, int80) == ENDED_WELL {
        assert_eq!(forked(Some(&program), int80), ENDED_WELL);
    }
}

#[test]
fn a_listener_comes_back_where_one_was_asked_for() {
    let answers = || {
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        let allow = sock_filter { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
        matches!(load(&[allow], flags), Ok(Some(_)))
    };
    assert_eq!(forked(None, answers), ENDED_WELL);
}

#[test]
fn known_flags_are_supported_and_unknown_ones_are_not() {
    let known = libc::SECCOMP_FILTER_FLAG_LOG | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    assert!(flags_supported(known).unwrap());
    assert!(!flags_supported(1 << 31).unwrap());
}

#[test]
fn an_empty_program_is_refused_by_the_kernel() {
    let error = load(&[], 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "seccomp(SECCOMP_SET_MODE_FILTER, 0x0, 0 instructions) = EINVAL: Invalid argument"
    );
}
