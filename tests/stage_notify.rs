//! Notify: somebody else decides about a system call. The test is that somebody.
#![allow(unsafe_code)] // ioctl(2) on the listener

mod common;

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Instant;

use common::process::{bundle, command, script};
use common::{World, is_root};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::{Value, json};

/// What mkdir(1) calls: the newer machines have only the newer call.
const MKDIR: libc::c_long = {
    #[cfg(target_arch = "x86_64")]
    let number = libc::SYS_mkdir;
    #[cfg(target_arch = "aarch64")]
    let number = libc::SYS_mkdirat;
    number
};

/// SECCOMP_IOCTL_NOTIF_RECV and _SEND of <linux/seccomp.h>.
const RECV: libc::Ioctl = 0xc050_2100;
const SEND: libc::Ioctl = 0xc018_2101;
/// SECCOMP_USER_NOTIF_FLAG_CONTINUE
const CONTINUE: u32 = 1;

/// Waits until a descriptor can be read, at most half a minute.
fn wait_for(fd: &impl std::os::fd::AsFd) -> PollFlags {
    let mut entries = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    let ready = poll(&mut entries, PollTimeout::from(30_000_u16)).expect("poll");
    assert_eq!(ready, 1, "nothing came");
    entries[0].revents().expect("events")
}

/// Accepts jec, and takes the state and the listener, as an agent does.
fn accept(socket: &UnixListener) -> (Value, OwnedFd) {
    wait_for(socket);
    let (connection, _): (UnixStream, _) = socket.accept().expect("jec");
    wait_for(&connection);
    let mut bytes = vec![0; 1 << 16];
    let mut space = nix::cmsg_space!([i32; 8]);
    let mut data = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message =
        recvmsg::<()>(connection.as_raw_fd(), &mut data, Some(&mut space), flags).expect("recvmsg");
    let mut descriptors = Vec::new();
    for control in message.cmsgs().expect("whole") {
        let ControlMessageOwned::ScmRights(fds) = control else { panic!("{control:?}") };
        descriptors.extend(fds);
    }
    let length = message.bytes;
    assert_eq!(descriptors.len(), 1, "one descriptor for one name in fds");
    // SAFETY: the kernel has just made it for us.
    let listener = unsafe { OwnedFd::from_raw_fd(descriptors[0]) };
    (serde_json::from_slice(&bytes[..length]).expect("JSON"), listener)
}

/// The next question; none when nobody is left who could ask.
fn question(listener: &OwnedFd) -> Option<libc::seccomp_notif> {
    if !wait_for(listener).contains(PollFlags::POLLIN) {
        return None;
    }
    // SAFETY: the kernel wants the struct zeroed, and fills it.
    unsafe {
        let mut asked: libc::seccomp_notif = std::mem::zeroed();
        let result = libc::ioctl(listener.as_raw_fd(), RECV, &raw mut asked);
        Errno::result(result).ok().map(|_| asked)
    }
}

/// Answers with an errno, or lets the call go on.
fn answer(listener: &OwnedFd, id: u64, errno: Option<i32>) {
    let error = errno.map_or(0, |errno| -errno);
    let flags = if errno.is_none() { CONTINUE } else { 0 };
    let mut response = libc::seccomp_notif_resp { id, val: 0, error, flags };
    // SAFETY: the struct is whole.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw mut response) };
    Errno::result(result).expect("an answer");
}

/// The example with a socket of this test's.
fn asks(world: &World, change: impl FnOnce(&mut Value)) -> std::path::PathBuf {
    bundle(world, "notify", |config| {
        config["linux"]["seccomp"]["listenerPath"] = json!(world.path("agent"));
        change(config);
    })
}

fn listen(world: &World) -> UnixListener {
    UnixListener::bind(world.path("agent")).expect("a socket")
}

fn id_of(bundle: &Path) -> [&str; 2] {
    ["--bundle", bundle.to_str().expect("UTF-8")]
}

#[test]
fn the_agent_gets_the_state_and_the_listener_and_decides() {
    for (no_new_privileges, stage) in [(true, "notify"), (false, "notify-early")] {
        let world = World::new();
        let socket = listen(&world);
        let bundle = asks(&world, |config| {
            config["annotations"] = json!({"org.example.key": "value"});
            config["process"]["noNewPrivileges"] = json!(no_new_privileges);
            script(config, "mkdir /tmp/a; mkdir /tmp/b; echo b: $?; ls -d /tmp/?");
        });
        let agent = std::thread::spawn(move || {
            let (state, listener) = accept(&socket);
            let mut askers = Vec::new();
            for errno in [Some(libc::EDQUOT), None] {
                let asked = question(&listener).expect("a question");
                assert_eq!(i64::from(asked.data.nr), MKDIR);
                askers.push(asked.pid);
                answer(&listener, asked.id, errno);
            }
            assert!(question(&listener).is_none(), "the container has ended");
            (state, askers)
        });
        let id = world.id("asks");
        let [flag, path] = id_of(&bundle);
        let ran = world.run(&["--explain", flag, path, &id]).ok();
        assert!(ran.err.contains("Disk quota exceeded"), "{}", ran.err);
        assert_eq!(ran.out, "b: 0\n/tmp/b\n");
        let row = format!("{stage} · runtime · ");
        assert!(ran.err.lines().any(|line| line.starts_with(&row)), "{}", ran.err);
        let (state, askers) = agent.join().expect("the agent");
        check_state(&state, &id, path);
        assert!(askers.iter().all(|pid| *pid > 0));
        world.assert_clean();
    }
}

