//! The life of a container as its user sees it: exit statuses, signals, odd
//! surroundings, several at once, and that nothing is ever left.

mod common;
#[path = "common/trace.rs"]
mod trace;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{
    Ran, World, has_cgroup2, is_emulated, is_root, jec_path, own_view, processes_with, shell, until,
};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use trace::{Act, JEC, MIDDLE, trace};

/// `jec run ./rootfs WORDS`.
fn run(world: &World, words: &[&str]) -> Ran {
    Ran::of(command(world, words))
}

fn command(world: &World, words: &[&str]) -> Command {
    let mut command = world.jec();
    command.arg("run").arg(world.rootfs()).args(words);
    command
}

/// The same, to be traced: set-uid helpers (newuidmap) gain nothing under a tracer.
fn traceable(world: &World, flags: &[&str], words: &[&str]) -> Command {
    let mut command = world.jec();
    command.arg("run").args(flags);
    if !is_root() {
        command.args(["--userns", "single"]);
    }
    command.arg(world.rootfs()).args(words).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// For a shell of the host: `jec --root … run FLAGS ./rootfs`.
fn words(world: &World, flags: &str) -> String {
    let (jec, state, root) = (jec_path(), world.path("state"), world.rootfs());
    format!("{} --root {} run {flags} {}", jec.display(), state.display(), root.display())
}

fn send(pid: u32, signal: i32) {
    // SAFETY is the kernel's: kill(2) by way of nix takes only known names, and not the real-time ones.
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    assert!(status.expect("kill").success());
}

#[test]
fn every_exit_status_is_passed_on() {
    let world = World::new();
    for status in (0..=255).step_by(if is_emulated() { 15 } else { 1 }) {
        assert_eq!(run(&world, &["sh", "-c", &format!("exit {status}")]).code, status);
    }
    world.assert_clean();
}

#[test]
fn a_program_that_a_signal_ends_gives_128_and_its_number() {
    let world = World::new();
    for signal in [1, 2, 4, 6, 7, 8, 9, 11, 13, 14, 15, 31] {
        // Not as process 1, which no signal of its own can end.
        let mut command = world.jec();
        command.args(["run", "--init"]).arg(world.rootfs());
        command.args(["sh", "-c", &format!("kill -{signal} $$")]);
        assert_eq!(Ran::of(command).code, 128 + signal, "signal {signal}");
    }
    world.assert_clean();
}

#[test]
fn a_program_that_cannot_be_started_is_126_or_127_as_in_the_shell() {
    let world = World::new();
    let broken = world.rootfs().join("broken");
    fs::write(&broken, "\u{7f}ELF, or not").expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&broken, mode).expect("mode");
    for (program, code, word) in [
        ("no-such", 127, "ENOENT"),
        ("/no/such", 127, "ENOENT"),
        ("/etc/passwd", 126, "EACCES"),
        ("/etc", 126, "EACCES"),
        ("/etc/passwd/x", 126, "ENOTDIR"),
        ("/broken", 126, "ENOEXEC"),
    ] {
        run(&world, &[program]).fails(code, &[word, "jec: "]);
    }
    world.assert_clean();
}

#[test]
fn what_jec_itself_cannot_do_is_1_and_a_message() {
    let world = World::new();
    for (flags, word) in [
        (&["--workdir", "/proc/1/nowhere"][..], "identity (init)"),
        (&["--volume", "/no/such:/x"], "/no/such"),
        (&["--name", "a", "--user", "nobody-of-that-name"], "nobody-of-that-name"),
    ] {
        let mut command = world.jec();
        command.arg("run").args(flags).arg(world.rootfs()).arg("true");
        Ran::of(command).fails(1, &["jec: ", word]);
    }
    world.assert_clean();
}

