//! pid-file: init's number is where it was asked for, whole, and last of all.

mod common;

use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use common::{Ran, World, for_me, sh};

#[test]
fn the_pid_file_holds_the_number_of_process_1() {
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("pid-file", sh("exec sleep 300")));
    let text = fs::read_to_string(world.path("pid")).expect("the pid file");
    assert_eq!(text, held.pid.to_string());
    let inside = held.status("NSpid");
    assert_eq!(inside.split_whitespace().last(), Some("1"), "{inside}");
    let mode = fs::metadata(world.path("pid")).expect("stat").permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "{mode:o}");
}

#[test]
fn a_pid_file_that_cannot_be_written_ends_the_container() {
    let world = World::new();
    let bundle = world.bundle("pid-file", for_me);
    let id = world.id("b");
    for (file, errno) in [("/nowhere/pid", "ENOENT"), ("/proc/pid", "ENOENT"), ("/", "E")] {
        let words = ["--pid-file", file, "-b", &*bundle.to_string_lossy(), &*id];
        let ran = world.run(&words).fails(1, &["pid-file (runtime): ", errno]);
        assert!(file != "/nowhere/pid" || ran.err.contains("likely:"), "{}", ran.err);
        world.assert_clean();
    }
}

#[test]
fn a_link_that_waits_at_the_temporary_name_is_not_followed() {
    let world = World::new();
    let bundle = world.bundle("pid-file", sh("true"));
    let (id, pid_file, victim) = (world.id("b"), world.path("pid"), world.path("victim"));
    fs::write(&victim, "precious").expect("a file");
    symlink(&victim, world.path(&format!("pid.jec-{id}"))).expect("a link");
    world
        .run(&["--pid-file", &pid_file.to_string_lossy(), "-b", &bundle.to_string_lossy(), &id])
        .ok();
    assert_eq!(fs::read_to_string(&victim).expect("a file"), "precious");
}

#[test]
fn a_relative_pid_file_is_relative_to_where_jec_was_started() {
    let world = World::new();
    let bundle = world.bundle("pid-file", sh("true"));
    let mut command = world.jec();
    command.args(["run", "--pid-file", "here", "-b"]).arg(bundle).arg(world.id("b"));
    command.current_dir(world.dir.path());
    Ran::of(command).ok();
    assert!(fs::read_to_string(world.path("here")).expect("the file").parse::<i32>().is_ok());
}

/// What came through the socket: a word, and the process behind the descriptor.
fn received(listener: &UnixListener) -> (String, i32) {
    let (stream, _) = listener.accept().expect("a connection");
    let (mut bytes, mut space) = ([0; 64], cmsg_space!([RawFd; 4]));
    let mut data = [IoSliceMut::new(&mut bytes)];
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut data, Some(&mut space), MsgFlags::empty())
        .expect("a message");
    let mut fds = Vec::new();
    for control in message.cmsgs().expect("descriptors") {
        if let ControlMessageOwned::ScmRights(rights) = control {
            fds.extend(rights);
        }
    }
    let count = message.bytes;
    assert_eq!(fds.len(), 1);
    let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", fds[0])).expect("fdinfo");
    let pid = told.lines().find_map(|line| line.strip_prefix("Pid:")).expect("a pidfd");
    (String::from_utf8_lossy(&bytes[..count]).into_owned(), pid.trim().parse().expect("a number"))
}

#[test]
fn a_pidfd_of_process_1_and_of_a_further_process_comes_through_the_socket() {
    let world = World::new();
    let socket = world.path("pidfd.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let bundle = world.bundle("pid-file", sh("exec sleep 300"));
    let (id, path) = (world.id("b"), socket.to_string_lossy().into_owned());
    let aside = |words: &[&str]| {
        let mut command = world.jec();
        command.args(words);
        world.ran_aside(command).ok()
    };
    aside(&["create", "--pidfd-socket", &path, "-b", &bundle.to_string_lossy(), &id]);
    let pid = i32::try_from(world.state(&id)["pid"].as_i64().expect("a number")).expect("an i32");
    assert_eq!(received(&listener), ("standard".into(), pid));
    world.tell(&["start", &id]).ok();
    aside(&["exec", "-d", "--pidfd-socket", &path, &id, "sleep", "300"]);
    let (kind, further) = received(&listener);
    assert_eq!(kind, "setns");
    let words = fs::read_to_string(format!("/proc/{further}/cmdline")).expect("it lives");
    assert!(words.starts_with("sleep"), "{words}");
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn a_pidfd_that_nobody_takes_ends_the_container() {
    let world = World::new();
    let bundle = world.bundle("pid-file", for_me);
    let words = ["--pidfd-socket", "/nowhere", "-b", &*bundle.to_string_lossy(), &*world.id("b")];
    world.run(&words).fails(1, &["pid-file (runtime): ", "/nowhere", "ENOENT"]);
    world.assert_clean();
}
