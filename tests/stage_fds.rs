//! Descriptors and signals: what the program must not inherit.

mod common;

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use common::process::{bundle, command, in_root, program, ran, script};
use common::{Ran, World};
use nix::fcntl::{FcntlArg, FdFlag, OFlag};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::stat::Mode;

/// A descriptor that survives execve.
fn leaked(path: &str, how: OFlag) -> OwnedFd {
    let fd = nix::fcntl::open(path, how, Mode::empty()).expect("an open file");
    nix::fcntl::fcntl(&fd, FcntlArg::F_SETFD(FdFlag::empty())).expect("no close-on-exec");
    fd
}

/// `jec run` of the bundle, with signals as a careless caller leaves them.
#[allow(unsafe_code)]
fn careless(mut jec: Command, ignored: &'static [i32]) -> Command {
    // SAFETY: between fork and execve only system calls are made.
    unsafe {
        jec.pre_exec(move || {
            for number in ignored {
                libc::signal(*number, libc::SIG_IGN);
            }
            nix::sys::signal::sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None)?;
            Ok(())
        });
    }
    jec
}

fn run_of(world: &World, bundle: &std::path::Path) -> Command {
    let mut jec = world.jec();
    jec.args(["run", "--bundle"]).arg(bundle).arg(world.id("fds"));
    jec
}

#[test]
fn the_example_has_three_descriptors_no_blocked_signal_and_an_end() {
    let ran = ran("fds", |_| ()).ok();
    let listed: Vec<_> = ran.out.lines().filter(|line| line.contains(" -> ")).collect();
    assert_eq!(listed.len(), 3, "{}", ran.out);
    assert!(ran.out.ends_with("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\ny\n"));
}

#[test]
fn what_the_caller_left_open_is_closed_a_directory_of_the_host_above_all() {
    let world = World::new();
    let bundle = bundle(&world, "fds", |config| command(config, &["sleep", "60"]));
    let _open: Vec<OwnedFd> = (0..200)
        .map(|at| match at % 4 {
            0 => leaked("/", OFlag::O_RDONLY | OFlag::O_DIRECTORY),
            1 => leaked("/", OFlag::O_PATH),
            2 => leaked("/proc", OFlag::O_RDONLY),
            _ => leaked("/dev/null", OFlag::O_RDWR),
        })
        .collect();
    let directory = leaked("/", OFlag::O_RDONLY | OFlag::O_DIRECTORY);
    // The other half: a program that jec does not start has it, and the whole host with it.
    let mut ls = Command::new("ls");
    ls.arg(format!("/proc/self/fd/{}/proc/{}", directory.as_raw_fd(), std::process::id()));
    assert!(Ran::of(ls).ok().out.contains("cmdline"));

    let held = world.hold(&["--bundle", &bundle.to_string_lossy(), &world.id("held")]);
    let mut open: Vec<_> = fs::read_dir(format!("/proc/{}/fd", held.pid))
        .expect("the descriptors")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a number"))
        .collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
    drop(held);
    world.assert_clean();
}

/// Attack 3 of CVE-2024-21626: execve looks the program up while jec's descriptors are still open,
/// and a script names its interpreter by any path. From a directory of the host, `..` leads to
/// all of it, and what runs is a file of the host, which /proc/self/exe opens for writing.
#[test]
fn no_path_of_the_program_leads_through_a_descriptor_of_jecs() {
    let world = World::new();
    let bundle = bundle(&world, "fds", |config| command(config, &["/x"]));
    let busybox = in_root(&bundle, "bin/busybox").canonicalize().expect("busybox");
    let (busybox, up) = (busybox.display(), "../".repeat(16));
    let _open: Vec<_> = (0..4).map(|_| leaked("/", OFlag::O_PATH)).collect();
    let write = |way: String| {
        let text = format!("#!/proc/self/fd/{way}{busybox} sh\necho escaped\n");
        program(&bundle, "x", text.as_bytes(), 0o755);
    };
    let ways = || (3..24).flat_map(|at| [format!("{at}/{up}"), format!("{at}/1/root/{up}")]);
    for way in ways() {
        write(way);
        let ran = world.run_bundle(&bundle);
        assert!(ran.code != 0 && !ran.out.contains("escaped"), "{}{}", ran.out, ran.err);
    }
    // The same program, if the path is one of the container's.
    program(&bundle, "x", b"#!/proc/self/root/bin/busybox sh\nexec sleep 60\n", 0o755);
    let held = world.hold_bundle(&bundle);
    for way in ways() {
        write(way);
        let ran = world.tell(&["exec", &world.id("b"), "/x"]);
        assert!(ran.code != 0 && !ran.out.contains("escaped"), "{}{}", ran.out, ran.err);
    }
    held.wait_after_kill();
    world.assert_clean();
}