#[test]
fn every_signal_that_jec_gets_reaches_the_program() {
    let world = World::new();
    // Not these: KILL and STOP cannot be caught, CHLD and PIPE are about jec's own child and
    // output, the faults are about jec's own code, and TSTP, TTIN, TTOU stop jec with the program.
    let not = [4, 5, 7, 8, 9, 11, 13, 17, 19, 20, 21, 22];
    let signals: Vec<i32> = (1..=31).chain([34, 50, 64]).filter(|n| !not.contains(n)).collect();
    let traps: Vec<_> = signals.iter().map(|n| format!("trap 'echo {n}' {n}; ")).collect();
    let traps = traps.concat();
    let script = format!("{traps} echo ready; while :; do sleep 0.01; done");
    let mut jec = command(&world, &["sh", "-c", &script]);
    let mut jec = jec.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("jec");
    let mut lines = BufReader::new(jec.stdout.take().expect("output")).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    assert_eq!(line(), "ready");
    for signal in signals {
        send(jec.id(), signal);
        assert_eq!(line(), signal.to_string());
    }
    send(jec.id(), 19);
    send(jec.id(), 9);
    jec.wait().expect("its end");
    for pid in processes_with(&world.path("").to_string_lossy()) {
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
    }
}

#[test]
fn a_signal_during_set_up_ends_it_and_leaves_nothing() {
    own_view();
    let world = World::new();
    let program = ["sh", "-c", "sleep 0.2"];
    let traced = |act: &mut (dyn FnMut(&trace::Call) -> Act + Send)| {
        trace(traceable(&world, &[], &program), Duration::from_secs(20), act)
    };
    let calm = traced(&mut |_| Act::Go);
    let count = calm.calls.iter().filter(|call| call.role == JEC).count();
    let mut ended = 0;
    let step = if is_emulated() { 41 } else { 6 };
    for (at, nth) in (1..=count).step_by(step).enumerate() {
        let signal = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT][at % 4];
        let traced = traced(&mut |call| {
            let here = (call.role, call.nth) == (JEC, nth);
            if here { Act::Signal(signal) } else { Act::Go }
        });
        assert!(!traced.hung, "call {nth}");
        // Once the program runs the signal is for it, and process 1 has no handler for it.
        assert!([0, 128 + signal].contains(&traced.code), "call {nth}: {}", traced.code);
        ended += usize::from(traced.code != 0);
        world.assert_clean();
    }
    assert!(ended * step > count / 2, "most of the calls are set-up: {ended} of {count}");
}

#[test]
fn closed_standard_streams_are_no_door_for_other_files() {
    let world = World::new();
    let script =
        format!("{} sh -c 'ls -l /proc/self/fd >/found' 0<&- 1>&- 2>&-", words(&world, ""));
    assert_eq!(shell(&script).code, 0);
    let found = fs::read_to_string(world.rootfs().join("found")).expect("the list");
    let targets = |number: &str| {
        let mut lines = found.lines().filter(|line| line.contains(&format!(" {number} -> ")));
        lines.next().and_then(|line| line.split(" -> ").nth(1)).map(str::to_owned)
    };
    // 1 is the list itself, 3 is ls reading the directory.
    assert_eq!(targets("0").as_deref(), Some("/dev/null"), "{found}");
    assert_eq!(targets("2").as_deref(), Some("/dev/null"), "{found}");
    assert_eq!(targets("4"), None, "{found}");
    world.assert_clean();
}

#[test]
fn a_reader_that_goes_away_ends_the_program() {
    let world = World::new();
    let script = format!("{{ {} yes; echo $? >&2; }} | head -n 1", words(&world, ""));
    let ran = shell(&script).ok();
    assert_eq!(ran.out, "y\n");
    assert!(ran.err.contains("\n1\n"), "{}", ran.err);
    world.assert_clean();
}

#[test]
fn ten_at_once_do_not_disturb_each_other() {
    own_view();
    let world = World::new();
    let mut all = Vec::new();
    for number in 0..10 {
        let mut command =
            command(&world, &["sh", "-c", &format!("sleep 0.3; hostname; exit {number}")]);
        all.push(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("jec"));
    }
    let mut names = std::collections::BTreeSet::new();
    for (number, jec) in all.into_iter().enumerate() {
        let ran = Ran::from(jec.wait_with_output().expect("output"));
        assert_eq!(ran.code, i32::try_from(number).expect("small"));
        names.insert(ran.out);
    }
    assert_eq!(names.len(), 10, "ids are unique");
    world.assert_clean();
}

