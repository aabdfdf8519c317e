use super::*;
use crate::filter::{Action, tests::Machine};
use crate::sys::syscalls;

/// CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID
/// SETPCAP SETUID SYS_CHROOT: what `jec run` gives.
const USUAL: u64 = 0x8004_05fb;

fn machine(bounding: u64) -> Machine {
    let profile = crate::plan::config::seccomp::profile(&default_profile(bounding)).unwrap();
    Machine::new(&profile)
}

fn eperm() -> u32 {
    Action::Errno(1).value()
}

#[test]
fn every_name_is_a_call_of_some_machine() {
    let known: Vec<_> = [&syscalls::X86_64, &syscalls::AARCH64]
        .iter()
        .flat_map(|abi| abi.calls().map(|(name, _)| name))
        .collect();
    let with = WITH.iter().map(|(_, names)| names);
    for name in ALLOWED.iter().chain(with).flat_map(|names| names.split_whitespace()) {
        assert!(known.contains(&name), "{name}");
    }
}

#[test]
fn no_name_is_allowed_twice() {
    let mut names: Vec<_> = ALLOWED.iter().flat_map(|n| n.split_whitespace()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn what_reaches_deep_into_the_kernel_is_refused() {
    let machine = machine(USUAL);
    for name in "add_key bpf delete_module finit_module fsconfig fsmount fsopen fspick
        init_module io_uring_enter io_uring_register io_uring_setup kcmp kexec_file_load
        kexec_load keyctl mount mount_setattr move_mount open_by_handle_at open_tree
        perf_event_open pidfd_getfd pivot_root reboot request_key setns settimeofday swapon
        syslog umount2 unshare userfaultfd"
        .split_whitespace()
    {
        assert_eq!(machine.native(name, [0; 6]), eperm(), "{name}");
    }
}

#[test]
fn namespaces_can_be_made_by_no_clone() {
    let machine = machine(USUAL);
    let allow = Action::Allow.value();
    let thread = 0x003d_0f00; // what pthread_create(3) asks for
    assert_eq!(machine.native("clone", [thread, 0, 0, 0, 0, 0]), allow);
    for bit in [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]
    {
        assert_eq!(machine.native("clone", [bit | 0x11, 0, 0, 0, 0, 0]), eperm(), "{bit:#x}");
    }
    assert_eq!(machine.native("clone3", [0; 6]), Action::Errno(38).value());
}

#[test]
fn what_is_newer_than_the_profile_does_not_exist() {
    let machine = machine(USUAL);
    assert_eq!(machine.native("file_setattr", [0; 6]), Action::Errno(38).value());
    assert_eq!(machine.number(5000), Action::Errno(38).value());
}

#[test]
fn socket_families_out_of_the_network_namespace_are_closed() {
    let allow = Action::Allow.value();
    for bounding in [USUAL, USUAL | CAP_NET_ADMIN.bitmask(), USUAL | CAP_NET_RAW.bitmask()] {
        let machine = machine(bounding);
        for family in [38, 40, 0x1_0000_0026, 0x8000_0000_0000_0028] {
            let verdict = machine.native("socket", [family, 5, 0, 0, 0, 0]);
            assert_eq!(verdict, eperm(), "{family}");
        }
        for family in [1, 2, 10, 16, 17] {
            assert_eq!(machine.native("socket", [family, 1, 0, 0, 0, 0]), allow, "{family}");
        }
    }
}

#[test]
fn a_capability_opens_its_calls() {
    for (capability, names) in WITH {
        let with = machine(USUAL | capability.bitmask());
        let known = |name: &&str| syscalls::NATIVE.calls().any(|(known, _)| known == *name);
        for name in names.split_whitespace().filter(known) {
            let verdict = with.native(name, [!0; 6]);
            assert_eq!(verdict, Action::Allow.value(), "{capability} {name}");
        }
    }
}

#[test]
fn an_unusual_personality_is_refused() {
    let machine = machine(USUAL);
    let addr_no_randomize = 0x4_0000;
    assert_eq!(machine.native("personality", [addr_no_randomize, 0, 0, 0, 0, 0]), eperm());
    assert_eq!(machine.native("personality", [0; 6]), Action::Allow.value());
}
