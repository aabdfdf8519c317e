//! `jec run --stop-before`, `--stop-after`, `--step`: a shell in the process that rests, at that
//! point, as the kernel's state has it then.

mod common;

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

use common::pty::Pty;
use common::{Ran, World, for_me, namespace_of, sh};
use serde_json::{Value, json};

/// A world, and the words for a container in it whose program says "ran".
fn container(change: impl Fn(&mut Value)) -> (World, Vec<String>) {
    let world = World::new();
    let bundle = world.bundle("exec", |config| {
        for_me(config);
        sh("echo ran")(config);
        change(config);
    });
    let words = vec!["--bundle".into(), bundle.to_string_lossy().into_owned(), world.id("s")];
    (world, words)
}

fn command(world: &World, flags: &[&str], words: &[String]) -> Command {
    let mut command = world.jec();
    command.arg("run").args(flags).args(words).env("SHELL", "/bin/sh");
    command
}

/// Runs with this text as standard input: what the shell at the stop reads.
fn typed(world: &World, flags: &[&str], words: &[String], text: &str) -> Ran {
    let path = world.path("typed");
    File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
    let mut command = command(world, flags, words);
    command.stdin(File::open(path).expect("the file"));
    Ran::of(command)
}

/// Nothing of the container is left.
#[track_caller]
fn is_gone(world: &World) {
    let kept = std::fs::read_dir(world.path("state")).expect("the state directory");
    assert_eq!(kept.count(), 0);
    world.assert_clean();
}

#[test]
fn the_shell_is_in_the_namespaces_and_the_root_of_that_moment() {
    let (world, words) = container(|config| config["hostname"] = json!("stopped"));
    let own = namespace_of(i32::try_from(std::process::id()).expect("a pid"), "uts");
    let look = "readlink /proc/self/ns/uts; hostname; test -e /etc/passwd -a -d /var/lib && \
                echo host; exit 0\n";
    let before = typed(&world, &["--stop-before", "spawn-init"], &words, look).ok();
    assert!(before.out.starts_with(&own), "the middle is still outside: {}", before.out);
    assert!(before.out.contains("host") && before.out.ends_with("ran\n"), "{}", before.out);
    assert!(before.err.contains("at rest before spawn-init (middle, process"), "{}", before.err);
    let inside = typed(&world, &["--stop-before", "kernel-params"], &words, look).ok();
    assert!(!inside.out.contains(&own) && !inside.out.contains("stopped"), "{}", inside.out);
    let after = typed(&world, &["--stop-after", "kernel-params"], &words, look).ok();
    assert!(after.out.contains("stopped\n") && after.out.ends_with("ran\n"), "{}", after.out);
    is_gone(&world);
}

#[test]
fn the_shell_has_no_more_than_the_process_that_rests() {
    let (world, words) = container(|config| {
        let none = json!({"bounding": [], "effective": [], "permitted": [], "inheritable": []});
        config["process"]["capabilities"] = none;
        config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]});
    });
    let sets = "grep -e CapBnd -e Seccomp: /proc/self/status; exit 0\n";
    let before = typed(&world, &["--stop-before", "bounding"], &words, sets).ok().out;
    assert!(!before.contains("CapBnd:\t0000000000000000"), "{before}");
    let after = typed(&world, &["--stop-after", "bounding"], &words, sets).ok().out;
    assert!(after.contains("CapBnd:\t0000000000000000"), "{after}");
    assert!(after.contains("Seccomp:\t0"), "{after}");
    let make = format!("mkdir /tmp-made; {sets}");
    let filtered = typed(&world, &["--stop-before", "exec"], &words, &make).ok().out;
    assert!(filtered.contains("Seccomp:\t2"), "{filtered}");
    assert!(filtered.contains("Function not implemented"), "{filtered}");
}

#[test]
fn abandoning_leaves_nothing_wherever_it_happens() {
    let (world, words) = container(|_| ());
    for stage in ["seal", "record", "spawn-middle", "spawn-init", "mounts", "gate", "exec"] {
        let flags = ["--stop-before", stage];
        if stage == "gate" {
            typed(&world, &flags, &words, "exit 1\n").fails(1, &["does not have that stage"]);
            continue;
        }
        let ran = typed(&world, &flags, &words, "exit 1\n");
        let said = format!("abandoned before {stage} (exit status 1)");
        let ran = ran.fails(1, &["at rest before", &said]);
        assert!(!ran.out.contains("ran"), "{stage}");
        is_gone(&world);
    }
}

#[test]
fn every_stage_can_be_rested_at_before_and_after() {
    let (world, words) = container(|_| ());
    let stages: Vec<Value> =
        serde_json::from_str(&world.tell(&["stages", "--json"]).ok().out).expect("JSON");
    let plan: Vec<&str> = words.iter().map(String::as_str).collect();
    let plan = world.tell(&[&["plan", "--json"][..], &plan].concat()).ok().out;
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    for (stage, row) in stages.iter().zip(plan["stages"].as_array().expect("a list")) {
        let name = stage["name"].as_str().expect("a name");
        for when in ["before", "after"] {
            let ran = typed(&world, &[&format!("--stop-{when}"), name], &words, "exit 0\n");
            let is_end = row["part"] == "VI The end";
            if name == "exec" && when == "after" {
                ran.fails(1, &["rest before running instead"]);
            } else if row["applies"] == true {
                let said = format!("at rest {when} {name} (");
                let ran = ran.ok();
                assert_eq!(ran.err.matches(&said).count(), 1, "{}", ran.err);
                assert_eq!(ran.out, "ran\n", "{when} {name}");
            } else if !is_end {
                ran.fails(1, &["does not have that stage"]);
            }
        }
    }
    is_gone(&world);
}