#[test]
fn sixty_four_created_at_once_all_rest_are_listed_and_are_deleted_at_once() {
    if is_emulated() {
        skip!("emulated, 64 at once take minutes");
    }
    own_view();
    let world = World::new();
    let bundle = world.bundle("gate", common::sh("sleep 1000"));
    let ids: Vec<_> = (0..64).map(|number| world.id(&format!("n{number}"))).collect();
    let each = |words: &[&str]| {
        let begin = |id: &String| {
            let mut command = world.jec();
            command.args(words).arg(id).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().expect("jec")
        };
        let all: Vec<_> = ids.iter().map(begin).collect();
        for mut jec in all {
            assert!(jec.wait().expect("its status").success(), "{words:?}");
        }
    };
    let states = || {
        let list = world.tell(&["list", "--format", "json"]).ok().out;
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).expect("a list");
        let word = |one: &serde_json::Value| one["status"].as_str().expect("a word").to_owned();
        list.iter().map(word).collect::<Vec<_>>()
    };
    each(&["create", "--bundle", &bundle.to_string_lossy()]);
    assert_eq!(states(), vec!["created".to_owned(); 64]);
    each(&["start"]);
    assert_eq!(states(), vec!["running".to_owned(); 64]);
    each(&["delete", "--force"]);
    assert_eq!(states(), Vec::<String>::new());
    world.assert_clean();
}

#[test]
fn of_eight_that_want_one_id_exactly_one_gets_it() {
    own_view();
    let world = World::new();
    let id = world.id("race");
    for round in 0..5 {
        let start = || {
            let mut command = world.jec();
            command.args(["run", "--name", &id]).arg(world.rootfs()).arg("cat");
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().expect("jec")
        };
        let mut all: Vec<_> = (0..8).map(|_| start()).collect();
        // Who has won reads until its input is closed: none of the others comes after its end.
        until("seven have ended", || {
            let ended = all.iter_mut().map(|jec| jec.try_wait().expect("its status"));
            ended.flatten().count() >= 7
        });
        let all = all.into_iter().map(|jec| Ran::from(jec.wait_with_output().expect("output")));
        let (won, lost): (Vec<_>, Vec<_>) = all.partition(|ran| ran.code == 0);
        assert_eq!(won.len(), 1, "round {round}: {lost:?}");
        for ran in lost {
            ran.fails(1, &[&id, "exists"]);
        }
        world.assert_clean();
    }
}

#[test]
fn odd_surroundings_change_nothing() {
    let world = World::new();
    for (name, surroundings) in [
        ("umask", "umask 0777".into()),
        ("signals", "trap '' CHLD PIPE TERM INT HUP USR1".to_owned()),
        ("environment", "export PATH=/nowhere; unset HOME".into()),
    ] {
        let flags = "--workdir /tmp";
        let jec = words(&world, flags);
        // Signals are asked of grep itself: the shell ignores SIGQUIT.
        let script = format!(
            "{surroundings}; {jec} sh -c 'mkdir a; rmdir a; umask; pwd' && \
             {jec} grep -E 'Sig(Blk|Ign)' /proc/self/status"
        );
        let ran = shell(&script);
        assert_eq!(ran.code, 0, "{name}: {}", ran.err);
        let zeros = "0".repeat(16);
        assert_eq!(ran.out, format!("0022\n/tmp\nSigBlk:\t{zeros}\nSigIgn:\t{zeros}\n"), "{name}");
    }
    world.assert_clean();
}

#[test]
fn a_working_directory_that_is_gone_is_told() {
    let world = World::new();
    let gone = world.path("gone");
    let script =
        format!("mkdir {0} && cd {0} && rmdir {0} && {1} true", gone.display(), words(&world, ""));
    shell(&script).fails(1, &["is gone", "cure: cd"]);
    world.assert_clean();
}

