//! Runs the programs of `examples/lessons` and `examples/museum`: they print what their README
//! says, nothing of them is left, and they notice it when a call has done nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use super::{Ran, is_root, until};

/// The exit status of a program that has nothing to show on this machine.
const CANNOT_SHOW: i32 = 77;

/// Two tests for each program of a directory, and one that none of the directory is forgotten.
///
/// What follows the name is the lie: a call that answers 0 and is not carried out, where it needs
/// to be told from others by an argument with that.
#[macro_export]
macro_rules! examples {
    ($dir:literal: $($name:ident $(: $call:ident $(, argument $index:literal = $value:expr)?)?;)*) => {
        $(mod $name {
            #[test]
            fn holds_and_leaves_nothing_behind() {
                if let Some(reason) = $crate::common::example::run($dir, stringify!($name)) {
                    $crate::skip!("{reason}");
                }
            }

            $(#[test]
            fn fails_when_the_kernel_lies() {
                use nix::libc;
                let arguments = &[$(($index, $value as u64))?];
                let name = stringify!($name);
                if let Some(reason) = $crate::common::example::lie_to(name, libc::$call, arguments) {
                    $crate::skip!("{reason}");
                }
            })?
        })*

        #[test]
        fn each_program_has_its_tests_its_row_in_the_readme_and_its_name_in_the_manifest() {
            $crate::common::example::compare($dir, &[$(stringify!($name)),*]);
        }
    };
}

/// Runs a program as it is. Why it has nothing to show here, if so.
pub fn run(dir: &str, name: &str) -> Option<String> {
    let before = traces();
    let world = tempfile::tempdir().expect("a directory");
    let mark = format!("JEC_EXAMPLE={}", world.path().display());
    let ran = Ran::of(command(name, world.path()));
    let left: Vec<_> = fs::read_dir(world.path()).expect("a directory").flatten().collect();
    assert!(left.is_empty(), "{name} left {left:?}");
    // The kernel kills what a pid namespace still has, in its own time.
    until("the processes have ended", || processes_with(&mark).is_empty());
    // Another test may have something right now; what stays is left behind.
    until("nothing is left behind", || traces().is_subset(&before));
    if ran.code == CANNOT_SHOW {
        return Some(reason(&ran));
    }
    let ran = ran.ok();
    let row = &rows(dir)[&name.replace('_', "-")];
    assert!(ran.out.lines().any(|line| matches(row, line)), "{row:?} is not in:\n{}", ran.out);
    if dir == "museum" {
        let labels = ["believed: ", "seen: ", "mended: "]
            .map(|label| ran.out.lines().position(|line| line.starts_with(label)).expect(label));
        assert!(labels.is_sorted(), "{}", ran.out);
    }
    None
}

/// Runs a program on a kernel that lies: it has to fail. Why it cannot here, if so.
pub fn lie_to(name: &str, call: i64, arguments: &[(u8, u64)]) -> Option<String> {
    let world = tempfile::tempdir().expect("a directory");
    let (filter, mut command) = (filter(call, arguments), command(name, world.path()));
    #[allow(unsafe_code)]
    // SAFETY: two system calls, and nothing that another thread of ours could hold.
    unsafe {
        command.pre_exec(move || apply_filter(&filter).map_err(std::io::Error::other));
    }
    let ran = Ran::of(command);
    if ran.code == CANNOT_SHOW {
        // A process with a filter gains nothing by newuidmap, which an ordinary user would need.
        assert!(run_here(name) == CANNOT_SHOW || !is_root(), "{}", ran.out);
        return Some(reason(&ran));
    }
    ran.fails(1, &["Error: "]);
    None
}

/// Runs a program where the cgroups are plain files, which limit nothing: it has to fail.
pub fn fails_on_false_cgroups(name: &str) -> Option<String> {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "--cgroup"]);
        command
    };
    let mut alone = unshare();
    alone.arg("true");
    let tried = Ran::of(alone);
    if tried.code != 0 {
        return Some(format!("no user namespace: {}", tried.err.trim()));
    }
    let script = "mount -t tmpfs false /sys/fs/cgroup &&
        echo memory >/sys/fs/cgroup/cgroup.subtree_control && exec \"$0\"";
    let mut command = unshare();
    command.args(["sh", "-c", script]).arg(program(name));
    Ran::of(command).fails(1, &["Error: "]);
    None
}

fn reason(skipped: &Ran) -> String {
    let line = skipped.out.lines().find_map(|line| line.strip_prefix("skipped: "));
    line.expect("a reason").to_owned()
}

fn run_here(name: &str) -> i32 {
    let world = tempfile::tempdir().expect("a directory");
    Ran::of(command(name, world.path())).code
}

fn filter(call: i64, arguments: &[(u8, u64)]) -> BpfProgram {
    let rule = |(index, value): &(u8, u64)| {
        let equal = (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq);
        let condition =
            SeccompCondition::new(*index, equal.0, equal.1, *value).expect("a condition");
        SeccompRule::new(vec![condition]).expect("a rule")
    };
    let rules = [(call, arguments.iter().map(rule).collect())].into();
    let arch = std::env::consts::ARCH.try_into().expect("an architecture");
    // "Fails" with errno 0: that is success, and the call is not carried out.
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(0), arch).expect("ok");
    filter.try_into().expect("a program")
}

