//! Filter: the profile is compiled before there is a process.
#![allow(unsafe_code)] // raw system calls, in probes and before execve

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use common::process::{bundle, command, ran};
use common::{Ran, World, probe};
use serde_json::{Value, json};

/// socket(2), and the errno of its refusal.
fn socket(family: i32, protocol: i32) -> String {
    // SAFETY: only numbers are passed.
    let fd = unsafe { libc::syscall(libc::SYS_socket, family, libc::SOCK_RAW, protocol) };
    let told = probe::outcome(fd);
    // SAFETY: the descriptor is ours, and -1 closes nothing.
    unsafe { libc::close(i32::try_from(fd).unwrap_or(-1)) };
    told
}

#[test]
#[ignore = "a probe: runs inside a container"]
fn probe_sockets() {
    probe::tell("both", &socket(libc::AF_NETLINK, libc::NETLINK_AUDIT));
    probe::tell("family", &socket(libc::AF_NETLINK, libc::NETLINK_ROUTE));
    probe::tell("protocol", &socket(libc::AF_UNIX, libc::NETLINK_AUDIT));
    // The kernel looks at 32 bits of the family only, the filter at all 64.
    // SAFETY: only numbers are passed.
    let high = unsafe {
        libc::syscall(libc::SYS_socket, 1_i64 << 32 | 16, libc::SOCK_RAW, libc::NETLINK_AUDIT)
    };
    probe::tell("high", &probe::outcome(high));
}

#[test]
#[cfg(target_arch = "x86_64")]
#[ignore = "a probe: runs inside a container"]
fn probe_numbers() {
    for (name, number) in [("tomorrow", 5000), ("mkdir", 83), ("unlisted", libc::SYS_rmdir)] {
        // SAFETY: the path is null.
        let result = unsafe { libc::syscall(number, 0) };
        probe::tell(name, &probe::outcome(result));
    }
}

/// What the sockets of the probe get under these entries of `syscalls`.
fn sockets(entries: &Value) -> BTreeMap<String, String> {
    let ran = ran("filter", |config| {
        probe::run_it(config, "probe_sockets");
        config["linux"]["seccomp"]["syscalls"] = entries.clone();
    });
    probe::told(&ran.ok().out)
}

fn is(index: u32, value: u32) -> Value {
    json!({"index": index, "value": value, "op": "SCMP_CMP_EQ"})
}

#[test]
fn the_example_answers_mkdir_with_an_errno_of_its_own() {
    let ran = ran("filter", |_| ()).ok();
    assert_eq!(ran.out, "mkdir: 1\nrmdir: 0\n");
    assert!(ran.err.contains("Disk quota exceeded"), "{}", ran.err);
}

#[test]
fn without_the_profile_mkdir_works() {
    let ran = ran("filter", |config| drop(config["linux"]["seccomp"].take()));
    assert!(ran.out.starts_with("mkdir: 0\n"), "{ran:?}");
}

#[test]
fn two_conditions_of_an_entry_have_to_hold_both() {
    // CVE-2017-18367: each was enough by itself.
    let entry = |conditions: Value| {
        json!([{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 122,
            "args": conditions}])
    };
    let found = sockets(&entry(json!([is(0, 16), is(2, 9)])));
    assert_eq!(found["both"], "EDQUOT");
    assert_ne!(found["family"], "EDQUOT");
    assert_ne!(found["protocol"], "EDQUOT");
    // The other half: what the mistake made of it.
    let each = json!([entry(json!([is(0, 16)]))[0], entry(json!([is(2, 9)]))[0]]);
    let found = sockets(&each);
    assert_eq!([&*found["both"], &found["family"], &found["protocol"]], ["EDQUOT"; 3]);
}

#[test]
fn two_conditions_on_one_argument_are_each_enough_as_old_profiles_meant_it() {
    let found = sockets(&json!([{"names": ["socket"], "action": "SCMP_ACT_ERRNO",
        "errnoRet": 122, "args": [is(0, 16), is(0, 1)]}]));
    assert_eq!([&*found["both"], &found["family"], &found["protocol"]], ["EDQUOT"; 3]);
    // A deny-list can be cheated with the upper half of the argument: that is
    // why the default profile is an allow-list.
    assert_ne!(found["high"], "EDQUOT");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_call_newer_than_the_profile_is_enosys_and_a_known_one_what_the_default_says() {
    let profile = |default: &str| {
        let ran = ran("filter", |config| {
            probe::run_it(config, "probe_numbers");
            let seccomp = &mut config["linux"]["seccomp"];
            let allow = &default_profile()["syscalls"];
            let refuse = json!([{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]);
            *seccomp = json!({"defaultAction": default, "syscalls": refuse});
            if default == "SCMP_ACT_ERRNO" {
                let all = allow.as_array().unwrap().iter().cloned().map(|mut entry| {
                    let names = entry["names"].as_array_mut().unwrap();
                    names.retain(|name| name != "rmdir" && name != "mkdir");
                    entry
                });
                let mut all: Vec<_> = all.filter(|e| e["names"] != json!([])).collect();
                all.extend(refuse.as_array().unwrap().iter().cloned());
                *seccomp =
                    json!({"defaultAction": default, "defaultErrnoRet": 93, "syscalls": all});
            }
        });
        probe::told(&ran.ok().out)
    };
    let found = profile("SCMP_ACT_ERRNO");
    let found = [&*found["tomorrow"], &found["mkdir"], &found["unlisted"]];
    assert_eq!(found, ["ENOSYS", "EOPNOTSUPP", "EPROTONOSUPPORT"]);
    let found = profile("SCMP_ACT_ALLOW");
    let found = [&*found["tomorrow"], &found["mkdir"], &found["unlisted"]];
    assert_eq!(found, ["ENOSYS", "EOPNOTSUPP", "EFAULT"]);
}

/// linux.seccomp of `jec run`.
#[cfg(target_arch = "x86_64")]
fn default_profile() -> Value {
    let world = World::new();
    let mut jec = world.jec();
    jec.arg("spec").arg(world.rootfs());
    let spec: Value = serde_json::from_str(&Ran::of(jec).ok().out).expect("JSON");
    spec["linux"]["seccomp"].clone()
}

#[test]
fn a_profile_longer_than_the_kernel_takes_is_refused_before_there_is_a_process() {
    let entries: Vec<_> = (0..3000)
        .map(|value| {
            json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [is(0, value)]})
        })
        .collect();
    let change = |entries: &[Value]| {
        let entries = json!(entries);
        |config: &mut Value| {
            config["linux"]["seccomp"]["syscalls"] = entries;
            command(config, &["true"]);
        }
    };
    let ran_long = ran("filter", change(&entries));
    ran_long.fails(1, &["filter (runtime): linux.seccomp", "4096"]);
    ran("filter", change(&entries[..300])).ok();
}

