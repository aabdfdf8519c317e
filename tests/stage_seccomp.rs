//! Seccomp: from here on the kernel refuses system calls.
#![allow(unsafe_code)] // raw system calls, in probes

mod common;

use std::collections::BTreeMap;

use common::process::{bundle, command, ran, script};
use common::{Ran, World, is_root, probe};
use serde_json::{Value, json};

/// System calls with three numbers as arguments, and what the default profile answers.
/// Arguments are such that the call itself does nothing, or nothing that lasts.
const REFUSED: &[(&str, libc::c_long, [i64; 3], &str)] = &[
    ("clone3", libc::SYS_clone3, [0; 3], "ENOSYS"),
    ("clone-newuser", libc::SYS_clone, [0x1000_0011, 0, 0], "EPERM"),
    ("clone-newns", libc::SYS_clone, [0x0002_0011, 0, 0], "EPERM"),
    ("clone-newcgroup", libc::SYS_clone, [0x0200_0011, 0, 0], "EPERM"),
    ("unshare-newuser", libc::SYS_unshare, [0x1000_0000, 0, 0], "EPERM"),
    ("unshare-nothing", libc::SYS_unshare, [0; 3], "EPERM"),
    ("setns", libc::SYS_setns, [-1, 0, 0], "EPERM"),
    ("keyctl", libc::SYS_keyctl, [0, -3, 0], "EPERM"),
    ("add_key", libc::SYS_add_key, [0; 3], "EPERM"),
    ("request_key", libc::SYS_request_key, [0; 3], "EPERM"),
    ("bpf", libc::SYS_bpf, [9999, 0, 0], "EPERM"),
    ("io_uring_setup", libc::SYS_io_uring_setup, [0; 3], "EPERM"),
    // UFFD_USER_MODE_ONLY of <linux/userfaultfd.h>: what anybody may have.
    ("userfaultfd", libc::SYS_userfaultfd, [1, 0, 0], "EPERM"),
    ("perf_event_open", libc::SYS_perf_event_open, [0; 3], "EPERM"),
    ("open_by_handle_at", libc::SYS_open_by_handle_at, [-1, 0, 0], "EPERM"),
    ("mount", libc::SYS_mount, [0; 3], "EPERM"),
    ("umount2", libc::SYS_umount2, [0; 3], "EPERM"),
    ("pivot_root", libc::SYS_pivot_root, [0; 3], "EPERM"),
    ("open_tree", libc::SYS_open_tree, [-1, 0, 0], "EPERM"),
    ("move_mount", libc::SYS_move_mount, [-1, 0, -1], "EPERM"),
    ("fsopen", libc::SYS_fsopen, [0; 3], "EPERM"),
    ("fsconfig", libc::SYS_fsconfig, [-1, 0, 0], "EPERM"),
    ("fsmount", libc::SYS_fsmount, [-1, 0, 0], "EPERM"),
    ("fspick", libc::SYS_fspick, [-1, 0, 0], "EPERM"),
    ("mount_setattr", libc::SYS_mount_setattr, [-1, 0, 0], "EPERM"),
    ("af-alg", libc::SYS_socket, [38, 5, 0], "EPERM"),
    ("af-alg-64", libc::SYS_socket, [0x1_0000_0026, 5, 0], "EPERM"),
    ("af-vsock", libc::SYS_socket, [40, 1, 0], "EPERM"),
    ("personality", libc::SYS_personality, [0x004_0000, 0, 0], "EPERM"),
    ("swapoff", libc::SYS_swapoff, [0; 3], "EPERM"),
    ("tomorrow", 5000, [0; 3], "ENOSYS"),
];

/// What any program needs, as the benign twin.
const ALLOWED: &[(&str, libc::c_long, [i64; 3])] = &[
    ("getpid", libc::SYS_getpid, [0; 3]),
    ("clone", libc::SYS_clone, [0x11, 0, 0]),
    ("af-unix", libc::SYS_socket, [1, 1, 0]),
    ("af-inet", libc::SYS_socket, [2, 1, 0]),
    ("personality-asked", libc::SYS_personality, [0xffff_ffff, 0, 0]),
];

