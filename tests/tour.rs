//! `jec tour`, at a terminal that the test holds the other end of: what the page says, what keys
//! do, that the terminal is as before whatever happens, and that nothing of a run stays.
#![allow(unsafe_code)]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, World, until};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;

/// A terminal with a tour on it.
struct Screen {
    master: File,
    slave: OwnedFd,
    before: Termios,
    jec: Child,
    /// All that was written to it, and what that looks like.
    bytes: Vec<u8>,
    page: vt100::Parser,
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn number(of: u16) -> NonZero<u16> {
    NonZero::new(of).expect("not zero")
}

impl Screen {
    fn new(world: &World, words: &[&str]) -> Self {
        let mut command = world.jec();
        command.arg("tour").args(words).env("TERM", "xterm").env_remove("NO_COLOR");
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let OpenptyResult { master, slave } = openpty(Some(&size(24, 80)), None).expect("a pty");
        let before = tcgetattr(&slave).expect("modes");
        let copy = || Stdio::from(slave.try_clone().expect("a copy"));
        command.stdin(copy()).stdout(copy()).stderr(copy()).env("SHELL", "/bin/sh");
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
        let page = vt100::Parser::new(number(24), number(80), 0);
        Self { master: master.into(), slave, before, jec, bytes: Vec::new(), page }
    }

    fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("write");
    }

    fn read(&mut self, patience: u16) -> usize {
        use nix::poll::{PollFd, PollFlags, poll};
        let mut entries = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut entries, patience).expect("poll") == 0 {
            return 0;
        }
        let mut buffer = [0; 16384];
        let count = self.master.read(&mut buffer).unwrap_or(0);
        self.bytes.extend(&buffer[..count]);
        self.page.process(&buffer[..count]);
        count
    }

    fn text(&self) -> String {
        self.page.screen().contents()
    }

    /// Reads until the page has all of these.
    #[track_caller]
    fn shows(&mut self, words: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Some(word) = words.iter().find(|word| !self.text().contains(**word)) {
            assert!(Instant::now() < deadline, "{word:?} is not on the page:\n{}", self.text());
            self.read(100);
        }
        // The rest of that page.
        while self.read(40) > 0 {}
    }

    fn resize(&mut self, rows: u16, columns: u16) {
        let new = size(rows, columns);
        self.page.screen_mut().set_size(number(rows), number(columns));
        // SAFETY: the argument is a whole winsize.
        let result =
            unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const new) };
        assert_eq!(result, 0);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.jec.id().cast_signed()), signal).expect("kill");
    }

    /// Reads on until jec ends; its exit status as a shell shows it.
    #[track_caller]
    fn end(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.jec.try_wait().expect("wait") {
                while self.read(20) > 0 {}
                return status.code().or(status.signal().map(|s| 128 + s)).expect("a status");
            }
            assert!(Instant::now() < deadline, "jec does not end:\n{}", self.text());
            self.read(20);
        }
    }

    /// The modes are those of before, the page is gone, the cursor is there.
    #[track_caller]
    fn is_restored(&self) {
        assert!(tcgetattr(&self.slave).expect("modes") == self.before);
        assert!(!self.page.screen().alternate_screen(), "{}", self.text());
        assert!(!self.page.screen().hide_cursor());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.jec.kill().ok();
        self.jec.wait().ok();
    }
}

/// The steps of the trace that is in the binary.
fn recorded() -> Vec<String> {
    let mut steps = Vec::new();
    for line in include_str!("../src/microscope/tour/reference.jsonl").lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        if line["event"] == "stage" {
            steps.push(line["stage"].as_str().expect("a name").to_owned());
        }
    }
    steps.dedup();
    steps
}

#[test]
fn it_opens_with_a_recorded_run_and_says_what_there_is_to_see() {
    let world = World::new();
    let mut screen = Screen::new(&world, &[]);
    let count = recorded().len();
    assert!(count > 30);
    screen.shows(&[
        "a container that was recorded",
        &format!("1 of {count}"),
        "seal: run from a read-only copy of our own binary",
        "Why here: re-executing forgets everything",
        "src/stages/seal.rs",
        "R seal",
        "M user-namespace",
        "? help",
    ]);
    assert!(screen.page.screen().alternate_screen());
    screen.types("?");
    screen.shows(&["A container is made by three processes", "Any key goes back"]);
    screen.types("?");
    screen.shows(&["seal: run from"]);
    screen.types("q");
    assert_eq!(screen.end(), 0);
    screen.is_restored();
}