#[test]
fn signals_that_the_caller_blocked_or_ignored_are_as_at_birth() {
    const IGNORED: &[i32] =
        &[libc::SIGPIPE, libc::SIGUSR1, libc::SIGINT, libc::SIGQUIT, libc::SIGCHLD, 34, 50, 64];
    // The other half: execve alone keeps all of it.
    let mut grep = Command::new("grep");
    grep.args(["-E", "SigBlk|SigIgn", "/proc/self/status"]).stdin(Stdio::null());
    let kept = Ran::of(careless(grep, IGNORED)).ok().out;
    assert!(!kept.contains("SigIgn:\t0000000000000000"), "{kept}");
    assert!(!kept.contains("SigBlk:\t0000000000000000"), "{kept}");

    let world = World::new();
    let bundle = bundle(&world, "fds", |config| {
        command(config, &["grep", "-E", "SigBlk|SigIgn", "/proc/self/status"]);
    });
    let ran = Ran::of(careless(run_of(&world, &bundle), IGNORED)).ok();
    assert_eq!(ran.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    world.assert_clean();
}

#[test]
fn a_pipe_without_a_reader_ends_the_writer() {
    let writes = "yes 2>&1 | head -n 1; echo ${PIPESTATUS[0]}";
    // The other half: with SIGPIPE ignored, as Rust leaves it, yes complains instead.
    let mut shell = Command::new("bash");
    shell.args(["-c", "trap '' PIPE; yes 2>/dev/null | head -n 1; echo ${PIPESTATUS[0]}"]);
    assert_ne!(Ran::of(shell).ok().out, "y\n141\n");
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("trap - PIPE; {writes}")]);
    assert_eq!(Ran::of(shell).ok().out, "y\n141\n");

    // busybox sh knows no PIPESTATUS.
    let ran = ran("fds", |config| script(config, "(yes; echo ended: $? >&2) | head -n 1"));
    assert_eq!((&*ran.out, ran.code), ("y\n", 0));
    assert!(ran.err.contains("ended: 141"), "{}", ran.err);
}

#[test]
fn a_caller_that_ignores_sigchld_gets_the_status_all_the_same() {
    for code in [0, 42] {
        let world = World::new();
        let bundle = bundle(&world, "fds", |config| script(config, &format!("exit {code}")));
        let ran = Ran::of(careless(run_of(&world, &bundle), &[libc::SIGCHLD]));
        assert_eq!(ran.code, code, "{}", ran.err);
        world.assert_clean();
    }
}

#[test]
fn a_directory_as_a_standard_stream_is_refused_since_it_leads_to_the_host() {
    let directory = || File::open("/").expect("/");
    // The other half: it does lead there.
    let mut ls = Command::new("ls");
    ls.arg(format!("/proc/self/fd/0/proc/{}", std::process::id())).stdin(directory());
    assert!(Ran::of(ls).ok().out.contains("cmdline"));

    let world = World::new();
    let bundle = bundle(&world, "fds", |config| command(config, &["ls", "/proc/self/fd/0/"]));
    let mut jec = run_of(&world, &bundle);
    jec.stdin(directory());
    let ran = Ran::of(jec).fails(1, &["fds (init): standard input: is a directory"]);
    assert_eq!(ran.out, "");
    world.assert_clean();
}

#[test]
#[allow(unsafe_code)]
fn closed_standard_streams_are_no_way_to_have_a_descriptor_of_jecs() {
    let world = World::new();
    let bundle =
        bundle(&world, "fds", |config| script(config, "ls -l /proc/1/fd > /found; exit 5"));
    let mut jec = run_of(&world, &bundle);
    // SAFETY: between fork and execve only system calls are made.
    unsafe {
        jec.pre_exec(|| {
            for fd in 0..3 {
                libc::close(fd);
            }
            Ok(())
        });
    }
    assert_eq!(jec.status().expect("jec").code(), Some(5));
    let found = fs::read_to_string(common::process::in_root(&bundle, "found")).expect("the list");
    let links: Vec<_> = found.lines().filter_map(|line| line.split(" -> ").nth(1)).collect();
    assert!(links.iter().all(|link| ["/dev/null", "/found"].contains(link)), "{found}");
    world.assert_clean();
}