/// A raw call; a child that it makes ends at once.
fn call(number: libc::c_long, args: [i64; 3]) -> String {
    let parent = std::process::id();
    // SAFETY: the table passes numbers and null pointers only; a child does nothing but end.
    unsafe {
        let value = libc::syscall(number, args[0], args[1], args[2], 0, 0);
        if value == 0 && libc::SYS_clone == number && child_of(parent) {
            libc::_exit(0);
        }
        probe::outcome(value)
    }
}

/// Whether this is a new process: in a new pid namespace it has another number as well.
fn child_of(parent: u32) -> bool {
    // Not std's or libc's getpid: the raw one.
    // SAFETY: takes nothing.
    unsafe { libc::syscall(libc::SYS_getpid) != i64::from(parent) }
}

#[test]
#[ignore = "a probe: runs inside a container"]
fn probe_calls() {
    for (name, number, args, _) in REFUSED {
        probe::tell(name, &call(*number, *args));
    }
    for (name, number, args) in ALLOWED {
        probe::tell(name, &call(*number, *args));
    }
}

#[test]
#[ignore = "a probe: runs inside a container"]
#[cfg(target_arch = "x86_64")]
fn probe_int80() {
    let mut value = 20_i64;
    // SAFETY: call 20 of i386 is getpid, which touches no memory.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("rax") value,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    probe::tell("int80", if value > 0 { "ok" } else { "refused" });
}

#[test]
#[ignore = "a probe: runs inside a container"]
#[cfg(target_arch = "x86_64")]
fn probe_x32() {
    // SAFETY: getpid takes nothing. 0x4000_0000 is __X32_SYSCALL_BIT of <asm/unistd.h>.
    let value = unsafe { libc::syscall(0x4000_0000 | libc::SYS_getpid) };
    probe::tell("x32", &probe::outcome(value));
}

#[test]
#[ignore = "a probe: runs inside a container"]
fn probe_load() {
    let allow = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    let header = libc::sock_fprog { len: 1, filter: (&raw const allow).cast_mut() };
    let set = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program lives until the call returns.
    let value = unsafe { libc::syscall(libc::SYS_seccomp, set, 0, &raw const header) };
    probe::tell("load", &probe::outcome(value));
}

/// The spec of `jec run`, with the capabilities that the refused calls take:
/// so that it is the filter that refuses, and not the kernel behind it.
fn with_all_capabilities(config: &mut Value) {
    let world = World::new();
    let mut jec = world.jec();
    jec.arg("spec").arg(world.rootfs());
    let spec: Value = serde_json::from_str(&Ran::of(jec).ok().out).expect("JSON");
    config["linux"]["seccomp"] = spec["linux"]["seccomp"].clone();
    let set =
        json!(["CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_BPF", "CAP_PERFMON", "CAP_NET_RAW"]);
    config["process"]["capabilities"] =
        json!({"bounding": set, "permitted": set, "effective": set});
}

fn calls(change: impl FnOnce(&mut Value)) -> BTreeMap<String, String> {
    let ran = ran("seccomp", |config| {
        with_all_capabilities(config);
        probe::run_it(config, "probe_calls");
        change(config);
    });
    probe::told(&ran.ok().out)
}

#[test]
fn the_default_profile_refuses_what_reaches_deep_into_the_kernel() {
    let found = calls(|_| ());
    for (name, _, _, errno) in REFUSED {
        assert_eq!(&found[*name], errno, "{name}");
    }
    for (name, ..) in ALLOWED {
        assert_eq!(found[*name], "ok", "{name}");
    }
}

#[test]
fn without_the_profile_each_of_these_calls_gets_further() {
    let found = calls(|config| drop(config["linux"]["seccomp"].take()));
    // What the kernel does not have, or refuses to root of a user namespace, by itself.
    // Older kernels (6.1) refuse open_by_handle_at(2) there, newer ones do not.
    let to_user = &["tomorrow", "swapoff", "bpf", "open_by_handle_at"];
    let by_itself = if is_root() { &["tomorrow"][..] } else { to_user };
    let mut same = Vec::new();
    for (name, _, _, errno) in REFUSED.iter().filter(|row| !by_itself.contains(&row.0)) {
        if &found[*name] == errno {
            same.push(format!("{name} {errno}"));
        }
    }
    assert_eq!(same, [""; 0]);
}