#[test]
fn keys_walk_to_the_end_and_back() {
    let world = World::new();
    let mut screen = Screen::new(&world, &[]);
    let steps = recorded();
    screen.shows(&["1 of"]);
    for (at, name) in steps.iter().enumerate().skip(1) {
        screen.types(["n", " ", "\x1b[C"][at % 3]);
        screen.shows(&[&format!("{} of {}", at + 1, steps.len()), &format!("{name}: ")]);
    }
    screen.types("n");
    screen.shows(&["this is the end"]);
    for at in (1..steps.len()).rev() {
        screen.types(["p", "\x1b[D"][at % 2]);
        screen.shows(&[&format!("{at} of {}", steps.len())]);
    }
    screen.types("p1G");
    screen.shows(&[&format!("{0} of {0}", steps.len())]);
    screen.types("g");
    screen.shows(&[&format!("1 of {}", steps.len())]);
}

#[test]
fn a_page_of_80_columns_has_the_source_the_calls_and_what_has_changed() {
    let world = World::new();
    let mut screen = Screen::new(&world, &[]);
    screen.types("/no-new\r");
    let page = [
        "no-new-privs: ",
        "src/stages/no_new_privs.rs",
        "its system calls: 2",
        "prctl(option: PR_SET_NO_NEW_PRIVS, arg2: 1",
        "host: jec",
        "* no_new_privs",
    ];
    screen.shows(&page);
    let text = screen.text();
    let row = text.lines().find(|line| line.contains("* no_new_privs")).expect("shown");
    let values: Vec<_> =
        row.split("no_new_privs").nth(1).unwrap_or("").split_whitespace().collect();
    assert_eq!(values, ["0", "1"], "host and container: {text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(text.lines().count(), 24, "{text}");
}

#[test]
fn the_line_that_makes_the_call_is_marked_in_the_source() {
    let world = World::new();
    let mut screen = Screen::new(&world, &[]);
    screen.types("/pivot_root(\r");
    let source = std::fs::read_to_string("src/stages/pivot_root.rs").expect("the source");
    let at = source.lines().position(|line| line.contains("mount::pivot_root(")).expect("it");
    screen.shows(&[&format!("▶ {}         mount::pivot_root(", at + 1)]);
    screen.shows(&["▶I pivot_root(new_root: ., put_old: .) = 0"]);
    // The next one, by the arrow, and the text above the source.
    screen.types("\x1b[B");
    screen.shows(&["mount::umount_detach(", "▶I umount2(target: ., flags: MNT_DETACH) = 0"]);
    screen.types("g");
    screen.shows(&["1 //! "]);
}

#[test]
fn panes_are_chosen_and_scrolled() {
    let world = World::new();
    let mut screen = Screen::new(&world, &[]);
    screen.types("/pivot-root\r3");
    screen.shows(&["* mount /"]);
    let before = screen.text();
    screen.types("\x1b[6~\x1b[6~");
    until("other facts", || {
        screen.read(50);
        screen.text() != before && !screen.text().contains("host: jec")
    });
    screen.types("g");
    screen.shows(&["host: jec"]);
    screen.types("\t\x1b[B");
    screen.shows(&["kernel-params: "]);
}

#[test]
fn what_is_not_there_is_not_found_and_escape_ends_the_search() {
    let world = World::new();
    let mut screen = Screen::new(&world, &[]);
    screen.types("/nonsuchx\x7f\r");
    screen.shows(&["no stage and no call has \"nonsuch\"", "1 of"]);
    screen.types("/mounts");
    screen.shows(&["search: mounts_"]);
    screen.types("\x1b");
    screen.shows(&["→ next", "1 of"]);
}

#[test]
fn no_color_means_none() {
    let world = World::new();
    let colours = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        [";32m", ";33m", ";36m"].iter().any(|colour| text.contains(colour))
    };
    for no_color in [false, true] {
        let mut command = world.jec();
        command.arg("tour").env("TERM", "xterm").env_remove("NO_COLOR");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let mut screen = Screen::of(command);
        screen.types("/capabilities\r");
        // Without colours as well: the sign.
        screen.shows(&["* capabilities"]);
        screen.types("q");
        screen.end();
        assert_eq!(colours(&screen.bytes), !no_color);
    }
}