#[test]
fn too_few_descriptors_are_an_error_and_leave_nothing() {
    own_view();
    let world = World::new();
    let mut worked = 0;
    for limit in (4..40).rev() {
        // The soft limit only: it is jec's; the program gets what the configuration says.
        let ran = shell(&format!("ulimit -S -n {limit}; {} true", words(&world, "")));
        if ran.code == 0 {
            worked += 1;
        } else {
            ran.fails(1, &["EMFILE"]);
        }
        world.assert_clean();
    }
    assert!((1..36).contains(&worked), "{worked}");
}

#[test]
fn delete_says_what_it_found() {
    let world = World::new();
    let unknown = world.id("unknown");
    world.delete(&[&unknown]).fails(1, &[&unknown, "does not exist"]);
    world.delete(&["--force", &unknown]).ok();
    for bad in ["../state", "a/b", ".", "..", ""] {
        assert_ne!(world.delete(&["--force", bad]).code, 0, "{bad:?}");
    }
    assert!(world.path("state").exists());
}

#[test]
fn a_container_that_is_being_made_is_not_deleted_without_force() {
    let world = World::new();
    let id = world.id("new");
    let jec = traceable(&world, &["--name", &id], &["true"]);
    let mut said = None;
    let traced = trace(jec, Duration::from_secs(20), |call| {
        // While it has its turn, jec waits and has no number of an init yet.
        if call.role == MIDDLE && said.is_none() {
            said = Some(world.delete(&[&id]));
        }
        Act::Go
    });
    said.expect("the middle has begun").fails(1, &["is being made", "--force"]);
    assert_eq!(traced.code, 0);
    world.assert_clean();
}

/// A container whose jec was killed while the program ran.
fn orphan(world: &World, id: &str, user: &str) {
    let root = world.rootfs();
    let words = ["--name", id, "--user", user, &*root.to_string_lossy(), "sleep", "1000"];
    let held = world.hold(&words);
    until("the state says running", || world.state(id)["status"] == "running");
    held.signal(Signal::SIGKILL);
    held.wait();
}

#[test]
fn what_a_killed_jec_leaves_behind_one_forced_delete_removes() {
    own_view();
    let world = World::new();
    // The order to die with jec is lost when ids change (PR_SET_PDEATHSIG): both ways.
    for user in if is_root() { &["0:0", "1000:1000"][..] } else { &["0:0"] } {
        let id = world.id("orphan");
        orphan(&world, &id, user);
        assert!(world.path("state").join(&id).exists());
        world.delete(&["--force", &id]).ok();
        world.assert_clean();
    }
}

#[test]
fn a_state_cut_at_any_length_can_be_deleted_by_force() {
    own_view();
    let world = World::new();
    let id = world.id("cut");
    orphan(&world, &id, "0:0");
    let dir = world.path("state").join(&id);
    let files = ["state.json", "intent.json", "config.json"];
    let whole = files.map(|name| fs::read(dir.join(name)).expect(name));
    for (at, name) in files.iter().enumerate().take(2) {
        for length in (0..whole[at].len()).step_by(3) {
            fs::create_dir(&dir).ok();
            for (name, text) in files.iter().zip(&whole) {
                fs::write(dir.join(name), text).expect("a file");
            }
            fs::write(dir.join(name), &whole[at][..length]).expect("a file");
            world.delete(&["--force", &id]).ok();
            assert!(!dir.exists(), "{name} cut at {length}");
        }
    }
    // The intent was torn, so that nobody knows of the cgroup: it is removed here.
    fs::remove_dir(format!("/sys/fs/cgroup/jec/{id}")).ok();
    world.assert_clean();
}

