//! seal: what runs is a copy of jec that nobody can write.

mod common;
#[path = "common/trace.rs"]
mod trace;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Canary, Ran, World, for_me, is_root, jec_path, sh};
use serde_json::json;
use trace::{Act, JEC, trace};

/// The attack (CVE-2019-5736): hold the file that a process runs from, wait
/// until the process has ended and the file is busy no more, then write.
fn overwrite(held: &File) -> io::Result<()> {
    let door = format!("/proc/self/fd/{}", held.as_raw_fd());
    let mut file = OpenOptions::new().write(true).open(door)?;
    file.write_all(b"owned")
}

fn door(pid: i32) -> File {
    File::open(format!("/proc/{pid}/exe")).expect("the file a process of ours runs from")
}

/// What a process runs from. After vfork(2) a child is for a moment still what its parent is.
fn runs_from(pid: i32) -> PathBuf {
    let path = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let own = std::env::current_exe().expect("this program");
    if path == own { PathBuf::new() } else { path }
}

#[test]
fn the_file_of_a_plain_process_can_be_overwritten_through_its_proc_entry() {
    let world = World::new();
    let program = world.path("program");
    fs::copy("/bin/sleep", &program).expect("a copy");
    let sleeper = Canary::of(Command::new(&program).arg("300"));
    common::until("it runs", || runs_from(sleeper.pid()) == program);
    let held = door(sleeper.pid());
    drop(sleeper);
    // ETXTBSY, until the kernel has let go of the last of the process.
    let busy = |error: &io::Error| assert_eq!(error.raw_os_error(), Some(libc::ETXTBSY), "{error}");
    common::until("nothing protects it", || overwrite(&held).inspect_err(busy).is_ok());
    assert!(fs::read(&program).expect("the program").starts_with(b"owned"));
}

#[test]
fn the_file_of_jec_cannot() {
    let world = World::new();
    let program = world.path("jec");
    fs::copy(jec_path(), &program).expect("a copy");
    let before = fs::read(&program).expect("jec");
    let bundle = world.bundle("seal", sh("read line"));
    let mut command = Command::new(&program);
    command.arg("--root").arg(world.path("state")).args(["run", "-b"]).arg(&bundle);
    command.arg(world.id("b")).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut jec = command.spawn().expect("jec");
    let pid = i32::try_from(jec.id()).expect("a pid");
    // Sealed as soon as it is called by the name of the copy: it has no path any more.
    common::until("jec runs from its copy", || {
        let path = runs_from(pid);
        path != program && path != Path::new("")
    });
    let held = door(pid);
    drop(jec.stdin.take());
    jec.wait().expect("its end");
    let errno = overwrite(&held).expect_err("it is sealed").raw_os_error();
    // A read-only mount; or, where mounting is not allowed, a sealed file in memory.
    assert_eq!(errno, Some(if is_root() { libc::EROFS } else { libc::EPERM }));
    assert!(fs::read(&program).expect("jec") == before);
}

#[test]
fn a_container_whose_program_is_jec_itself_cannot_write_to_it() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("seal", for_me));
    assert_ne!(ran.code, 0);
    let errors = if is_root() { ["Read-only file system"] } else { ["Text file busy"] };
    assert!(errors.iter().any(|error| ran.err.contains(error)), "{ran:?}");
    world.assert_clean();
}

#[test]
fn jec_keeps_its_arguments_and_its_environment() {
    let world = World::new();
    let mut command = world.jec();
    command.args(["spec", "-e", "MINE", "--hostname", "a b", "./x", "--", "echo", "", "c d"]);
    fs::create_dir(world.path("x")).expect("a directory");
    command.env("MINE", "7 8").current_dir(world.dir.path());
    let ran = Ran::of(command).ok();
    for word in ["\"MINE=7 8\"", "\"a b\"", "\"echo\",\n      \"\",\n      \"c d\""] {
        assert!(ran.out.contains(word), "{word} in {}", ran.out);
    }
}

/// src/sys/begin: not even the C library's own beginning comes before it, and nothing comes twice.
#[test]
fn it_begins_anew_before_its_c_library_begins() {
    let world = World::new();
    let bundle = world.bundle("seal", |config| {
        for_me(config);
        sh("printf '%s|' \"$0\" \"$1\"")(config);
        let words = config["process"]["args"].as_array_mut().expect("a list");
        words.extend([json!(""), json!("c d")]);
    });
    let mut command = world.jec();
    command.args(["run", "-b"]).arg(&bundle).arg(world.id("b"));
    command.stdout(File::create(world.path("out")).expect("a file")).stderr(Stdio::null());
    let mut calls = Vec::new();
    let traced = trace(command, Duration::from_secs(60), |call| {
        if call.role == JEC {
            calls.push(call.number);
        }
        Act::Go
    });
    assert_eq!(traced.code, 0);
    let is_there = |number: i64| calls.iter().position(|call| *call == number).expect("the call");
    let begun = is_there(libc::SYS_execveat);
    assert!(begun < is_there(libc::SYS_brk), "{calls:?}");
    let copied = if is_root() { libc::SYS_open_tree } else { libc::SYS_memfd_create };
    assert!(is_there(copied) < begun, "{calls:?}");
    assert_eq!(calls.iter().filter(|call| **call == libc::SYS_execveat).count(), 1);
    assert_eq!(world.said(), "|c d|");
    world.assert_clean();
}

#[test]
fn a_jec_that_cannot_be_sealed_does_not_run() {
    let world = World::new();
    let bundle = world.bundle("seal", for_me);
    // Not even when there is no way to make a copy: a kernel that has neither call.
    let mut command = world.jec();
    command.args(["run", "-b"]).arg(&bundle).arg(world.id("b"));
    command.stderr(File::create(world.path("err")).expect("a file"));
    let calls = [libc::SYS_open_tree, libc::SYS_memfd_create];
    let traced = trace(command, Duration::from_secs(60), |call| {
        let copies = call.role == JEC && calls.contains(&call.number);
        if copies { Act::Fail(libc::ENOSYS) } else { Act::Go }
    });
    let err = fs::read_to_string(world.path("err")).expect("err");
    assert_eq!(traced.code, 1, "{err}");
    for word in ["seal (runtime): open_tree(", "ENOSYS", "likely:", "jec stages seal"] {
        assert!(err.contains(word), "{word} in {err}");
    }
    world.assert_clean();
}

#[test]
fn a_proc_that_is_none_is_refused() {
    if !is_root() {
        skip!("mounting over /proc takes root");
    }
    let jec = jec_path();
    let script = format!("mount -t tmpfs none /proc && exec {} run ./x", jec.display());
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    Ran::of(command).fails(1, &["/proc is no proc file system", "cure: mount -t proc"]);
}