#[test]
fn the_page_follows_the_size_of_the_terminal() {
    let world = World::new();
    let mut screen = Screen::new(&world, &[]);
    screen.shows(&["1 of"]);
    screen.resize(20, 60);
    screen.shows(&["needs 80 columns and 24 rows"]);
    screen.resize(40, 140);
    screen.shows(&["1 of", "seal: run from", "host: jec"]);
    let text = screen.text();
    let beside = |line: &str| line.contains("1 stages") && line.contains("3 host and container");
    assert!(
        text.lines().any(|line| line.contains("seal: run from") && line.contains("3 host"))
            || text.lines().any(beside),
        "{text}"
    );
    screen.resize(1, 1);
    screen.resize(24, 80);
    screen.shows(&["1 of", "? help"]);
    screen.types("q");
    assert_eq!(screen.end(), 0);
}

#[test]
fn whatever_ends_it_the_terminal_is_as_before() {
    let world = World::new();
    let ends = [
        (None, 0),
        (Some(Signal::SIGTERM), 143),
        (Some(Signal::SIGHUP), 129),
        (Some(Signal::SIGINT), 130),
    ];
    for (signal, code) in ends {
        let mut screen = Screen::new(&world, &[]);
        screen.shows(&["1 of"]);
        assert!(!tcgetattr(&screen.slave).expect("modes").local_flags.contains(LocalFlags::ECHO));
        match signal {
            None => screen.types("\x03"),
            Some(signal) => screen.signal(signal),
        }
        assert_eq!(screen.end(), code, "{signal:?}");
        screen.is_restored();
    }
}

#[test]
fn without_a_terminal_it_says_so_in_a_line() {
    let world = World::new();
    let ran = world.tell(&["tour"]).fails(1, &["needs a terminal", "jec run --explain"]);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    let mut command = world.jec();
    command.arg("tour").env("TERM", "dumb");
    let mut screen = Screen::of(command);
    screen.shows(&["needs a terminal"]);
    assert_eq!(screen.end(), 1);
    assert!(!screen.bytes.contains(&0x1b));
}

/// A file with this text.
fn file(world: &World, text: &str) -> PathBuf {
    let path = world.path("trace");
    std::fs::write(&path, text).expect("written");
    path
}

const BEGIN: &str = r#"{"event":"begin","sequence":0,"time":0,"format":1,"jec":"0.1.0","kernel":"6","command":["run"],"pid":1,"clock":1}"#;
const STAGE: &str = r#"{"event":"stage","sequence":1,"time":1,"stage":"mounts","side":"init","what":"w","why":"y","part":"III","chapter":"mounts"}"#;

#[test]
fn a_file_that_is_no_trace_is_refused_with_the_line() {
    let world = World::new();
    let torn = &STAGE[..STAGE.len() / 2];
    for (text, said) in [
        (String::new(), "no stage in it"),
        ("hello\n".into(), "line 1: is no line of a trace"),
        (format!("{BEGIN}\n{STAGE}\n{torn}"), "line 3: is torn"),
        (format!("{BEGIN}\n{torn}\n{STAGE}\n"), "line 2: is no line of a trace"),
        (BEGIN.replace("\"format\":1", "\"format\":2") + "\n", "line 1: format 2"),
        (format!("{STAGE}\n{BEGIN}\n"), "line 1: is not the begin"),
        (format!("{BEGIN}\n"), "no stage in it"),
        ("[".repeat(100_000), "line 1: "),
        ("[1]\n".into(), "line 1: is not the begin"),
        ("null\n".into(), "line 1: is not the begin"),
    ] {
        let path = file(&world, &text);
        let ran = world.tell(&["tour", &path.to_string_lossy()]).fails(1, &[said]);
        assert!(ran.err.starts_with("jec: ") && ran.err.len() < 500, "{}", ran.err);
    }
    std::fs::write(world.path("bytes"), [0xff, 0xfe, 0]).expect("written");
    world.tell(&["tour", &world.path("bytes").to_string_lossy()]).fails(1, &["EILSEQ"]);
    world.tell(&["tour", "/no/such/file"]).fails(1, &["ENOENT"]);
    world.tell(&["tour", "one", "two"]).fails(1, &["one FILE is enough"]);
}

