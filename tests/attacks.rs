//! `jec attack`: both halves of each attack; that each wall alone holds; and that the matrix turns
//! red where one is missing.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{Host, Ran, World, is_emulated, is_root, jec_path};
use jec::attacks::ATTACKS;
use jec::attacks::programs::{Attack, openings};
use jec::skip::{CAN, CANNOT};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// What the kernel has once, for all namespaces, one test at a time may change.
static KERNEL: Mutex<()> = Mutex::new(());
const CHANGES_THE_KERNEL: [&str; 4] = ["sysrq", "kernel-setting", "core-pattern", "clock"];

fn kernel() -> MutexGuard<'static, ()> {
    KERNEL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A test for each attack, so that each is counted by itself where it is skipped.
macro_rules! attacks {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            if let Some(reason) = attacked(stringify!($name)) {
                skip!("{reason}");
            }
        })*

        #[test]
        fn every_attack_has_its_test() {
            let tests = [$(stringify!($name)),*].map(|name| name.replace('_', "-"));
            let names = ATTACKS.iter().map(|attack| attack.name.to_owned());
            assert_eq!(names.collect::<BTreeSet<_>>(), tests.into_iter().collect());
        }
    };
}

attacks! {
    signal ptrace processes host_name mount_leak chroot old_root disk sysrq kernel_setting
    core_pattern release_agent fork_bomb memory_hog cpu_hog own_limit file_hog descriptor
    runtime_binary image_link below_read_only set_uid_volume set_uid_program root_file
    user_namespace clone3 thirty_two_bit terminal keyring message_queue pod abstract_socket raw_socket
    module clock kernel_log
}

fn tell(args: &[&str]) -> Ran {
    let mut command = Command::new(jec_path());
    command.arg("attack").args(args).stdin(Stdio::null());
    Ran::of(command)
}

/// Its row, and the exit status. Only the lab machine is made to be broken.
fn row(name: &str, rest: &[&str]) -> (Value, i32) {
    let lab: &[&str] = if is_emulated() { &["--break-this-machine"] } else { &[] };
    let ran = tell(&[&[name, "--json"], lab, rest].concat());
    let mut rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(rows.len(), 1, "{rows:?}");
    (rows.remove(0), ran.code)
}

/// Both halves. And where the machine is quick, or no other has what it takes: with all that stops
/// it left out the verdict is that it succeeded; with all but one, that it did not.
fn attacked(test: &str) -> Option<String> {
    let name = test.replace('_', "-");
    let attack = ATTACKS.iter().find(|attack| attack.name == name).expect("an attack");
    let _kernel = CHANGES_THE_KERNEL.contains(&&*name).then(kernel);
    let (seen, code) = row(&name, &[]);
    if let Some(reason) = seen["skipped"].as_str() {
        assert_eq!(code, 0);
        return Some(format!("{name}: {reason}"));
    }
    assert_eq!(seen["withEverything"]["answer"], attack.predicted, "{seen:#}");
    assert_eq!(seen["withEverything"]["harm"], Value::Null, "{seen:#}");
    assert!(seen["withoutIt"]["harm"].is_string(), "{seen:#}");
    assert_eq!((seen["asPredicted"].clone(), code), (true.into(), 0), "{seen:#}");
    let is_common = attack.needs.split_whitespace().all(|need| ["root", "ids"].contains(&need));
    if !is_emulated() || !is_common {
        walls(attack);
    }
    None
}

fn walls(attack: &Attack) {
    let (seen, code) = row(attack.name, &["--skip", attack.without]);
    assert!(seen["withEverything"]["harm"].is_string(), "{seen:#}");
    assert_eq!((seen["asPredicted"].clone(), code), (false.into(), 1), "{seen:#}");
    for wall in attack.stops() {
        let others: Vec<_> = attack.stops().into_iter().filter(|word| *word != wall).collect();
        if others.is_empty() || is_no_wall(attack.name, wall) {
            continue;
        }
        let (seen, code) = row(attack.name, &["--skip", &others.join(",")]);
        assert_eq!(code, 0, "{wall} alone: {seen:#}");
    }
}