/// config-linux.md, "The Container Process State", and runtime.md, "State".
fn check_state(found: &Value, id: &str, bundle: &str) {
    assert_eq!(found["fds"], json!(["seccompFd"]));
    assert_eq!(found["metadata"], json!("the example"));
    assert!(found["ociVersion"].as_str().is_some_and(|version| version.starts_with("1.")));
    let (pid, state) = (&found["pid"], &found["state"]);
    assert!(pid.as_i64().is_some_and(|pid| pid > 1));
    assert_eq!((&state["pid"], &state["id"]), (pid, &json!(id)));
    assert_eq!((&state["status"], &state["bundle"]), (&json!("creating"), &json!(bundle)));
    assert_eq!(state["annotations"], json!({"org.example.key": "value"}));
}

#[test]
fn the_pid_of_the_state_is_that_of_process_one_and_it_does_not_hold_the_listener() {
    let world = World::new();
    let socket = listen(&world);
    let bundle = asks(&world, |config| command(config, &["sleep", "60"]));
    let agent = std::thread::spawn(move || accept(&socket));
    let [flag, path] = id_of(&bundle);
    let held = world.hold(&[flag, path, &world.id("held")]);
    let (state, listener) = agent.join().expect("the agent");
    assert_eq!(state["pid"], json!(held.pid));
    // Whoever holds the listener answers: neither the container nor jec may.
    let holds = |pid: i32| {
        let links = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        links
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .any(|link| link.to_string_lossy().contains("seccomp"))
    };
    assert!(holds(i32::try_from(std::process::id()).expect("a pid")), "the agent does");
    assert!(!holds(held.pid) && !holds(held.jec_pid()));
    drop(listener);
}

#[test]
fn an_agent_that_goes_away_leaves_a_call_that_the_kernel_does_not_have() {
    let world = World::new();
    let socket = listen(&world);
    let bundle = asks(&world, |_| ());
    let agent = std::thread::spawn(move || {
        let (_, listener) = accept(&socket);
        question(&listener).expect("a question");
    });
    let ran = world.run_bundle(&bundle).ok();
    assert!(ran.err.contains("Function not implemented"), "{}", ran.err);
    agent.join().expect("the agent");
    world.assert_clean();
}

#[test]
fn without_an_agent_nothing_runs_and_the_error_says_who_is_missing() {
    for (no_new_privileges, stage) in [(true, "notify"), (false, "notify-early")] {
        let world = World::new();
        let bundle = asks(&world, |config| {
            config["process"]["noNewPrivileges"] = json!(no_new_privileges);
            script(config, "echo ran");
        });
        let fails = |errno: &str, why: &str| {
            let place = format!("{stage} (runtime): connect(AF_UNIX, ");
            let ran = world.run_bundle(&bundle).fails(1, &[&place, errno, why]);
            assert_eq!(ran.out, "");
        };
        fails("ENOENT", "the agent has to be there first");
        // Bound, and nobody listens any more.
        drop(listen(&world));
        fails("ECONNREFUSED", "has ended");
        std::fs::remove_file(world.path("agent")).expect("no socket");
        world.assert_clean();
    }
}

#[test]
fn an_agent_that_accepts_nobody_does_not_hold_jec_for_ever() {
    let world = World::new();
    let socket = listen(&world);
    // SAFETY: only numbers are passed. A queue of one.
    unsafe { libc::listen(socket.as_raw_fd(), 0) };
    let _first = UnixStream::connect(world.path("agent")).expect("the queue");
    let bundle = asks(&world, |_| ());
    let before = Instant::now();
    world.run_bundle(&bundle).fails(1, &["notify (runtime)", "EAGAIN", "accepts nobody"]);
    assert!(before.elapsed().as_secs() < 60);
    world.assert_clean();
}

#[test]
fn under_a_filter_with_a_listener_there_can_be_no_second_one() {
    if !is_root() {
        skip!("an outer filter takes no_new_privs, under which newuidmap is of no use");
    }
    let world = World::new();
    let bundle = asks(&world, |_| ());
    let mut jec = world.jec();
    jec.arg("run").args(id_of(&bundle)).arg("c1");
    // SAFETY: between fork and execve only system calls are made.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut jec, || {
            let allow = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
            let header = libc::sock_fprog { len: 1, filter: (&raw const allow).cast_mut() };
            let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
            let set = libc::SECCOMP_SET_MODE_FILTER;
            let fd = libc::syscall(libc::SYS_seccomp, set, flags, &raw const header);
            Errno::result(fd)?;
            // It lives as long as somebody holds it: on without close-on-exec.
            Errno::result(libc::dup(i32::try_from(fd).unwrap_or(-1)))?;
            Ok(())
        });
    }
    let ran = common::Ran::of(jec);
    ran.fails(1, &["seccomp (init): seccomp(", "EBUSY", "one listener only"]);
    world.assert_clean();
}

#[test]
fn a_profile_that_asks_nobody_needs_no_agent() {
    let world = World::new();
    let bundle = asks(&world, |config| {
        config["linux"]["seccomp"]["syscalls"][0]["action"] = json!("SCMP_ACT_ERRNO");
    });
    let ran = world.run_bundle(&bundle).ok();
    assert!(ran.err.contains("Operation not permitted"), "{}", ran.err);
}