#[test]
fn step_rests_before_each_stage_in_order() {
    let (world, words) = container(|_| ());
    let ran = typed(&world, &["--step"], &words, "").ok();
    let places = |text: &str| -> Vec<String> {
        let place = |line: &str| line.split(' ').next().expect("a word").to_owned();
        text.split("at rest before ").skip(1).map(place).collect()
    };
    let stopped = places(&ran.err);
    let timed = typed(&world, &["--time", "--json"], &words, "").ok().err;
    let steps: Vec<Value> =
        serde_json::from_str(timed.lines().last().expect("a line")).expect("JSON");
    let ran = steps.iter().filter_map(|step| step["stage"].as_str());
    let ran: Vec<_> = ran.filter(|name| !["plan", "program-runs"].contains(name)).collect();
    assert_eq!(stopped, ran);
    // Abandoned at the first, there is no second.
    let ran = typed(&world, &["--step"], &words, "exit 1\n").fails(1, &["abandoned before seal"]);
    assert_eq!(places(&ran.err), ["seal"]);
    is_gone(&world);
}

#[test]
fn a_root_without_a_shell_goes_on_with_a_line() {
    let (world, words) = container(|config| {
        config["process"]["args"] = json!(["/bin/busybox", "echo", "ran"]);
    });
    let rootfs = std::path::Path::new(&words[1]).join("rootfs");
    let shell = rootfs.join("bin/sh");
    if !shell.exists() && !shell.is_symlink() {
        skip!("the root has no {}", shell.display());
    }
    std::fs::remove_file(shell).expect("the shell of a copy");
    let flags = ["--stop-before", "bounding"];
    let ran = typed(&world, &flags, &words, "\n").ok();
    assert!(ran.err.contains("no shell here: execve(") && ran.out == "ran\n", "{}", ran.err);
    typed(&world, &flags, &words, "exit 1\n").fails(1, &["abandoned before bounding"]);
    is_gone(&world);
}

#[test]
fn only_run_rests_and_only_at_stages_that_there_are() {
    let (world, words) = container(|_| ());
    typed(&world, &["--stop-before", "mount"], &words, "")
        .fails(1, &["did you mean mount-sources, mounts"]);
    world.tell(&["create", "--stop-before", "mounts", "x"]).fails(2, &["--stop-before"]);
    world.tell(&["exec", "--step", "x", "true"]).fails(2, &["--step"]);
}

#[test]
fn a_signal_ends_the_rest_and_the_container() {
    let (world, words) = container(|_| ());
    for stage in ["spawn-middle", "mounts"] {
        let mut jec = command(&world, &["--stop-before", stage], &words);
        let mut jec = jec.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("jec");
        let keyboard = jec.stdin.take();
        let err = jec.stderr.take().expect("stderr");
        let said = std::io::BufRead::lines(std::io::BufReader::new(err)).map_while(Result::ok);
        assert!(said.into_iter().any(|line| line.contains("exit 1` abandons")));
        let pid = nix::unistd::Pid::from_raw(jec.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("kill");
        assert_eq!(jec.wait().expect("wait").code(), Some(143), "{stage}");
        drop(keyboard);
        is_gone(&world);
    }
}

#[test]
fn on_a_terminal_ctrl_c_is_the_shells_and_the_terminal_is_as_before() {
    // On the host, in the session of the terminal; and inside, in another, before and after the console.
    for stage in ["spawn-middle", "spawn-init", "mounts", "bounding"] {
        let (world, words) = container(|config| {
            config["process"]["terminal"] = json!(true);
            config["mounts"].as_array_mut().expect("mounts").extend([
                json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}),
                json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                    "options": ["newinstance", "ptmxmode=0666"]}),
            ]);
        });
        let Some(mut pty) = Pty::start(&{
            let mut shell = Command::new("sh");
            let jec = common::jec_path();
            let line = format!(
                "SHELL=/bin/sh {} --root {} run --stop-before {stage} {}; echo status $?; stty -a",
                jec.display(),
                world.path("state").display(),
                words.join(" ")
            );
            shell.args(["-c", &line]);
            shell
        }) else {
            skip!("no /dev/ptmx");
        };
        pty.shows(&format!("[before {stage}] # "));
        pty.types("echo $((40 + 2)); sleep 60\r");
        pty.shows("42");
        std::thread::sleep(std::time::Duration::from_millis(200));
        pty.types("\x03");
        pty.types("echo $((50 + 3)); exit 0\r");
        pty.shows("53");
        pty.shows("ran");
        pty.shows("status 0");
        pty.shows(" icanon");
    }
}