#[test]
fn lines_of_the_wrong_shape_do_not_end_it() {
    let world = World::new();
    let odd = [
        r#"{"event":"call"}"#,
        r#"{"event":"call","stage":7,"side":{},"call":"prctl","args":[1],"file":null,"line":-1}"#,
        r#"{"event":"call","stage":"mounts","side":"","call":"openat","args":{"dirfd":{"a":[]}},"line":18446744073709551615,"file":"src/stages/mounts.rs"}"#,
        r#"{"event":"state","of":3,"from":"nobody","after":"mounts","changed":{"capabilities.bounding":["x","y"],"":[],"mount./":[null,null]}}"#,
        r#"{"event":"stage","stage":"nonsuch","side":"é","what":3,"part":""}"#,
        r#"{"event":"end"}"#,
        "7",
    ];
    let path = file(&world, &format!("{BEGIN}\n{STAGE}\n{}\n", odd.join("\n")));
    let mut screen = Screen::new(&world, &[&path.to_string_lossy()]);
    screen.shows(&["1 of 2", "mounts: w"]);
    screen.types("2jjkGg3jjG\tn");
    screen.shows(&["2 of 2", "nonsuch"]);
    screen.types("q");
    assert_eq!(screen.end(), 0);
    screen.is_restored();
}

#[test]
fn what_a_trace_says_never_reaches_the_terminal_as_a_command() {
    let world = World::new();
    let evil = "\\u001b]0;evil\\u0007\\u009b31m\\u001b[2J\\u202e\\r\\n\\u0000";
    let text = format!("{BEGIN}\n{STAGE}\n").replace("\"w\"", &format!("\"{evil}w\""));
    let text =
        text.replace("\"y\"", &format!("\"{evil}\"")).replace("\"run\"", &format!("\"{evil}\""));
    let call = format!(
        r#"{{"event":"call","stage":"mounts","side":"{evil}","call":"prctl","args":{{"option":"{evil}"}},"file":"{evil}","line":1}}"#
    );
    let state = format!(
        r#"{{"event":"state","of":"init","from":null,"after":"mounts","changed":{{"hostname{evil}":[null,"{evil}"]}}}}"#
    );
    let path = file(&world, &format!("{text}{call}\n{state}\n"));
    let mut screen = Screen::new(&world, &[&path.to_string_lossy()]);
    screen.shows(&["1 of 1", "hostname"]);
    screen.types("2j3j/\x1b\x1b?q");
    screen.types("q");
    assert_eq!(screen.end(), 0);
    let written = String::from_utf8_lossy(&screen.bytes).into_owned();
    for bad in ["\x1b]", "\x07", "\u{9b}", "\u{202e}", "\r", "\x1b[31m", "\0"] {
        let before_the_end = written.split("\x1b[?1049l").next().expect("the pages");
        assert!(!before_the_end.contains(bad), "{bad:?}");
    }
    // In an error neither.
    let path = file(&world, "\u{1b}]0;evil\u{7}\n");
    let ran = world.tell(&["tour", &path.to_string_lossy()]).fails(1, &["line 1"]);
    assert!(!ran.err.contains('\u{1b}'), "{:?}", ran.err);
}

#[test]
fn it_walks_through_a_trace_of_ones_own() {
    let world = World::new();
    let (trace, rootfs) = (world.path("t"), common::rootfs());
    let trace = trace.to_string_lossy().into_owned();
    world.run(&["--trace", &trace, "--hostname", "seen", &rootfs.to_string_lossy(), "true"]).ok();
    let mut screen = Screen::new(&world, &[&trace]);
    screen.types("/kernel-params\r3");
    screen.shows(&["kernel-params: ", "* hostname", "seen"]);
    let text = std::fs::read_to_string(&trace).expect("the trace");
    let cut = text.lines().take(100).fold(String::new(), |all, line| all + line + "\n");
    let path = file(&world, &cut);
    let mut screen = Screen::new(&world, &[&path.to_string_lossy()]);
    screen.shows(&["(cut off)", "seal: "]);
}

/// A walk of a real run.
fn live(world: &World, name: &str, program: &str) -> Screen {
    let (id, rootfs) = (world.id(name), world.rootfs().to_string_lossy().into_owned());
    Screen::new(
        world,
        &["--run", "--name", &id, "--hostname", "walked", &rootfs, "sh", "-c", program],
    )
}

/// Steps until the stage with this name is the one to come.
#[track_caller]
fn step_to(screen: &mut Screen, stage: &str) {
    let asks = |screen: &mut Screen| {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let text = screen.text();
            let last = text.lines().last().unwrap_or_default().to_owned();
            if let Some(rest) = last.strip_prefix("→ does ") {
                // Of a page that is still being written, the rest may be of the one before.
                if screen.read(30) == 0 {
                    return rest.split(' ').next().expect("a name").to_owned();
                }
                continue;
            }
            assert!(Instant::now() < deadline, "{text}");
            screen.read(50);
        }
    };
    let mut now = asks(screen);
    for _ in 0..60 {
        if now == stage {
            return;
        }
        screen.types("n");
        until("the next stage", || {
            screen.read(20);
            let next = asks(screen);
            std::mem::replace(&mut now, next.clone()) != next
        });
    }
    panic!("{stage} does not come: {}", screen.text());
}

