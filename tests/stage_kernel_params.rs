//! kernel-params: what belongs to the container's namespaces is set there and
//! read back; what belongs to the host is refused by its name.

mod common;

use std::fs;
use std::process::Command;

use common::bundle::{add_mount, drop_mount, for_me, shell, sleeps};
use common::{Held, Ran, World, is_root};
use serde_json::{Value, json};

fn host(path: &str) -> String {
    fs::read_to_string(format!("/proc/sys/{path}")).unwrap_or_default()
}

/// What a process of the host sees in the container's namespaces, with the host's own /proc.
fn from_the_host(held: &Held, line: &str) -> String {
    let mut command = Command::new("nsenter");
    command.args(["--target", &held.pid.to_string(), "--uts", "--net", "--ipc"]);
    if !is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    command.args(["sh", "-c", line]);
    Ran::of(command).ok().out.trim().to_owned()
}

#[test]
fn the_example_has_its_names_and_sysctls_and_the_host_keeps_its_own() {
    let watched = ["kernel/hostname", "kernel/domainname", "kernel/msgmax", "net/ipv4/ip_forward"];
    let before = watched.map(host);
    let world = World::new();
    let bundle = world.bundle("kernel-params", |config| {
        for_me(config);
        sleeps(config);
    });
    let held = world.hold_bundle(&bundle);
    let line = "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward";
    assert_eq!(from_the_host(&held, line), "box\nexample\n4096\n1");
    assert_eq!(watched.map(host), before);
    assert_ne!(host("kernel/msgmax").trim(), "4096", "or this test could not fail");
    drop(held);
    world.assert_clean();
}

#[test]
fn the_program_of_the_example_sees_them_as_well() {
    let world = World::new();
    let bundle = world.bundle("kernel-params", for_me);
    assert_eq!(world.run_bundle(&bundle).ok().out, "box\nexample\n1\n4096\n");
}

#[test]
fn left_out_they_are_what_a_new_namespace_begins_with() {
    let world = World::new();
    let bundle = world.bundle("kernel-params", |config| {
        for_me(config);
        let config = config.as_object_mut().unwrap();
        config.remove("hostname");
        config.remove("domainname");
        config["linux"].as_object_mut().unwrap().remove("sysctl");
    });
    let ran = world.run_bundle(&bundle).ok();
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines[0], host("kernel/hostname").trim());
    assert_eq!(lines[2..], ["0", "8192"]);
}

#[test]
fn a_sysctl_of_the_whole_machine_is_refused_by_name_before_anything_is_made() {
    let core = host("kernel/core_pattern");
    for name in [
        "kernel.core_pattern",
        "kernel/core_pattern",
        "kernel.shm_rmid_forced/../core_pattern",
        "net/../kernel/core_pattern",
        "net.ipv4.ip_forward+kernel.core_pattern",
        "kernel.modprobe",
        "kernel.panic",
        "kernel.msgmax.x",
        "vm.overcommit_memory",
        "fs.suid_dumpable",
        "fs.mqueue",
        "../sys/kernel/core_pattern",
        "/proc/sys/kernel/core_pattern",
        "",
    ] {
        let world = World::new();
        let bundle = world.bundle("kernel-params", |config| {
            for_me(config);
            config["linux"]["sysctl"] = json!({name: "|/bin/sh"});
        });
        world.run_bundle(&bundle).fails(1, &[&format!("linux.sysctl.{name}: ")]);
        world.assert_clean();
    }
    assert_eq!(host("kernel/core_pattern"), core);
}

#[test]
fn such_a_sysctl_would_really_be_the_hosts() {
    let world = World::new();
    let bundle = world.bundle("kernel-params", |config| {
        for_me(config);
        shell(config, "cat /proc/sys/kernel/core_pattern; test -w /proc/sys/kernel/core_pattern");
    });
    let ran = world.run_bundle(&bundle);
    assert_eq!(ran.out.trim(), host("kernel/core_pattern").trim());
    if is_root() {
        assert_eq!(ran.code, 0, "root without a user namespace could write it");
    }
}