#[test]
fn a_number_that_another_process_has_by_now_is_not_killed() {
    let world = World::new();
    let id = world.id("reused");
    orphan(&world, &id, "0:0");
    let canary = common::Canary::sleeping();
    let mut canary = canary;
    let mut state = world.state(&id);
    state["pid"] = canary.pid().into();
    let file = world.path("state").join(&id).join("state.json");
    fs::write(&file, state.to_string()).expect("the state");
    world.delete(&[&id]).ok();
    assert!(canary.lives(), "another start time: another process");
    // The other half: with its start time it is taken for the container's.
    orphan(&world, &id, "0:0");
    let stat = fs::read_to_string(format!("/proc/{}/stat", canary.pid())).expect("stat");
    let started = stat.rsplit_once(')').expect("a name").1.split_whitespace().nth(19);
    state["started"] = started.and_then(|field| field.parse::<u64>().ok()).into();
    fs::write(&file, state.to_string()).expect("the state");
    world.delete(&[&id]).fails(1, &["is running"]);
    // And in another boot even that means nothing.
    let intent_file = world.path("state").join(&id).join("intent.json");
    let intent = fs::read_to_string(&intent_file).expect("the intent");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("boot_id");
    fs::write(&intent_file, intent.replace(boot.trim(), "another")).expect("the intent");
    world.delete(&["--force", &id]).ok();
    assert!(canary.lives());
    if is_root() && has_cgroup2() {
        fs::remove_dir(format!("/sys/fs/cgroup/jec/{id}")).ok();
    }
}

/// What a container is from inside, its id left out.
const LOOK: &str = "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Umask)' /proc/self/status; \
    awk '{print $2,$3,$4}' /proc/mounts; cat /proc/self/limits /proc/self/oom_score_adj; \
    env | grep -v HOSTNAME | sort; pwd; ls -l /dev | awk '{print $1,$3,$4,$5,$6}'; \
    readlink /proc/self/ns/net /proc/self/ns/user | wc -l";

#[test]
fn the_spec_that_flags_stand_for_gives_the_same_container() {
    let world = World::new();
    let source = world.path("source");
    fs::create_dir(&source).expect("a directory");
    let volume = format!("{}:/mnt:ro", source.display());
    let root = world.rootfs();
    let root = root.to_string_lossy();
    let sets: &[&[&str]] = &[
        &[],
        &["--hostname", "box", "--domainname", "example"],
        &["--env", "A=b c", "--workdir", "/tmp", "--init"],
        &["--volume", &volume, "--tmpfs", "/scratch:size=1m", "--read-only"],
        &["--cap-drop", "ALL", "--cap-add", "KILL", "--no-new-privs=false"],
        &["--seccomp", "none", "--ulimit", "nofile=100:200", "--ulimit", "core=0"],
        &["--userns", "single"],
        &["--userns", "auto"],
        &["--net", "host", "--oom-score-adj", "500"],
        &["--user", "0:0", "--time-offset", "monotonic=100"],
        &["--sysctl", "net.ipv4.ip_forward=1", "--mount", "type=tmpfs,target=/t"],
    ];
    // Root's ranges are for root to give; without them the flag is refused, with the cure.
    let ranges = fs::read_to_string("/etc/subuid").unwrap_or_default();
    let has_ranges = !is_root() || ranges.contains("root:") || ranges.contains("containers:");
    for flags in sets.iter().filter(|flags| has_ranges || !flags.contains(&"auto")) {
        let id = world.id("spec");
        let mut direct = vec!["--name", &*id];
        if !flags.contains(&"--hostname") {
            direct.extend(["--hostname", "same"]);
        }
        direct.extend(*flags);
        let direct: Vec<&str> = direct.into_iter().chain([&*root, "sh", "-c", LOOK]).collect();
        let from_flags = world.run(&direct).ok();
        let mut spec = world.jec();
        spec.arg("spec").args(&direct);
        let spec = Ran::of(spec).ok();
        let bundle = world.path("spec");
        fs::create_dir_all(&bundle).expect("the bundle");
        fs::write(bundle.join("config.json"), spec.out).expect("config.json");
        let from_spec = world.run(&["--bundle", &bundle.to_string_lossy(), &id]).ok();
        assert_eq!(from_spec.out, from_flags.out, "{flags:?}");
        assert!(from_flags.out.contains("Seccomp:"), "{}", from_flags.out);
    }
    world.assert_clean();
}