/// A probe under the default profile of `jec run`, or under none.
#[cfg(target_arch = "x86_64")]
fn in_jec_run(profile: &str, probe: &str) -> Ran {
    let world = World::new();
    let root = world.rootfs().to_string_lossy().into_owned();
    let bind = format!("{}:/probe:ro", probe::binary().display());
    let flags = ["--seccomp", profile, "--volume", &bind, &root, "--"];
    let ran = world.run(&[&flags[..], &probe::args(probe)].concat());
    world.assert_clean();
    ran
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_through_the_32_bit_door_kills_and_so_does_x32() {
    let open = in_jec_run("none", "probe_int80");
    if probe::told(&open.out).get("int80").is_some_and(|told| told == "ok") {
        assert_eq!(in_jec_run("default", "probe_int80").code, 159);
    } else {
        println!("this kernel has no 32-bit calls: {}", open.code);
    }
    // Where the kernel has no x32, the door is a wall: ENOSYS, but nobody dies.
    let open = probe::told(&in_jec_run("none", "probe_x32").ok().out);
    assert!(["ok", "ENOSYS"].contains(&&*open["x32"]), "{open:?}");
    assert_eq!(in_jec_run("default", "probe_x32").code, 159);
}

#[test]
fn the_example_is_refused_one_call_and_dies_of_the_other() {
    let found = ran("seccomp", |_| ());
    assert_eq!((found.code, &*found.out), (159, "Seccomp:\t2\nunshare: 1\n"));
    assert!(found.err.contains("unshare(0x10000000): Operation not permitted"), "{}", found.err);
    let open = ran("seccomp", |config| {
        drop(config["linux"]["seccomp"].take());
        script(config, "grep Seccomp: /proc/self/status; unshare -U true; echo unshare: $?");
    });
    assert_eq!(open.ok().out, "Seccomp:\t0\nunshare: 0\n");
}

#[test]
fn the_host_sees_one_more_filter_and_none_without_the_property() {
    let own = std::fs::read_to_string("/proc/self/status").expect("status");
    let own = own.lines().find_map(|line| line.strip_prefix("Seccomp_filters:\t"));
    let own: u32 = own.expect("Linux 5.9").trim().parse().expect("a number");
    for (filtered, more) in [(true, 1), (false, 0)] {
        let world = World::new();
        let bundle = bundle(&world, "seccomp", |config| {
            command(config, &["sleep", "60"]);
            if !filtered {
                drop(config["linux"]["seccomp"].take());
            }
        });
        let held = world.hold(&["--bundle", &bundle.to_string_lossy(), &world.id("held")]);
        assert_eq!(held.status("Seccomp_filters"), (own + more).to_string());
    }
}

#[test]
fn every_action_does_what_the_kernel_says_it_does() {
    for (action, code, err) in [
        ("SCMP_ACT_ALLOW", 0, ""),
        ("SCMP_ACT_LOG", 0, ""),
        ("SCMP_ACT_ERRNO", 1, "Operation not permitted"),
        // Without a tracer: ENOSYS.
        ("SCMP_ACT_TRACE", 1, "Function not implemented"),
        ("SCMP_ACT_TRAP", 159, ""),
        ("SCMP_ACT_KILL", 159, ""),
        ("SCMP_ACT_KILL_THREAD", 159, ""),
        ("SCMP_ACT_KILL_PROCESS", 159, ""),
    ] {
        let ran = ran("seccomp", |config| {
            command(config, &["mkdir", "/tmp/a"]);
            config["linux"]["seccomp"] = json!({
                // A rule with the default action would be left out.
                "defaultAction": if action == "SCMP_ACT_ALLOW" { "SCMP_ACT_LOG" } else { "SCMP_ACT_ALLOW" },
                "syscalls": [{"names": ["mkdir", "mkdirat"], "action": action}]});
        });
        assert_eq!(ran.code, code, "{action}: {}", ran.err);
        assert!(ran.err.contains(err), "{action}: {}", ran.err);
    }
}

#[test]
fn a_filter_without_no_new_privs_takes_a_privilege_that_the_user_no_longer_has() {
    if !common::process::has_ids() {
        skip!("this user has no ids for uid 1000");
    }
    // Why there are two rows: what jec itself would find.
    for (bit, load) in [(false, "EACCES"), (true, "ok")] {
        let ran = ran("seccomp", |config| {
            config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
            config["process"]["noNewPrivileges"] = json!(bit);
            drop(config["linux"]["seccomp"].take());
            probe::run_it(config, "probe_load");
        });
        assert_eq!(probe::told(&ran.ok().out)["load"], load);
    }
    // And that the early row makes it possible all the same.
    let ran = ran("seccomp", |config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        config["process"]["noNewPrivileges"] = json!(false);
        command(config, &["grep", "-E", "Seccomp:|NoNewPrivs", "/proc/self/status"]);
    });
    assert_eq!(ran.ok().out, "NoNewPrivs:\t0\nSeccomp:\t2\n");
}