/// A namespace that is left out, a further change, the property that is refused.
type Case = (&'static str, fn(&mut Value), &'static str);

#[test]
fn a_parameter_of_a_namespace_that_is_the_hosts_is_refused() {
    let cases: [Case; 4] = [
        ("network", |_| (), "linux.sysctl.net.ipv4.ip_forward: "),
        ("ipc", |_| (), "linux.sysctl.kernel.msgmax: "),
        ("uts", |_| (), "hostname: "),
        ("uts", |config| drop(config.as_object_mut().unwrap().remove("hostname")), "domainname: "),
    ];
    for (kind, change, words) in cases {
        let world = World::new();
        let bundle = world.bundle("kernel-params", |config| {
            for_me(config);
            change(config);
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.retain(|namespace| namespace["type"] != kind);
        });
        world.run_bundle(&bundle).fails(1, &[words]);
        world.assert_clean();
    }
}

#[test]
fn what_the_kernel_does_not_take_is_an_error_that_names_stage_and_sysctl() {
    let cases = [
        (("net.ipv4.there_is_none", "1"), vec!["openat2(", "net/ipv4/there_is_none", "ENOENT"]),
        (("net.ipv4.ip_forward", "yes"), vec!["write(", "EINVAL", "does not take this value"]),
        (("kernel.msgmax", "-1"), vec!["write(", "EINVAL"]),
        // The kernel reads it as 4096, and answers so: set to what, is the question.
        (("kernel.msgmax", "0x1000"), vec!["kernel/msgmax", "set to 0x1000", "says 4096"]),
    ];
    for ((name, value), words) in cases {
        let world = World::new();
        let bundle = world.bundle("kernel-params", |config| {
            for_me(config);
            config["linux"]["sysctl"] = json!({name: value});
        });
        world.run_bundle(&bundle).fails(1, &[&["kernel-params (init): "][..], &words].concat());
        world.assert_clean();
    }
}

#[test]
fn a_mount_over_proc_sys_does_not_redirect_the_write() {
    let world = World::new();
    let bundle = world.bundle("kernel-params", |config| {
        for_me(config);
        sleeps(config);
        // A file of the image where the sysctl would be (CVE-2019-16884 in reverse).
        add_mount(config, "/proc/sys", "bind", "rootfs/fake", &["bind"]);
    });
    let fake = bundle.join("rootfs/fake/net/ipv4");
    fs::create_dir_all(&fake).unwrap();
    fs::write(fake.join("ip_forward"), "fake").unwrap();
    let held = world.hold_bundle(&bundle);
    assert_eq!(from_the_host(&held, "cat /proc/sys/net/ipv4/ip_forward"), "1");
    assert_eq!(fs::read_to_string(fake.join("ip_forward")).unwrap(), "fake");
}

#[test]
fn no_proc_in_the_container_is_needed() {
    let world = World::new();
    let bundle = world.bundle("kernel-params", |config| {
        for_me(config);
        sleeps(config);
        drop_mount(config, "/proc");
    });
    let held = world.hold_bundle(&bundle);
    assert_eq!(from_the_host(&held, "cat /proc/sys/kernel/msgmax"), "4096");
}

#[test]
fn a_name_of_sixty_four_bytes_fits_and_one_more_does_not() {
    for (length, fits) in [(64, true), (65, false)] {
        let world = World::new();
        let name = "n".repeat(length);
        let bundle = world.bundle("kernel-params", |config| {
            for_me(config);
            config["hostname"] = json!(name);
        });
        let ran = world.run_bundle(&bundle);
        if fits {
            assert!(ran.ok().out.starts_with(&name));
        } else {
            ran.fails(1, &["hostname: is longer than 64 bytes"]);
        }
    }
}
