//! The systemd driver against a systemd of the test's own: what it asks for is what gets made.
//!
//! The stand-in speaks D-Bus byte by byte, and makes the cgroup as systemd would. What the real
//! one makes of it is seen in the lab machine that systemd has booted.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use common::{World, has_cgroup2, is_root, own_view, sh, until};

/// A message; the fields are a code and a text, or a number.
fn message(
    kind: u8,
    reply_to: u32,
    fields: &[(u8, &[u8], &str)],
    signature: &str,
    body: &[u8],
) -> Vec<u8> {
    let number = |value: usize| u32::try_from(value).expect("small").to_le_bytes();
    let mut all = Vec::new();
    let align = |all: &mut Vec<u8>, to: usize| all.resize(all.len().next_multiple_of(to), 0);
    for (code, sign, text) in fields {
        align(&mut all, 8);
        all.extend(
            [&[*code, 1][..], sign, &[0], &number(text.len()), text.as_bytes(), &[0]].concat(),
        );
    }
    align(&mut all, 8);
    all.extend([5, 1, b'u', 0]);
    all.extend(reply_to.to_le_bytes());
    let length = u8::try_from(signature.len()).expect("short");
    all.extend([&[8, 1, b'g', 0, length], signature.as_bytes(), &[0]].concat());
    let header = [&[b'l', kind, 1, 1], &number(body.len())[..], &[9, 0, 0, 0], &number(all.len())];
    let mut whole = header.concat();
    whole.extend(all);
    align(&mut whole, 8);
    whole.extend(body);
    whole
}

fn text(value: &str) -> Vec<u8> {
    let mut bytes = u32::try_from(value.len()).expect("short").to_le_bytes().to_vec();
    bytes.extend(value.as_bytes());
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn read_call(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut header = vec![0; 16];
    stream.read_exact(&mut header).ok()?;
    let at = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four")) as usize;
    let rest = at(12).next_multiple_of(8) + at(4);
    header.resize(16 + rest, 0);
    stream.read_exact(&mut header[16..]).ok()?;
    Some(header)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Answers one connection; gives the call that asked for the scope.
fn stand_in(listener: &UnixListener, result: &str) -> Vec<u8> {
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut hello = vec![0; b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".len()];
    stream.read_exact(&mut hello).expect("the greeting");
    assert!(hello.starts_with(b"\0AUTH EXTERNAL\r\n") && hello.ends_with(b"BEGIN\r\n"));
    stream.write_all(b"DATA\r\nOK 0123456789abcdef\r\n").expect("write");
    let mut asked = Vec::new();
    while let Some(call) = read_call(&mut stream) {
        let serial = u32::from_le_bytes(call[8..12].try_into().expect("four"));
        let is_start = find(&call, b"StartTransientUnit").is_some();
        let answer = if is_start { "/job/1" } else { ":1.1" };
        if is_start {
            make(&call);
        }
        stream.write_all(&message(2, serial, &[], "s", &text(answer))).expect("write");
        if is_start {
            let fields: [(u8, &[u8], &str); 3] =
                [(1, b"o", "/org/x"), (2, b"s", "org.x"), (3, b"s", "JobRemoved")];
            let other = [1_u32.to_le_bytes().to_vec(), text("/job/0"), text("u"), text("failed")];
            stream.write_all(&message(4, 0, &fields, "uoss", &other.concat())).expect("write");
            let ours = [2_u32.to_le_bytes().to_vec(), text("/job/1"), text("u"), text(result)];
            stream.write_all(&message(4, 0, &fields, "uoss", &ours.concat())).expect("write");
            asked = call;
        }
    }
    asked
}

/// What systemd does: the cgroup, and the process in it.
fn make(call: &[u8]) {
    let name = find(call, b"pod-").expect("the unit");
    let end = name + find(&call[name..], b"\0").expect("an end");
    let unit = String::from_utf8_lossy(&call[name..end]).into_owned();
    let dir = PathBuf::from("/sys/fs/cgroup/a.slice/a-b.slice").join(unit);
    fs::create_dir_all(&dir).expect("the cgroup");
    let numbers = (find(call, b"\x02au\0").expect("PIDs") + 4).next_multiple_of(4) + 4;
    let pid = u32::from_le_bytes(call[numbers..numbers + 4].try_into().expect("four"));
    let comm = || fs::read_to_string(format!("/proc/{pid}/comm")).expect("the keeper lives");
    until("the keeper has its name", || comm().trim() == "jec:[KEEPER]");
    fs::write(dir.join("cgroup.procs"), pid.to_string()).expect("moved");
}

/// The world, the listener, and the words of `jec create` on it.
fn prepared(cgroups_path: &str) -> Option<(World, UnixListener, std::process::Command)> {
    own_view();
    if !is_root() || !has_cgroup2() {
        println!("SKIPPED: it takes root, and a pure cgroup v2 tree");
        return None;
    }
    let world = World::new();
    let socket = world.path("bus");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let bundle = world.bundle("pid-file", |config| {
        sh("exec sleep 300")(config);
        config["linux"]["cgroupsPath"] = cgroups_path.into();
    });
    let mut command = world.jec();
    command.args(["--systemd-cgroup", "create", "-b"]).arg(bundle).arg(world.id("s"));
    command.env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={},guid=0", socket.display()));
    Some((world, listener, command))
}

#[test]
fn the_container_is_born_in_the_scope_and_alone_in_it() {
    let Some((world, listener, command)) = prepared("a-b.slice:pod:one") else {
        return;
    };
    let systemd = thread::spawn(move || stand_in(&listener, "done"));
    world.ran_aside(command).ok();
    let call = systemd.join().expect("the stand-in");
    for word in
        [&b"a-b.slice"[..], b"Delegate", b"pod-one.scope", b"org.freedesktop.systemd1.Manager"]
    {
        assert!(find(&call, word).is_some(), "{}", String::from_utf8_lossy(word));
    }
    let scope = "/a.slice/a-b.slice/pod-one.scope";
    let init = world.state(&world.id("s"))["pid"].to_string();
    let members = fs::read_to_string(format!("/sys/fs/cgroup{scope}/cgroup.procs")).expect("procs");
    assert_eq!(members.trim(), init, "the keeper has gone");
    world.delete(&["--force", &world.id("s")]).ok();
    assert!(!PathBuf::from(format!("/sys/fs/cgroup{scope}")).exists());
    world.assert_clean();
    fs::remove_dir("/sys/fs/cgroup/a.slice/a-b.slice").expect("empty");
    fs::remove_dir("/sys/fs/cgroup/a.slice").expect("empty");
}

#[test]
fn a_job_that_fails_is_an_error_and_leaves_no_process() {
    let Some((world, listener, command)) = prepared("a-b.slice:pod:two") else {
        return;
    };
    let systemd = thread::spawn(move || stand_in(&listener, "failed"));
    world
        .ran_aside(command)
        .fails(1, &["cgroup (runtime): ", "pod-two.scope: failed", "journalctl"]);
    systemd.join().expect("the stand-in");
    world.assert_clean();
}