/// The directory, this test file, the README and Cargo.toml name the same programs.
pub fn compare(dir: &str, tested: &[&str]) {
    let entries = fs::read_dir(here("examples").join(dir)).expect("the directory").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> =
        names.filter_map(|name| name.strip_suffix(".rs").map(str::to_owned)).collect();
    names.sort();
    let mut tested: Vec<_> = tested.iter().map(|name| name.replace('_', "-")).collect();
    tested.sort();
    assert_eq!(names, tested, "tests/{dir}.rs");
    assert_eq!(names, rows(dir).into_keys().collect::<Vec<_>>(), "examples/{dir}/README.md");
    let manifest = fs::read_to_string(here("Cargo.toml")).expect("Cargo.toml");
    for name in names {
        let path = format!("name = \"{name}\"\npath = \"examples/{dir}/{name}.rs\"");
        assert!(manifest.contains(&path), "Cargo.toml has no example {name}");
        // What `cargo run --example` calls like this is no bundle of a stage.
        assert!(!here("examples").join(&name).exists(), "examples/{name}");
        let source = fs::read_to_string(here("examples").join(dir).join(format!("{name}.rs")));
        let source = source.expect("the source");
        assert!(!source.contains("jec::"), "{name} uses the library");
        let opening = source.lines().take_while(|line| line.starts_with("//!")).count();
        assert!((3..=6).contains(&opening), "{name} begins with {opening} lines");
        let code = source.lines().map(str::trim);
        let code = code.filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        assert!((30..=80).contains(&code), "{name} has {code} lines of code");
    }
}

/// The rows of the README: the name, and a line that is printed, with [..] for what differs.
fn rows(dir: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(here("examples").join(dir).join("README.md")).expect("README.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ["));
    let row = |row: &str| {
        let name = row.split(']').next().expect("a name").to_owned();
        let command = format!("`cargo run --example {name}`");
        assert!(row.contains(&command), "{row}: no {command}");
        let printed = row.trim_end().trim_end_matches('|').rsplit(" | ").next().expect("a cell");
        (name, printed.trim().trim_matches('`').to_owned())
    };
    rows.map(row).collect()
}

/// Whether a line is this pattern, with anything where [..] stands.
fn matches(pattern: &str, line: &str) -> bool {
    let Some((first, others)) = pattern.split_once("[..]") else { return line == pattern };
    let Some(rest) = line.strip_prefix(first) else { return false };
    rest.char_indices().map(|(at, _)| &rest[at..]).chain([""]).any(|rest| matches(others, rest))
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn command(name: &str, temporary: &Path) -> Command {
    let mut command = Command::new(program(name));
    command.env("TMPDIR", temporary).env("JEC_EXAMPLE", temporary).stdin(Stdio::null());
    command
}

/// Where cargo puts it. Where there is cargo, it is told to: `cargo test --test NAME` is not.
fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let jec = Path::new(env!("CARGO_BIN_EXE_jec"));
    BUILT.get_or_init(|| {
        let Some(cargo) = std::env::var_os("CARGO") else { return };
        let release = jec.components().any(|part| part.as_os_str() == "release");
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--examples", "--profile"]).current_dir(here(""));
        command.arg(if release { "release" } else { "dev" });
        Ran::of(command).ok();
    });
    let program = jec.with_file_name("examples").join(name.replace('_', "-"));
    assert!(program.exists(), "{} is made by cargo build --examples", program.display());
    program
}

/// What such programs make, and could leave on the host.
fn traces() -> BTreeSet<String> {
    let mut traces = BTreeSet::new();
    // Whole lines, with the mount's number: a second mount on the same place is one more.
    for line in fs::read_to_string("/proc/thread-self/mountinfo").expect("mounts").lines() {
        let point = line.split(' ').nth(4).unwrap_or_default();
        let theirs = point.starts_with("/tmp/") && !point.contains("jec-test-");
        if theirs || ["/", "/dev", "/proc", "/tmp"].contains(&point) {
            traces.insert(line.to_owned());
        }
    }
    for line in fs::read_to_string("/proc/net/dev").expect("devices").lines() {
        let name = line.split(':').next().unwrap_or_default().trim();
        if ["left", "right"].contains(&name) {
            traces.insert(format!("device {name}"));
        }
    }
    let look = "find /sys/fs/cgroup -name 'lesson-*' -o -name 'demo-*'; ls -d /dev/museum-*";
    let found = Command::new("sh").args(["-c", look]).output().expect("sh");
    traces.extend(String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned));
    traces
}

/// Processes that have this in their environment, and were not reaped.
fn processes_with(mark: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let has = |path: &PathBuf| {
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    entries.map(|entry| entry.path()).filter(has).map(|path| path.display().to_string()).collect()
}