#[test]
fn exactly_one_of_the_two_rows_runs_and_each_in_its_place() {
    for (bit, runs, before) in [(true, "seccomp", "exec"), (false, "seccomp-early", "bounding")] {
        let world = World::new();
        let bundle = bundle(&world, "seccomp", |config| {
            config["process"]["noNewPrivileges"] = json!(bit);
            command(config, &["true"]);
        });
        let id = world.id("explain");
        let ran = world.run(&["--explain", "--bundle", &bundle.to_string_lossy(), &id]).ok();
        let rows: Vec<_> = ran.err.lines().filter(|line| line.contains(" · init · ")).collect();
        let at = rows.iter().position(|row| row.starts_with(&format!("{runs} ·"))).expect(runs);
        assert!(rows[at + 1].starts_with(before), "{rows:#?}");
        let rows = rows.iter().filter(|row| row.starts_with("seccomp"));
        assert_eq!(rows.count(), 1);
    }
}

#[test]
fn loaded_early_the_filter_binds_what_jec_still_has_to_do_and_the_error_says_so() {
    for (call, stage) in [("setresuid", "identity"), ("capset", "capabilities")] {
        let change = |bit: bool| {
            move |config: &mut Value| {
                config["process"]["noNewPrivileges"] = json!(bit);
                command(config, &["true"]);
                config["linux"]["seccomp"]["syscalls"] =
                    json!([{"names": [call], "action": "SCMP_ACT_ERRNO"}]);
            }
        };
        let words = [&*format!("{stage} (init): {call}("), "EPERM", "loaded by now"];
        ran("seccomp", change(false)).fails(1, &words);
        ran("seccomp", change(true)).ok();
    }
    // One that kills leaves only the way it died.
    let killed = ran("seccomp", |config| {
        config["process"]["noNewPrivileges"] = json!(false);
        config["linux"]["seccomp"]["syscalls"] =
            json!([{"names": ["capset"], "action": "SCMP_ACT_KILL_PROCESS"}]);
    });
    killed.fails(1, &["init ended before its work was done", "SIGSYS"]);
}

#[test]
fn an_execve_that_fails_is_noticed_even_if_the_filter_forbids_init_to_say_so() {
    let silent = json!([{"names": ["sendmsg"], "action": "SCMP_ACT_ERRNO"}]);
    for (entries, code, words) in [
        (silent, 1, ["running (runtime): init ended", "refuses what init needs to say why"]),
        (json!([]), 127, ["exec (init): execve(", "ENOENT"]),
    ] {
        let world = World::new();
        let bundle = bundle(&world, "seccomp", |config| {
            command(config, &["/it"]);
            config["linux"]["seccomp"]["syscalls"] = entries;
        });
        common::process::program(&bundle, "it", b"#!/nope\n", 0o755);
        world.run_bundle(&bundle).fails(code, &words);
        world.assert_clean();
    }
}
