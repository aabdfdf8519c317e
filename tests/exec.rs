//! `jec exec`: a further process is where process 1 is, may no more than process 1 may,
//! and ends as its user expects.

mod common;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::pty::Pty;
use common::{Held, Ran, World, has_cgroup2, is_root, namespace_of, own_view, sh, until};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::{Value, json};

const KINDS: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

/// A container that sleeps, with this change of its configuration.
fn sleeping(world: &World, change: impl FnOnce(&mut Value)) -> Held {
    let held = world.hold_bundle(&bundle(world, change));
    until("it runs", || world.state(&world.id("b"))["status"] == "running");
    held
}

/// The example has a devpts.
fn bundle(world: &World, change: impl FnOnce(&mut Value)) -> PathBuf {
    world.bundle("console", |config| {
        sh("exec sleep 300")(config);
        config["process"]["terminal"] = json!(false);
        change(config);
    })
}

/// `jec exec FLAGS ID COMMAND`.
fn exec(world: &World, flags: &[&str], command: &[&str]) -> Command {
    let mut jec = world.jec();
    jec.arg("exec").args(flags).arg(world.id("b")).args(command);
    jec
}

fn ran(world: &World, flags: &[&str], command: &[&str]) -> Ran {
    Ran::of(exec(world, flags, command))
}

/// Starts a process that goes on by itself; its number on the host.
fn detached(world: &World, flags: &[&str], command: &[&str]) -> i32 {
    let file = world.path("exec-pid");
    let path = file.to_string_lossy();
    let all = [&["--detach", "--pid-file", &*path], flags].concat();
    let jec = exec(world, &all, command);
    world.ran_aside(jec).ok();
    fs::read_to_string(file).expect("the pid file").parse().expect("a number")
}

fn status(pid: i32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.expect(name).trim().to_owned()
}

fn kill(pid: i32) {
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill");
    until("its end", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
}

/// A process object in a file.
fn object(world: &World, change: impl FnOnce(&mut Value)) -> String {
    let mut process = json!({
        "args": ["sh", "-c", "exec sleep 300"], "cwd": "/", "user": {"uid": 0, "gid": 0},
        "env": ["PATH=/bin", "A=b"],
    });
    change(&mut process);
    let path = world.path("process.json");
    fs::write(&path, process.to_string()).expect("the file");
    path.to_string_lossy().into_owned()
}

#[test]
fn it_lives_in_every_namespace_and_the_cgroup_of_process_1_and_under_the_same_filter() {
    own_view();
    let world = World::new();
    let held = sleeping(&world, |config| {
        config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["personality"], "action": "SCMP_ACT_ERRNO"}]});
    });
    let pid = detached(&world, &[], &["sleep", "300"]);
    for kind in KINDS {
        assert_eq!(namespace_of(pid, kind), held.namespace(kind), "{kind}");
    }
    let read = |pid: i32, name| fs::read_to_string(format!("/proc/{pid}/{name}")).expect(name);
    assert_eq!(read(pid, "cgroup"), held.proc("cgroup"));
    assert!(!is_root() || held.proc("cgroup").contains(&world.id("b")), "{}", held.proc("cgroup"));
    for name in ["CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb", "NoNewPrivs", "Seccomp"] {
        assert_eq!(status(pid, name), held.status(name), "{name}");
    }
    assert_eq!(held.status("Seccomp"), "2");
    let root = |pid: i32| fs::read_link(format!("/proc/{pid}/root")).expect("root");
    assert_eq!(root(pid), root(held.pid));
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("fd").count();
    assert_eq!(open, 3, "nothing of the host is open in it");
    // It belongs to nobody who started it, and not to the container's life either.
    assert_ne!(status(pid, "PPid"), "0");
    kill(pid);
    held.wait_after_kill();
    world.assert_clean();
}

#[test]
fn flags_change_the_process_of_the_configuration() {
    let world = World::new();
    let held = sleeping(&world, |config| {
        config["process"]["env"] = json!(["PATH=/bin:/usr/bin", "A=a", "B=b"]);
    });
    let script = "pwd; env; id -u; id -g";
    let flags = ["--cwd", "/tmp", "-e", "A=c", "--env", "N=n", "-u", "0:0", "--no-new-privs"];
    let told = ran(&world, &flags, &["sh", "-c", script]).ok().out;
    for line in ["/tmp", "A=c", "B=b", "N=n"] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    assert!(!told.contains("A=a") && told.ends_with("0\n0\n"), "{told}");
    if is_root() {
        let told = ran(&world, &["-u", "5:6", "-g", "7"], &["id"]).ok().out;
        for word in ["uid=5", "gid=6", "7"] {
            assert!(told.contains(word), "{word}: {told}");
        }
    }
    drop(held);
}