#[test]
fn a_kernel_without_what_the_profile_asks_for_is_told_before_anything_is_made() {
    for (errno, words) in [
        (libc::EINVAL, ["filter (runtime): linux.seccomp: this kernel has no", "cure:"]),
        (libc::EPERM, ["filter (runtime): seccomp(SECCOMP_SET_MODE_FILTER", "likely:"]),
    ] {
        let world = World::new();
        let bundle = bundle(&world, "filter", |_| ());
        let mut jec = world.jec();
        jec.args(["run", "--bundle"]).arg(&bundle).arg("c1");
        // SAFETY: between fork and execve only system calls are made.
        unsafe { jec.pre_exec(move || refuse_seccomp(errno)) };
        Ran::of(jec).fails(1, &words);
        world.assert_clean();
        world.run_bundle(&bundle).ok();
    }
}

/// From now on seccomp(2) fails with this errno, as on a kernel that lacks something.
fn refuse_seccomp(errno: i32) -> std::io::Result<()> {
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let number = u32::try_from(libc::SYS_seccomp).expect("a number");
    let program = [
        step(0x20, 0, 0, 0), // load the number
        step(0x15, 0, 1, number),
        step(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()),
        step(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let header = libc::sock_fprog { len: 4, filter: program.as_ptr().cast_mut() };
    // SAFETY: the program lives until the call returns.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const header)
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[test]
fn the_flags_of_the_specification_reach_the_kernel() {
    for flag in ["TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"] {
        ran("filter", |config| {
            config["linux"]["seccomp"]["flags"] = json!([format!("SECCOMP_FILTER_FLAG_{flag}")]);
        })
        .ok();
    }
    let ran = ran("filter", |config| {
        config["linux"]["seccomp"]["flags"] = json!(["SECCOMP_FILTER_FLAG_OF_TOMORROW"]);
    });
    ran.fails(1, &["linux.seccomp.flags", "SECCOMP_FILTER_FLAG_OF_TOMORROW"]);
}

#[test]
fn a_profile_under_which_jec_could_not_go_on_is_refused_at_once() {
    let refuse = |name: &str| json!({"names": [name], "action": "SCMP_ACT_ERRNO"});
    let notify = json!({"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"});
    for (entries, no_new_privileges, words) in [
        (json!([refuse("execve")]), true, "refuses execve"),
        (json!([refuse("sendmsg"), notify]), true, "the listener could not be handed over"),
        (json!([refuse("recvmsg")]), false, "without process.noNewPrivileges"),
    ] {
        let ran = ran("filter", |config| {
            config["process"]["noNewPrivileges"] = json!(no_new_privileges);
            config["linux"]["seccomp"]["syscalls"] = entries;
            config["linux"]["seccomp"]["listenerPath"] = json!("/nobody/listens");
        });
        let ran = ran.fails(1, &["linux.seccomp: ", words]);
        assert!(!ran.err.contains("(init)"), "{}", ran.err);
    }
    // Nobody listens, and jec has nothing more to say when this one is loaded.
    ran("filter", |config| {
        config["linux"]["seccomp"]["syscalls"] = json!([refuse("sendmsg")]);
    })
    .ok();
}

#[test]
fn jec_run_takes_a_profile_from_a_file_and_no_other_words_than_the_specifications() {
    let world = World::new();
    let root = world.rootfs().to_string_lossy().into_owned();
    let file = world.path("profile.json");
    let run = |profile: &str| {
        fs::write(&file, profile).expect("a profile");
        world.run(&["--seccomp", &file.to_string_lossy(), &root, "--", "mkdir", "/tmp/a"])
    };
    let profile = |word: &str| {
        format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW","{word}":[
                {{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":122}}]}}"#
        )
    };
    run(&profile("syscalls")).fails(1, &["Disk quota exceeded"]);
    run(&profile("sycalls")).fails(1, &["--seccomp", "sycalls is not a word of linux.seccomp"]);
    run("{").fails(1, &["--seccomp", "not JSON"]);
    run(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).ok();
    fs::remove_file(&file).expect("no profile");
    let mut jec: Command = world.jec();
    jec.args(["run", "--seccomp"]).arg(&file).args([&root, "--", "true"]);
    Ran::of(jec).fails(1, &["--seccomp", "ENOENT"]);
    world.assert_clean();
}
