//! The terminal: jec between the user's and the container's, and that the user
//! gets hers back whatever happens.
//!
//! The test is the terminal emulator: it holds the master of a pseudo terminal,
//! and jec, in a session of its own, has the slave (pty(7)).
#![allow(unsafe_code)]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, World, until};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, OutputFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::Pid;

/// A terminal with jec in it.
struct Screen {
    master: File,
    slave: OwnedFd,
    before: Termios,
    jec: Child,
    seen: String,
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Screen {
    fn new(world: &World, program: &[&str]) -> Self {
        Self::of(world, |command| {
            command.arg("run").arg(world.rootfs()).args(program);
        })
    }

    fn of(world: &World, words: impl FnOnce(&mut Command)) -> Self {
        let mut command = world.jec();
        words(&mut command);
        let OpenptyResult { master, slave } = openpty(Some(&size(24, 80)), None).expect("a pty");
        let before = tcgetattr(&slave).expect("modes");
        let copy = || Stdio::from(slave.try_clone().expect("a copy"));
        command.stdin(copy()).stdout(copy()).stderr(copy());
        // SAFETY: setsid(2) and ioctl(2) are async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            })
        };
        let jec = command.spawn().expect("jec");
        Self { master: master.into(), slave, before, jec, seen: String::new() }
    }

    fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("write");
    }

    /// Reads until `text` has appeared.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.seen.contains(text) {
            assert!(Instant::now() < deadline, "{text:?} did not appear in {:?}", self.seen);
            self.read(100);
        }
        let end = self.seen.find(text).expect("just seen") + text.len();
        self.seen.drain(..end);
    }

    fn read(&mut self, patience: u16) -> usize {
        use nix::poll::{PollFd, PollFlags, poll};
        let mut entries = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut entries, patience).expect("poll") == 0 {
            return 0;
        }
        let mut buffer = [0; 16384];
        let count = self.master.read(&mut buffer).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        count
    }

    fn modes(&self) -> Termios {
        tcgetattr(&self.slave).expect("modes")
    }

    fn is_raw(&self) -> bool {
        let modes = self.modes();
        !modes.local_flags.intersects(LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::ECHO)
            && !modes.output_flags.contains(OutputFlags::OPOST)
    }

    #[track_caller]
    fn is_restored(&self) {
        until("the terminal is as before", || self.modes() == self.before);
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.jec.id().cast_signed())
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("kill");
    }

    /// Reads on until jec ends; its exit status as a shell shows it.
    fn end(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.jec.try_wait().expect("wait") {
                while self.read(20) > 0 {}
                return status.code().or(status.signal().map(|s| 128 + s)).expect("a status");
            }
            assert!(Instant::now() < deadline, "jec does not end: {}", self.seen);
            self.read(20);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.jec.kill().ok();
        self.jec.wait().ok();
    }
}

/// A program that says when it is there, and reads one line.
const ASK: [&str; 3] = ["sh", "-c", "echo ready; read line; echo got $line; exit 5"];

#[test]
fn the_terminal_is_raw_while_the_program_runs_and_as_before_afterwards() {
    let world = World::new();
    let mut screen = Screen::new(&world, &ASK);
    screen.wait_for("ready");
    assert!(screen.is_raw());
    screen.type_in("something\r");
    screen.wait_for("got something");
    assert_eq!(screen.end(), 5);
    screen.is_restored();
    world.assert_clean();
}

#[test]
fn modes_that_the_user_has_changed_are_restored_as_they_were() {
    let world = World::new();
    let mut screen = Screen::of(&world, |command| {
        command.arg("stages");
    });
    screen.end();
    let mut odd = screen.before.clone();
    odd.local_flags.remove(LocalFlags::ECHO);
    odd.control_chars[nix::sys::termios::SpecialCharacterIndices::VINTR as usize] = 5;
    tcsetattr(&screen.slave, SetArg::TCSANOW, &odd).expect("modes");
    let mut command = world.jec();
    command.arg("run").arg(world.rootfs()).arg("true");
    let copy = || Stdio::from(screen.slave.try_clone().expect("a copy"));
    let status = command.stdin(copy()).stdout(copy()).stderr(copy()).status().expect("jec");
    assert!(status.success());
    assert!(screen.modes() == odd);
}