#[test]
fn a_real_run_rests_at_each_stage_and_runs_its_program_at_the_end() {
    let world = World::new();
    let mut screen = live(&world, "w", "hostname; sleep 0.3; exit 3");
    step_to(&mut screen, "spawn-middle");
    step_to(&mut screen, "masks");
    screen.types("3");
    screen.shows(&["kernel-params: ", "* hostname", "walked", "I masks ◀"]);
    // Back is only a look.
    screen.types("1p");
    screen.shows(&["I masks ◀"]);
    screen.types("nn");
    step_to(&mut screen, "exec");
    screen.types("n");
    until("the program's end", || {
        screen.read(50);
        screen.text().contains("→ does kill-all")
    });
    step_to(&mut screen, "remove");
    screen.types("n");
    screen.shows(&["jec run has ended: exit status 3"]);
    screen.types("q");
    assert_eq!(screen.end(), 3);
    screen.is_restored();
    screen.shows(&["walked"]);
    world.assert_clean();
}

#[test]
fn a_shell_opens_where_the_process_rests_and_what_it_changes_is_seen() {
    let world = World::new();
    let mut screen = live(&world, "s", "true");
    step_to(&mut screen, "kernel-params");
    screen.types("s");
    screen.shows(&["[before kernel-params] # "]);
    assert!(!screen.page.screen().alternate_screen());
    screen.types("hostname changed; echo $((40 + 2))\r");
    screen.shows(&["42"]);
    // Its exit status says nothing here.
    screen.types("exit 7\r");
    screen.shows(&["I kernel-params ◀", "s shell there"]);
    screen.types("3");
    screen.shows(&["* hostname", "changed"]);
    screen.types("q");
    assert_eq!(screen.end(), 0);
    screen.is_restored();
    world.assert_clean();
}

#[test]
fn leaving_in_the_midst_leaves_nothing() {
    let world = World::new();
    for stage in ["seal", "record", "join", "session", "exec"] {
        let stage = if stage == "join" { "spawn-init" } else { stage };
        for signal in [None, Some(Signal::SIGTERM)] {
            let mut screen = live(&world, "l", "true");
            step_to(&mut screen, stage);
            match signal {
                None => screen.types("q"),
                Some(signal) => screen.signal(signal),
            }
            assert_eq!(screen.end(), if signal.is_some() { 143 } else { 0 }, "{stage}");
            screen.is_restored();
            world.assert_clean();
        }
    }
}

#[test]
fn a_tour_that_is_killed_leaves_no_container() {
    let world = World::new();
    for stage in ["record", "session", "exec"] {
        let mut screen = live(&world, "k", "sleep 100");
        step_to(&mut screen, stage);
        screen.signal(Signal::SIGKILL);
        assert_eq!(screen.end(), 137);
        world.assert_clean();
        // The run that it walked has put the terminal right.
        until("the modes of before", || tcgetattr(&screen.slave).expect("modes") == screen.before);
    }
}

#[test]
fn what_goes_wrong_in_a_run_is_said_when_the_page_is_gone() {
    let world = World::new();
    let rootfs = world.rootfs().to_string_lossy().into_owned();
    let mut screen = Screen::new(&world, &["--run", &rootfs, "nosuch"]);
    step_to(&mut screen, "program");
    screen.types("n");
    step_to(&mut screen, "remove");
    screen.types("n");
    screen.shows(&["has ended: exit status 127"]);
    screen.types("q");
    assert_eq!(screen.end(), 127);
    screen.shows(&["jec: program (init): execve(\"nosuch\""]);
    world.assert_clean();
    // Flags that are wrong are, too.
    let mut screen = Screen::new(&world, &["--run", "--nonsuch"]);
    assert_eq!(screen.end(), 2);
    screen.shows(&["--nonsuch"]);
}

#[test]
fn the_help_says_how_to_begin() {
    let world = World::new();
    let ran: Ran = world.tell(&["tour", "--help"]).ok();
    for word in ["jec tour --run [FLAGS]", "jec tour trace.jsonl", "opens a shell"] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
}
