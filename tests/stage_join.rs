//! join: namespaces that exist already.

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use common::{
    Canary, Held, Ran, World, for_me, has_program, is_root, namespace_of, sh, until, with_namespace,
};
use serde_json::{Value, json};

/// A container to be joined.
fn pod(world: &World) -> Held {
    world.hold_bundle(&world.bundle("spawn-init", sh("exec sleep 300")))
}

/// Joins these namespaces of the pod, and its user namespace where it has one.
fn join(config: &mut Value, pod: &Held, kinds: &[(&str, &str)]) {
    let own_user = pod.namespace("user") != namespace_of(pod.jec_pid(), "user");
    let user = own_user.then_some(("user", "user"));
    for (kind, file) in kinds.iter().copied().chain(user) {
        with_namespace(config, kind, Some(&format!("/proc/{}/ns/{file}", pod.pid)));
    }
}

#[test]
fn the_container_of_the_example_shares_the_network_of_the_host() {
    if !is_root() {
        skip!("the host's network is not hers to join");
    }
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("join", sh("exec sleep 300")));
    assert_eq!(held.namespace("net"), namespace_of(held.jec_pid(), "net"));
    assert_ne!(held.namespace("uts"), namespace_of(held.jec_pid(), "uts"));
    drop(held);
    let apart = world.bundle("join", |config| {
        with_namespace(config, "network", None);
        sh("exec sleep 300")(config);
    });
    let held = world.hold_bundle(&apart);
    assert_ne!(held.namespace("net"), namespace_of(held.jec_pid(), "net"));
    drop(held);
    world.assert_clean();
}

#[test]
fn two_containers_make_a_pod() {
    let (world, other) = (World::new(), World::new());
    let pod = pod(&world);
    let bundle = other.bundle("join", |config| {
        let kinds = [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("pid", "pid")];
        join(config, &pod, &kinds);
        config["hostname"] = Value::Null;
        config["process"]["args"] = json!(["sh", "-c", "ps; exec sleep 300"]);
    });
    let held = other.hold_bundle(&bundle);
    until("ps is done", || held.proc("comm") == "sleep\n");
    for (kind, shared) in
        [("net", true), ("ipc", true), ("uts", true), ("pid", true), ("mnt", false)]
    {
        assert_eq!(held.namespace(kind) == pod.namespace(kind), shared, "{kind}");
    }
    assert!(
        !held.status("NSpid").ends_with("\t1"),
        "process 1 is the pod's: {}",
        held.status("NSpid")
    );
    let ran = held.wait_after_kill();
    assert!(ran.out.contains("sleep 300"), "it sees the process of the other: {}", ran.out);
    drop(pod);
    world.assert_clean();
    other.assert_clean();
}

#[test]
fn a_network_of_the_host_can_be_joined_together_with_a_user_namespace() {
    if !is_root() {
        skip!("a network of the host is not hers to join");
    }
    let world = World::new();
    let make = |words: &[&str]| {
        let canary =
            Canary::of(std::process::Command::new("unshare").args(words).args(["sleep", "300"]));
        let comm = format!("/proc/{}/comm", canary.pid());
        until("it sleeps", || fs::read_to_string(&comm).is_ok_and(|name| name == "sleep\n"));
        canary
    };
    let (user, network) = (make(&["--user", "--map-root-user"]), make(&["--net"]));
    let held = world.hold_bundle(&world.bundle("join", |config| {
        with_namespace(config, "user", Some(&format!("/proc/{}/ns/user", user.pid())));
        with_namespace(config, "network", Some(&format!("/proc/{}/ns/net", network.pid())));
        config["process"]["args"] = json!(["sleep", "300"]);
    }));
    assert_eq!(held.namespace("net"), namespace_of(network.pid(), "net"));
    assert_eq!(held.namespace("user"), namespace_of(user.pid(), "user"));
}