#[test]
fn the_terminal_is_as_before_when_the_program_is_killed() {
    let world = World::new();
    let pid_file = world.path("pid");
    let mut screen = Screen::of(&world, |command| {
        command.args(["run", "--pid-file"]).arg(&pid_file).arg(world.rootfs()).args(ASK);
    });
    screen.wait_for("ready");
    let pid = std::fs::read_to_string(pid_file).expect("the pid file").parse().expect("a number");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill");
    assert_eq!(screen.end(), 137);
    screen.is_restored();
    world.assert_clean();
}

#[test]
fn the_terminal_is_as_before_when_jec_is_asked_to_end() {
    let world = World::new();
    let program = ["sh", "-c", "trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done"];
    let mut screen = Screen::new(&world, &program);
    screen.wait_for("ready");
    screen.signal(Signal::SIGTERM);
    assert_eq!(screen.end(), 6);
    screen.is_restored();
    world.assert_clean();
}

#[test]
fn the_terminal_is_as_before_even_when_jec_is_killed() {
    let world = World::new();
    let id = world.id("killed");
    let mut screen = Screen::of(&world, |command| {
        command.args(["run", "--name", &id]).arg(world.rootfs()).args(ASK);
    });
    screen.wait_for("ready");
    assert!(screen.is_raw());
    screen.signal(Signal::SIGKILL);
    assert_eq!(screen.end(), 137);
    screen.is_restored();
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn ctrl_c_reaches_the_program_in_the_foreground_inside() {
    let world = World::new();
    let mut screen = Screen::new(
        &world,
        &["sh", "-c", "trap 'echo outer' INT; sh -c 'echo ready; exec sleep 60'; echo status $?"],
    );
    screen.wait_for("ready");
    // The shell hands the terminal over; until sleep runs, the letter would be the shell's.
    std::thread::sleep(Duration::from_millis(100));
    screen.type_in("\x03");
    // Both are in the foreground: sleep has no handler, and the shell, process 1, has one.
    screen.wait_for("outer");
    assert!([0, 130].contains(&screen.end()));
    screen.is_restored();
    world.assert_clean();
}

#[test]
fn ctrl_z_stops_a_job_of_a_shell_inside_and_not_jec() {
    let world = World::new();
    let mut screen = Screen::new(&world, &["sh", "-i"]);
    screen.wait_for("# ");
    screen.type_in("sleep 60\r");
    screen.wait_for("sleep 60");
    until("sleep is in the foreground", || {
        screen.type_in("\x1a");
        screen.read(200);
        screen.seen.contains("Stopped")
    });
    screen.type_in("kill -9 %1; wait; echo $((40 + 2))\r");
    screen.wait_for("42\r\n");
    assert!(screen.is_raw());
    // A shell that still counts the job as stopped wants to be told twice.
    screen.type_in("exit 3\rexit 3\r");
    assert_eq!(screen.end(), 3);
    world.assert_clean();
}

#[test]
fn the_terminal_inside_has_the_size_of_the_one_outside_from_the_beginning() {
    let world = World::new();
    let mut screen = Screen::new(&world, &["stty", "size"]);
    screen.wait_for("24 80\r\n");
    assert_eq!(screen.end(), 0);
}

#[test]
fn a_window_that_is_resized_is_resized_inside() {
    let world = World::new();
    let program = ["sh", "-c", "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done"];
    let mut screen = Screen::new(&world, &program);
    screen.wait_for("ready");
    let new = size(33, 99);
    // SAFETY: the argument is a whole winsize.
    let result =
        unsafe { libc::ioctl(screen.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const new) };
    assert_eq!(result, 0);
    screen.wait_for("33 99\r\n");
}

#[test]
fn a_large_paste_arrives_and_nothing_deadlocks() {
    let world = World::new();
    // Both directions at once: the inner terminal echoes all of it. A line is at most 4095 long.
    let program = ["sh", "-c", "echo ready; head -n 2000 | md5sum"];
    let mut screen = Screen::new(&world, &program);
    screen.wait_for("ready");
    let line = format!("{}\r", "x".repeat(99));
    let mut writer = screen.master.try_clone().expect("a copy");
    let text = line.repeat(2000);
    let paste = std::thread::spawn(move || writer.write_all(text.as_bytes()));
    // md5sum of 2000 lines of 99 x.
    let sum = common::shell("yes $(printf 'x%.0s' $(seq 99)) | head -n 2000 | md5sum").ok().out;
    screen.wait_for(sum.trim());
    paste.join().expect("the thread").expect("write");
    assert_eq!(screen.end(), 0);
    screen.is_restored();
}

#[test]
fn ten_megabytes_of_output_arrive_complete() {
    let world = World::new();
    let mut screen =
        Screen::new(&world, &["sh", "-c", "yes 123456789 | head -c 10000000; echo end"]);
    let mut count = 0;
    loop {
        screen.read(1000);
        count += screen.seen.matches('\n').count();
        let ended = screen.seen.contains("end\r\n");
        // No line is cut, so that the last piece can hold the beginning of the next.
        let keep = screen.seen.rfind('\n').map_or(0, |at| at + 1);
        screen.seen.drain(..keep);
        if ended {
            break;
        }
    }
    // jec's own line about cgroups may be among them.
    assert!((1_000_001..=1_000_002).contains(&count), "{count}");
    assert_eq!(screen.end(), 0);
}

#[test]
fn a_stopped_jec_gives_the_terminal_back_and_takes_it_again() {
    let world = World::new();
    let mut screen = Screen::new(&world, &ASK);
    screen.wait_for("ready");
    screen.signal(Signal::SIGTSTP);
    screen.is_restored();
    let state = || {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", screen.pid())).expect("stat");
        text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
    };
    until("jec is stopped", || state() == Some('T'));
    screen.signal(Signal::SIGCONT);
    until("the terminal is raw again", || screen.is_raw());
    screen.type_in("again\r");
    screen.wait_for("got again");
    assert_eq!(screen.end(), 5);
    screen.is_restored();
}

#[test]
fn a_pipe_as_input_of_a_terminal_ends_with_the_end_of_input() {
    let world = World::new();
    let mut command = world.jec();
    command.args(["run", "--tty"]).arg(world.rootfs()).args(["sh", "-c", "tty; cat; echo after"]);
    let mut jec = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("jec");
    jec.stdin.take().expect("input").write_all(b"hello\n").expect("write");
    let ran = Ran::from(jec.wait_with_output().expect("output")).ok();
    let out = ran.out.replace('\r', "");
    assert!(
        // Echoed at once, maybe before tty(1) has spoken; and then what cat read.
        out.contains("/dev/pts/0\n") && out.contains("hello\n") && out.ends_with("after\n"),
        "{out:?}"
    );
    world.assert_clean();
}

#[test]
fn a_pipe_as_input_that_does_not_end_with_a_line_ends_all_the_same() {
    let world = World::new();
    let mut command = world.jec();
    command.args(["run", "--tty"]).arg(world.rootfs()).args(["sh", "-c", "cat; echo after"]);
    let mut jec = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("jec");
    jec.stdin.take().expect("input").write_all(b"no newline").expect("write");
    let deadline = Instant::now() + Duration::from_secs(10);
    while jec.try_wait().expect("wait").is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = jec.try_wait().expect("wait").is_some();
    jec.kill().ok();
    let out = Ran::from(jec.wait_with_output().expect("output")).out;
    assert!(ended && out.contains("no newline") && out.ends_with("after\r\n"), "{ended} {out:?}");
}

#[test]
fn an_output_that_goes_away_does_not_hang_jec() {
    let world = World::new();
    let mut command = world.jec();
    command.args(["run", "--tty"]).arg(world.rootfs()).args([
        "sh",
        "-c",
        "echo first; yes | head -c 1000000; exit 4",
    ]);
    let mut jec = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("jec");
    let mut first = [0; 5];
    jec.stdout.take().expect("output").read_exact(&mut first).expect("read");
    assert_eq!(&first, b"first");
    assert_eq!(Ran::from(jec.wait_with_output().expect("output")).code, 4);
    world.assert_clean();
}

#[test]
fn without_a_terminal_nothing_is_made_raw() {
    let world = World::new();
    let mut screen = Screen::of(&world, |command| {
        command.args(["run", "--no-tty"]).arg(world.rootfs()).args(ASK);
    });
    screen.wait_for("ready");
    assert!(screen.modes() == screen.before);
    screen.type_in("plain\r");
    screen.wait_for("got plain");
    assert_eq!(screen.end(), 5);
}