/// Where everybody may read the kernel's messages, no capability is asked for; and the cgroup
/// namespace is a wall only where the tree was mounted to make it one.
fn is_no_wall(name: &str, wall: &str) -> bool {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    match (name, wall) {
        ("kernel-log", "bounding" | "no-new-privs") => {
            read("/proc/sys/kernel/dmesg_restrict").trim() == "0"
        }
        ("own-limit", "cgroup-namespace") => !read("/proc/mounts").contains("nsdelegate"),
        _ => false,
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/attacks")
}

#[test]
fn the_list_the_files_and_the_readme_are_the_table() {
    let names: Vec<_> = ATTACKS.iter().map(|attack| attack.name).collect();
    assert!(names.len() >= 25, "{names:?}");
    let list = tell(&["--list"]).ok().out;
    assert_eq!(list.lines().collect::<Vec<_>>(), names);
    let readme = fs::read_to_string(examples().join("README.md")).expect("the README");
    let rows = readme.lines().filter(|line| line.starts_with("| ["));
    assert_eq!(rows.clone().count(), ATTACKS.len());
    for (row, attack) in rows.zip(ATTACKS) {
        let cells: Vec<_> = row.trim_matches(['|', ' ']).split(" |").map(str::trim).collect();
        let link = format!("[{0}]({0}.rs)", attack.name);
        let needs = cells.get(5).copied().unwrap_or_default();
        assert_eq!(
            [cells[0], cells[2], cells[3], needs],
            [&link, attack.without, attack.predicted, attack.needs]
        );
    }
    let files = fs::read_dir(examples()).expect("examples/attacks").flatten();
    let files = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let programs = files.filter_map(|file| file.strip_suffix(".rs").map(str::to_owned));
    let mut programs: Vec<_> =
        programs.filter(|name| !["mod", "host", "openings"].contains(&&**name)).collect();
    programs.sort();
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(programs, sorted);
}

/// A slide has room for fifty lines; and each says what stops it, and how it fails.
#[test]
fn each_program_is_short_and_says_what_stops_it() {
    for attack in ATTACKS {
        let text = fs::read_to_string(examples().join(format!("{}.rs", attack.name))).expect("it");
        let lines = text.lines().count();
        assert!((15..=50).contains(&lines), "{}: {lines} lines", attack.name);
        let doc: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
        let doc = doc.join(" ").replace("  ", " ");
        assert!(doc.contains("Stopped "), "{}", attack.name);
        let predicted = attack.predicted.replace("no harm", "o call fails");
        assert!(doc.contains(&predicted), "{}: {predicted} is not in {doc}", attack.name);
    }
}

#[test]
fn what_is_left_out_is_a_stage_or_an_opening() {
    for attack in ATTACKS {
        for word in attack.stops() {
            assert!(openings::word(word).is_ok(), "{}: {word}", attack.name);
        }
    }
}

/// Those that set up rather than keep out, and why nobody attacks them.
#[rustfmt::skip]
const WITHOUT_AN_ATTACK: &[(&str, &str)] = &[
    ("time-namespace", "it gives clocks, and takes none away: clock"),
    ("resctrl", "a share of the caches: what it keeps off is slowness, on processors that can divide them"),
    ("net-devices", "it gives devices"),
    ("network", "it brings loopback up"),
    ("hooks-runtime", "programs of the configuration, which is trusted"),
    ("hooks-container", "programs of the configuration, which is trusted"),
    ("hooks-start", "programs of the configuration, which is trusted"),
    ("hooks-poststart", "programs of the configuration, which is trusted"),
    ("kernel-params", "it names the container; what keeps the host's name is the namespace: host-name"),
    ("scheduling", "it gives priorities; what keeps others safe is the cgroup: cpu-hog"),
    ("labels", "the module of the kernel protects, and its policy is not jec's"),
];

#[test]
fn every_stage_that_can_be_left_out_has_an_attack_or_a_reason() {
    for can in CAN {
        let attacked = ATTACKS.iter().any(|attack| attack.stops().contains(&can.name));
        let excused = WITHOUT_AN_ATTACK.iter().any(|(name, _)| *name == can.name);
        assert!(attacked != excused, "{}", can.name);
    }
    // Of those that cannot, two protect; openat2 is how `mounts` does.
    for word in ["propagation", "openat2", "rro"] {
        assert!(ATTACKS.iter().any(|attack| attack.stops().contains(&word)), "{word}");
    }
    assert!(CANNOT.iter().any(|(name, _)| *name == "propagation"));
}

#[test]
fn the_matrix_turns_red_where_a_wall_is_missing() {
    let ran = tell(&["old-root", "--skip", "pivot-root"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("SUCCEEDED: it knows the host's secret"), "{}", ran.out);
    assert!(ran.out.contains("0 as predicted, 1 not, 0 skipped; host: "), "{}", ran.out);
    let ran = tell(&["old-root", "--skip", "seccomp,masks"]).ok();
    assert!(ran.out.contains("without seccomp,masks: ENOENT"), "{}", ran.out);
}

/// Without jec's own comparison: the host's file, and what a container says of it.
#[test]
fn the_host_is_reached_without_pivot_root_alone() {
    let world = World::new();
    fs::write(world.path("secret"), "of the host").expect("the canary");
    let own = jec_path();
    let bind = format!("{0}:{0}:ro", own.display());
    let host = format!("JEC_HOST={}", world.path("").display());
    let run = |skip: &[&str]| {
        let rest = ["--no-tty", "--volume", &bind, "-e", &host, "--"];
        let inside = [own.to_str().expect("UTF-8"), "attack", "--inside", "old-root"];
        world.run(&[skip, &rest, &inside].concat())
    };
    let ran = run(&[]);
    assert_eq!(
        (ran.code, &*ran.out),
        (nix::errno::Errno::ENOENT as i32, "ENOENT\n"),
        "{}",
        ran.err
    );
    assert_eq!(run(&["--skip", "pivot-root"]).ok().out, "reached: of the host\n");
    world.assert_clean();
}

/// Without pivot-root the container's tree, which is made of /usr, lies over the host's.
#[test]
fn jec_may_be_installed_below_usr() {
    if !is_root() {
        skip!("only root may mount over a directory of /usr");
    }
    let mut command = Command::new("unshare");
    let script =
        "mount -t tmpfs jec /usr/local; cp \"$1\" /usr/local; /usr/local/jec attack chroot";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(jec_path()).stdin(Stdio::null());
    let ran = Ran::of(command).ok();
    assert!(ran.out.contains("1 as predicted, 0 not, 0 skipped"), "{}", ran.out);
}

/// What an attack could leave behind on this machine.
fn traces(temporary: &Path) -> Vec<String> {
    let entries = [temporary, Path::new("/run")].map(fs::read_dir).into_iter().flatten();
    let names = entries.flatten().flatten().map(|entry| entry.file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let mounts = Host::now().mounts.into_iter();
    let mut traces: Vec<_> = names.chain(mounts).filter(|name| name.contains("attack-")).collect();
    for file in ["kernel/hostname", "fs/lease-break-time", "kernel/core_pattern"] {
        traces.push(fs::read_to_string(Path::new("/proc/sys").join(file)).unwrap_or_default());
    }
    traces
}

/// The process in which all is made; none once it has ended.
fn machine_of(pid: u32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Killed, it cleans up nothing itself; but what is root's ends with its namespaces.
#[test]
fn a_signal_ends_it_and_nothing_stays_behind() {
    let _kernel = kernel();
    let world = World::new();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        if signal == Signal::SIGKILL && !is_root() {
            continue;
        }
        let before = traces(&world.path(""));
        let mut command = Command::new(jec_path());
        command.args(["attack", "--all"]).env("TMPDIR", world.path(""));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut jec = command.spawn().expect("jec");
        let mut said = BufReader::new(jec.stdout.take().expect("its output"));
        said.read_line(&mut String::new()).expect("a line");
        let machine = machine_of(jec.id()).expect("its machine");
        kill(Pid::from_raw(jec.id().cast_signed()), signal).expect("kill");
        let ended = Ran::from(jec.wait_with_output().expect("its end"));
        assert_eq!(ended.code, 128 + signal as i32, "{}", ended.err);
        common::until("its machine has ended", || {
            let state = fs::read_to_string(format!("/proc/{machine}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        });
        assert_eq!(traces(&world.path("")), before);
    }
    world.assert_clean();
}

#[test]
fn every_line_fits_a_terminal_and_has_no_colour_in_a_pipe() {
    let _kernel = kernel();
    // Those with the longest lines, where all take minutes.
    let longest: &[&str] = &["host-name", "module", "set-uid-volume"];
    for name in if is_emulated() { longest } else { &["--all"] } {
        let ran = tell(&[name]).ok();
        for line in ran.out.lines() {
            assert!(line.chars().count() <= 80 && !line.contains('\x1b'), "{line:?}");
        }
        let host =
            if is_root() { "own mount, uts, ipc and pid namespaces" } else { "this machine" };
        assert!(ran.out.ends_with(&format!(" skipped; host: {host}\n")), "{}", ran.out);
    }
}

#[test]
fn what_is_no_attack_says_so() {
    tell(&["nothing"]).fails(1, &["no such attack", "--list"]);
    tell(&[]).fails(2, &["<NAME>"]);
    tell(&["signal", "--skip", "nothing"]).fails(2, &["no such stage"]);
    tell(&["signal", "--skip", "exec"]).fails(2, &["cannot be left out"]);
    tell(&["signal", "--skip", "+pod"]).fails(2, &["no such stage"]);
}