#[test]
fn what_is_no_namespace_of_that_kind_is_refused_with_the_reason() {
    let world = World::new();
    let fifo = world.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (path, words) in [
        ("/nonexistent", &["openat(", "ENOENT", "has ended"][..]),
        ("/etc/passwd", &["linux.namespaces", "\"/etc/passwd\" is no namespace"]),
        (&*fifo.to_string_lossy(), &["linux.namespaces", "is no namespace"]),
        ("/proc/self/ns/uts", &["of kind CLONE_NEWUTS, not CLONE_NEWNET"]),
    ] {
        let bundle = world.bundle("join", |config| {
            with_namespace(config, "network", Some(path));
            for_me(config);
        });
        world.run_bundle(&bundle).fails(1, &["join (middle)"]).fails(1, words);
        world.assert_clean();
    }
}

#[test]
fn a_namespace_of_somebody_else_is_refused_with_the_reason() {
    if is_root() {
        skip!("root may join any");
    }
    let world = World::new();
    let bundle = world.bundle("join", for_me);
    world.run_bundle(&bundle).fails(1, &["join (middle): setns(", "EPERM", "not root"]);
    world.assert_clean();
}

/// Tries to read a file of the host through every process that it can see.
const SPY: &str = "while [ ! -e /tmp/stop ]; do for p in /proc/[0-9]*; do
    read name <$p/comm; case $name in jec*|sleep)
    if cat $p/root/$CANARY >>/tmp/stolen; then :; else echo $name >>/tmp/refused; fi;; esac
    done; done 2>/dev/null";

/// CVE-2016-9962: who comes into a container from outside is seen from inside
/// while it still has the host's root.
#[test]
fn a_process_on_its_way_in_cannot_be_looked_through() {
    if !has_program("strace") || !has_program("nsenter") {
        skip!("no strace, which stops the clock, or no nsenter");
    }
    let (world, other) = (World::new(), World::new());
    let canary = tempfile::NamedTempFile::new().unwrap();
    fs::write(canary.path(), "canary").unwrap();
    open_to_all(canary.path(), 0o644);
    let shared = world.path("shared");
    fs::create_dir(&shared).unwrap();
    open_to_all(&shared, 0o777);
    let pod = world.hold_bundle(&world.bundle("user-namespace", |config| {
        // With the very same id inside and outside: a change of it would hide the process as well.
        let id = |id: u32| json!([{"containerID": 0, "hostID": id, "size": 1}]);
        config["linux"]["uidMappings"] = id(nix::unistd::geteuid().as_raw());
        config["linux"]["gidMappings"] = id(nix::unistd::getegid().as_raw());
        sh(SPY)(config);
        let all = json!(["CAP_SYS_PTRACE"]);
        config["process"]["capabilities"] =
            json!({"bounding": all, "effective": all, "permitted": all});
        config["process"]["env"] =
            json!(["PATH=/bin", format!("CANARY={}", canary.path().display())]);
        let mount = json!({"destination": "/tmp", "source": shared, "options": ["bind"]});
        config["mounts"].as_array_mut().unwrap().push(mount);
    }));
    let joining = other.bundle("join", |config| {
        join(config, &pod, &[("pid", "pid"), ("network", "net")]);
        config["process"]["args"] = json!(["true"]);
    });
    slowly(&other.run_words(&joining)).ok();
    assert!(fs::read_to_string(shared.join("refused")).unwrap().contains("jec"), "it was seen");
    assert!(!shared.join("stolen").exists() || fs::read(shared.join("stolen")).unwrap().is_empty());
    // Without the stage: nsenter(1) does not hide.
    let enter = format!("--user --preserve-credentials --pid --target {} sleep 300", pod.pid);
    let _bare = Canary::of(std::process::Command::new("nsenter").args(enter.split(' ')));
    until("the host's file is stolen", || {
        fs::read(shared.join("stolen")).is_ok_and(|text| text.starts_with(b"canary"))
    });
    fs::write(shared.join("stop"), "").unwrap();
}

fn open_to_all(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// jec, which waits for two seconds between the birth of init and its first stage.
fn slowly(words: &str) -> Ran {
    let trace = "-o/dev/null -e trace=pidfd_open -e inject=pidfd_open:delay_enter=2000000";
    let mut command = std::process::Command::new("strace");
    command.args(trace.split(' ')).args(words.split(' ')).stdin(Stdio::null());
    Ran::of(command)
}