#[test]
fn a_learner_needs_no_word_but_run() {
    let world = World::new();
    let mut jec = world.jec();
    jec.args(["run"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut jec = jec.spawn().expect("jec");
    std::io::Write::write_all(&mut jec.stdin.take().expect("input"), b"echo $$; id -u; exit 9\n")
        .expect("write");
    let ran = Ran::from(jec.wait_with_output().expect("output"));
    assert_eq!((ran.code, &*ran.out), (9, "1\n0\n"));
    world.assert_clean();
}

/// A program that leaves orphans, and counts the zombies among the processes.
const ORPHANS: &str = "for n in 1 2 3 4 5; do sh -c 'sleep 0.05 & exit'; done; sleep 0.3; \
    ps -o stat | grep -c Z";

#[test]
fn init_reaps_orphans_and_without_it_they_stay_zombies() {
    let world = World::new();
    let zombies = |flags: &[&str]| {
        let mut command = world.jec();
        // A shell reaps whatever it waits for, so process 1 is one that waits for nothing.
        let script = format!("sh -c \"{ORPHANS}\" & exec sleep 0.8");
        command.arg("run").args(flags).arg(world.rootfs()).args(["sh", "-c", &script]);
        Ran::of(command).out
    };
    assert_eq!(zombies(&["--init"]), "0\n");
    assert_eq!(zombies(&[]), "5\n");
    world.assert_clean();
}

#[test]
fn process_1_without_a_handler_does_not_hear_a_signal_and_with_init_it_does() {
    let world = World::new();
    let ends = |flags: &[&str], seconds: &str| {
        let root = world.rootfs();
        let root = root.to_string_lossy();
        let id = world.id("deaf");
        let words: Vec<&str> = ["--name", &id]
            .into_iter()
            .chain(flags.iter().copied())
            .chain([&*root, "sleep", seconds])
            .collect();
        let held = world.hold(&words);
        if flags.contains(&"--init") {
            until("sleep runs", || !children(held.pid).is_empty());
        }
        held.signal(Signal::SIGTERM);
        held.wait().code
    };
    assert_eq!(ends(&[], "2"), 0, "it slept to its end");
    assert_eq!(ends(&["--init"], "300"), 128 + 15);
    world.assert_clean();
}

fn children(pid: i32) -> Vec<i32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn a_stopped_jec_stops_its_container_and_goes_on_with_it() {
    let world = World::new();
    let held = world.hold(&[&*world.rootfs().to_string_lossy(), "sleep", "60"]);
    let state = |pid: i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
    };
    held.signal(Signal::SIGTSTP);
    until("both are stopped", || [held.pid, held.jec_pid()].map(state) == [Some('T'); 2]);
    held.signal(Signal::SIGCONT);
    until("both go on", || [held.pid, held.jec_pid()].map(state) == [Some('S'); 2]);
    assert_eq!(held.wait_after_kill().code, 137);
    world.assert_clean();
}

#[test]
fn the_command_line_of_ps_says_what_each_process_is() {
    let world = World::new();
    let jec = traceable(&world, &[], &["true"]);
    let mut names = std::collections::BTreeSet::new();
    trace(jec, Duration::from_secs(20), |call| {
        let comm = fs::read_to_string(format!("/proc/{}/comm", call.pid)).unwrap_or_default();
        names.insert((call.role, comm.trim().to_owned()));
        Act::Go
    });
    for (role, name) in [(1, "jec:[1:MIDDLE]"), (2, "jec:[2:INIT]")] {
        assert!(names.contains(&(role, name.into())), "{names:?}");
    }
}

#[test]
fn a_jec_in_a_process_group_without_a_leader_still_reads_its_input() {
    let world = World::new();
    let mut jec = command(&world, &["cat"]);
    jec.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut jec = jec.spawn().expect("jec");
    std::io::Write::write_all(&mut jec.stdin.take().expect("input"), b"hello\n").expect("write");
    let mut out = String::new();
    jec.stdout.take().expect("output").read_to_string(&mut out).expect("text");
    assert_eq!((out.as_str(), jec.wait().expect("its end").success()), ("hello\n", true));
}