#[test]
fn a_process_object_never_gives_more_than_the_container_has() {
    let world = World::new();
    let held = sleeping(&world, |config| {
        config["process"]["noNewPrivileges"] = json!(true);
        let sets = ["bounding", "permitted", "effective"].map(|set| (set, json!(["CAP_CHOWN"])));
        config["process"]["capabilities"] = sets.into_iter().collect();
        config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 77}]);
    });
    let file = object(&world, |process| {
        let all = json!(["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]);
        process["capabilities"] =
            json!({"bounding": all, "permitted": all, "effective": all, "inheritable": all});
        process["noNewPrivileges"] = json!(false);
    });
    let pid = detached(&world, &["--process", &file], &[]);
    for name in ["CapBnd", "CapPrm", "CapEff", "CapInh"] {
        assert_eq!(status(pid, name), "0000000000000001", "{name}");
    }
    assert_eq!(status(pid, "NoNewPrivs"), "1");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("limits");
    assert!(limits.lines().any(|l| l.starts_with("Max open files") && l.contains(" 77 ")));
    assert!(world.said().contains("CAP_SYS_ADMIN"), "{}", world.said());
    kill(pid);
    ran(&world, &["--cap", "SYS_ADMIN"], &["true"]).fails(1, &["--cap CAP_SYS_ADMIN", "bounding"]);
    ran(&world, &["--cap", "CHOWN"], &["true"]).ok();
    drop(held);
}

#[test]
fn every_end_is_passed_on_as_in_the_shell() {
    let world = World::new();
    let held = sleeping(&world, |_| ());
    for code in [0, 1, 7, 255] {
        assert_eq!(ran(&world, &[], &["sh", "-c", &format!("exit {code}")]).code, code);
    }
    // Not process 1: a signal of its own ends it.
    for signal in [1, 2, 9, 15] {
        let script = format!("kill -{signal} $$");
        assert_eq!(ran(&world, &[], &["sh", "-c", &script]).code, 128 + signal);
    }
    ran(&world, &[], &["no-such"]).fails(127, &["program (init)", "ENOENT"]);
    ran(&world, &[], &["/etc"]).fails(126, &["EACCES"]);
    ran(&world, &["--cwd", "/none"], &["true"]).fails(1, &["identity (init)", "/none", "ENOENT"]);
    assert!(!world.path("bundle-console/rootfs/none").exists());
    // What is behind the command is the command's.
    assert_eq!(ran(&world, &[], &["--", "echo", "-t", "--detach"]).ok().out, "-t --detach\n");
    assert_eq!(ran(&world, &[], &["echo", "-t"]).ok().out, "-t\n");
    drop(held);
    world.assert_clean();
}

#[test]
fn its_streams_are_the_callers_and_closed_ones_are_no_door() {
    let world = World::new();
    let held = sleeping(&world, |_| ());
    let words: Vec<_> = exec(&world, &[], &[]).get_args().map(ToOwned::to_owned).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let jec = format!("{} {}", common::jec_path().display(), words.join(" "));
    assert_eq!(common::shell(&format!("echo hello | {jec} cat")).ok().out, "hello\n");
    let found = common::shell(&format!("{jec} ls -l /proc/self/fd 0<&-")).ok().out;
    assert!(found.contains("0 -> /dev/null") && !found.contains(" 4 -> "), "{found}");
    common::shell(&format!("{jec} true </")).fails(1, &["fds (init)", "standard input"]);
    let open = common::shell(&format!(
        "exec 3</dev/null; {} --preserve-fds 1 {} ls /proc/self/fd",
        jec.replace(&world.id("b"), ""),
        world.id("b")
    ));
    assert!(open.ok().out.contains("3\n4\n"));
    drop(held);
}

#[test]
fn a_signal_for_jec_reaches_the_process_and_its_death_ends_it() {
    let world = World::new();
    let held = sleeping(&world, |_| ());
    let file = world.path("exec-pid");
    let start = |script: &str| {
        fs::remove_file(&file).ok();
        let flags = ["--pid-file", &*file.to_string_lossy()];
        let mut jec = exec(&world, &flags, &["sh", "-c", script]);
        let jec = jec.stdout(Stdio::null()).spawn().expect("jec");
        let number = || fs::read_to_string(&file).ok()?.parse::<i32>().ok();
        until("it runs", || number().is_some());
        (jec, number().expect("a number"))
    };
    let ready = world.path("bundle-console/rootfs/tmp/ready");
    let (mut jec, _) = start("trap 'exit 9' TERM; : >/tmp/ready; while :; do sleep 0.05; done");
    until("the trap is set", || ready.exists());
    nix::sys::signal::kill(Pid::from_raw(jec.id().cast_signed()), Signal::SIGTERM).expect("kill");
    assert_eq!(jec.wait().expect("its end").code(), Some(9));
    let (mut jec, pid) = start("exec sleep 300");
    jec.kill().expect("kill");
    jec.wait().expect("its end");
    until("it ends with jec", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    // A process that goes on by itself has outlived its jec by now, and ends with the container.
    let pid = detached(&world, &[], &["sleep", "300"]);
    held.wait_after_kill();
    until("it ends with process 1", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    world.assert_clean();
}

#[test]
fn a_terminal_is_relayed_and_the_containers_console_stays() {
    let world = World::new();
    let held = sleeping(&world, |_| ());
    let before = held.proc("mountinfo");
    let command =
        exec(&world, &["-t"], &["sh", "-c", "tty; stty size; read x; echo got $x; exit 3"]);
    let Some(mut pty) = Pty::start(&command) else { skip!("this user may not open /dev/ptmx") };
    pty.shows("24 80");
    pty.types("hello\r");
    assert_eq!(pty.wait(), 3);
    assert!(pty.screen().contains("/dev/pts/") && pty.screen().contains("got hello"));
    assert_eq!(held.proc("mountinfo"), before, "nothing was mounted");
    ran(&world, &["-t", "-d"], &["sh"]).fails(1, &["--detach", "--console-socket"]);
    drop(held);
}

#[test]
fn what_does_not_run_takes_no_further_process() {
    let world = World::new();
    ran(&world, &[], &["true"]).fails(1, &["does not exist"]);
    let id = world.id("b");
    world.create(&bundle(&world, |_| ()), &id).ok();
    ran(&world, &[], &["true"]).fails(1, &["container not running", "created"]);
    world.tell(&["start", &id]).ok();
    ran(&world, &[], &["true"]).ok();
    world.tell(&["kill", &id, "KILL"]).ok();
    until("it has stopped", || ran(&world, &[], &["true"]).err.contains("it is stopped"));
    ran(&world, &[], &["true"]).fails(1, &["container not running"]);
    world.delete(&[&id]).ok();
    world.assert_clean();
}

#[test]
fn a_process_object_that_is_none_is_named() {
    let world = World::new();
    let held = sleeping(&world, |_| ());
    let file = world.path("process.json");
    let path = file.to_string_lossy().into_owned();
    for (text, words) in [
        ("", ["--process", "JSON"]),
        ("[]", ["--process", "JSON"]),
        ("{}", ["process.args", "names no program"]),
        (r#"{"args":["x"],"user":{"uid":0,"gid":0},"cwd":"x"}"#, ["process.cwd", "absolute"]),
        (
            r#"{"args":["x"],"user":{"uid":0,"gid":0},"cwd":"/","apparmorProfile":"p"}"#,
            ["labels (init)", "likely:"],
        ),
    ] {
        fs::write(&file, text).expect("the file");
        ran(&world, &["-p", &path], &[]).fails(1, &words);
    }
    ran(&world, &["-p", "/no/such"], &[]).fails(1, &["/no/such", "ENOENT"]);
    ran(&world, &["--apparmor", "p"], &["true"]).fails(1, &["labels (init)", "apparmor"]);
    ran(&world, &["--process-label", "l"], &["true"]).fails(1, &["labels (init)", "EINVAL"]);
    ran(&world, &["--apparmor", "", "--process-label", ""], &["true"]).ok();
    ran(&world, &["-p", &path], &["true"]).fails(2, &["cannot be used with"]);
    drop(held);
}

#[test]
fn ten_at_once_do_not_disturb_each_other() {
    let world = World::new();
    let held = sleeping(&world, |_| ());
    let start = |code: i32| {
        let mut jec = exec(&world, &[], &["sh", "-c", &format!("sleep 0.2; exit {code}")]);
        jec.stderr(Stdio::null()).spawn().expect("jec")
    };
    let all: Vec<_> = (0..10).map(|code| (code, start(code))).collect();
    for (code, mut jec) in all {
        assert_eq!(jec.wait().expect("its end").code(), Some(code));
    }
    drop(held);
    world.assert_clean();
}

#[test]
fn a_cgroup_below_the_containers_is_taken_and_a_paused_one_is_not() {
    if !is_root() {
        skip!("the cgroup is made by hand");
    }
    own_view();
    let world = World::new();
    let held = sleeping(&world, |_| ());
    let cgroup = held.proc("cgroup");
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::")).expect("a line");
    let dir = std::path::Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    assert!(has_cgroup2() && path.contains(&world.id("b")), "{cgroup}");
    fs::create_dir(dir.join("sub")).expect("a cgroup");
    let pid = detached(&world, &["--cgroup", "/sub"], &["sleep", "300"]);
    let found = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("cgroup");
    assert!(found.contains(&format!("0::{path}/sub\n")), "{found}");
    ran(&world, &["--cgroup", "none"], &["true"]).fails(1, &["cgroup (runtime)", "/none"]);
    ran(&world, &["--cgroup", "../x"], &["true"]).fails(2, &["--cgroup", "out of"]);
    fs::write(dir.join("cgroup.freeze"), "1").expect("freeze");
    until("it is frozen", || {
        fs::read_to_string(dir.join("cgroup.events")).is_ok_and(|text| text.contains("frozen 1"))
    });
    ran(&world, &[], &["true"]).fails(1, &["is paused", "--ignore-paused"]);
    let mut waiting = exec(&world, &["--ignore-paused"], &["true"]).spawn().expect("jec");
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(waiting.try_wait().expect("its state").is_none(), "it waits");
    fs::write(dir.join("cgroup.freeze"), "0").expect("thaw");
    assert!(waiting.wait().expect("its end").success());
    kill(pid);
    fs::remove_dir(dir.join("sub")).expect("rmdir");
    held.wait_after_kill();
    world.assert_clean();
}

#[test]
fn a_pid_file_that_cannot_be_written_ends_the_process() {
    let world = World::new();
    let held = sleeping(&world, |_| ());
    let before = status(held.pid, "Pid");
    let marks = ["sleep", "297.5"];
    ran(&world, &["-d", "--pid-file", "/no/such"], &marks)
        .fails(1, &["running (runtime)", "ENOENT"]);
    assert_eq!(common::processes_with("297.5"), [0; 0]);
    assert_eq!(status(held.pid, "Pid"), before);
    drop(held);
}

#[test]
fn an_ordinary_user_enters_her_own_container() {
    if !is_root() {
        skip!("whoever runs the other tests does it already");
    }
    let number = |what| common::process::id(&[what, "learner"])?.parse::<u32>().ok();
    let (Some(uid), Some(gid)) = (number("-u"), number("-g")) else {
        skip!("there is no user learner");
    };
    let world = World::new();
    let jec = world.path("jec");
    fs::copy(common::jec_path(), &jec).expect("a copy");
    let state = world.path("hers");
    fs::create_dir(&state).expect("a directory");
    std::os::unix::fs::chown(&state, Some(uid), Some(gid)).expect("chown");
    let script = format!(
        "jec() {{ {} --root {} \"$@\"; }}; jec run -d --userns single --name c -- sleep 300
         jec exec c sh -c 'id -u; readlink /proc/self/ns/user /proc/1/ns/user; exit 5'; echo $?
         jec kill c KILL; sleep 0.3; jec delete --force c",
        jec.display(),
        state.display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).uid(uid).gid(gid).current_dir("/");
    command.stdin(Stdio::null()).env_remove("XDG_RUNTIME_DIR");
    let said = world.ran_aside(command);
    let lines: Vec<_> = said.err.lines().filter(|line| !line.starts_with("jec:")).collect();
    let [id, ours, theirs, code] = lines[..] else { panic!("{}", said.err) };
    assert_eq!((id, code), ("0", "5"));
    assert!(ours == theirs && ours != namespace_of(1, "user"), "{}", said.err);
}
