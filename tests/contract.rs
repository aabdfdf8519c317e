//! The contract (DESIGN.md, section 6): what must stay true of the source itself.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Ran, jec_path};

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = here().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files below src, relative to the repository.
fn sources() -> Vec<PathBuf> {
    let (mut found, mut to_do) = (Vec::new(), vec![here().join("src")]);
    while let Some(dir) = to_do.pop() {
        for entry in fs::read_dir(dir).expect("a directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                to_do.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path.strip_prefix(here()).expect("below").to_owned());
            }
        }
    }
    found.sort();
    assert!(found.len() > 50, "{found:?}");
    found
}

/// The modules of STAGES, in its order, as `jec stages --json` tells them.
fn modules() -> Vec<String> {
    let ran = Ran::of({
        let mut command = Command::new(jec_path());
        command.args(["stages", "--json"]);
        command
    });
    let stages: Vec<serde_json::Value> = serde_json::from_str(&ran.ok().out).expect("JSON");
    let mut modules = Vec::new();
    for stage in stages {
        let module = stage["chapter"].as_str().expect("a name").to_owned();
        if !modules.contains(&module) {
            modules.push(module);
        }
    }
    assert!(modules.len() > 30, "{modules:?}");
    modules
}

/// A file without comments, strings, and what is compiled for tests only: what is left are code lines.
fn code(path: &Path) -> Vec<String> {
    if path.to_string_lossy().contains("tests") {
        return Vec::new();
    }
    let text = read(path);
    let mut lines = Vec::new();
    let mut for_tests = false;
    for line in text.lines().map(without_comment_and_strings) {
        // rustfmt ends an item of the outermost level with `;` or a brace in the first column.
        let ends =
            line == "}" || (for_tests && !line.starts_with([' ', '#']) && line.ends_with(';'));
        for_tests |= line.trim() == "#[cfg(test)]";
        if !for_tests && !line.trim().is_empty() {
            lines.push(line);
        }
        for_tests &= !ends;
    }
    lines
}

/// Good for this source, which has no raw string with a quote in it and no comment between words.
fn without_comment_and_strings(line: &str) -> String {
    let (mut out, mut characters, mut quoted) = (String::new(), line.chars().peekable(), false);
    while let Some(character) = characters.next() {
        match character {
            '\\' if quoted => drop(characters.next()),
            '"' => quoted = !quoted,
            '/' if !quoted && characters.peek() == Some(&'/') => break,
            // The character literal '"'.
            '\'' if !quoted && characters.next_if_eq(&'"').is_some() => {}
            _ if !quoted => out.push(character),
            _ => {}
        }
    }
    out
}

fn braces(line: &str) -> i32 {
    let count = |wanted| i32::try_from(line.matches(wanted).count()).expect("few");
    count('{') - count('}')
}

#[test]
fn every_stage_has_its_module_its_test_and_its_example() {
    let mut missing = Vec::new();
    for module in modules() {
        let file = module.replace('-', "_");
        let wanted = [
            format!("src/stages/{file}.rs"),
            format!("tests/stage_{file}.rs"),
            format!("examples/{module}/config.json"),
            format!("examples/{module}/README.md"),
        ];
        missing.extend(wanted.into_iter().filter(|path| !here().join(path).is_file()));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn no_test_and_no_example_is_of_a_stage_that_does_not_exist() {
    let modules = modules();
    let tests = fs::read_dir(here().join("tests")).expect("tests").flatten();
    let tests = tests.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        Some(name.strip_prefix("stage_")?.strip_suffix(".rs")?.replace('_', "-"))
    });
    let stale: Vec<_> = tests.filter(|name| !modules.contains(name)).collect();
    assert!(stale.is_empty(), "{stale:?}");
    let examples = fs::read_dir(here().join("examples")).expect("examples").flatten();
    let bundles = examples.filter(|entry| entry.path().join("config.json").is_file());
    for bundle in bundles {
        let name = bundle.file_name().to_string_lossy().into_owned();
        assert!(modules.contains(&name), "examples/{name}");
    }
}

#[test]
fn an_example_is_explained_in_at_most_fifteen_lines_and_run_by_its_test() {
    for module in modules() {
        let lines = read(format!("examples/{module}/README.md")).lines().count();
        assert!((3..=15).contains(&lines), "examples/{module}/README.md: {lines} lines");
        let test = read(format!("tests/stage_{}.rs", module.replace('-', "_")));
        assert!(test.contains(&format!("\"{module}\"")), "the test of {module} does not run it");
        let config = read(format!("examples/{module}/config.json"));
        let config: serde_json::Value = serde_json::from_str(&config).expect(&module);
        assert_eq!(config["root"]["path"], "rootfs", "{module}");
    }
}

#[test]
fn every_stage_module_begins_with_a_text_of_at_most_twelve_lines_that_names_its_side() {
    for module in modules() {
        let text = read(format!("src/stages/{}.rs", module.replace('-', "_")));
        let doc: Vec<_> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!((4..=12).contains(&doc.len()), "{module}: {} lines", doc.len());
        let doc = doc.join(" ").replace("//!", "");
        let doc = doc.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in ["Side: ", "Without ", "See "] {
            assert!(doc.contains(word), "{module} has no {word:?}");
        }
    }
}

#[test]
fn no_file_is_longer_than_250_lines_of_code() {
    let long: Vec<_> = sources()
        .iter()
        .map(|path| (path.display().to_string(), code(path).len()))
        .filter(|(_, lines)| *lines > 250)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_function_is_longer_than_60_lines_of_code() {
    let mut long = Vec::new();
    let mut seen = 0;
    for path in sources() {
        let lines = code(&path);
        let starts = lines.iter().enumerate().filter(|(_, line)| is_function(line));
        for (at, name) in starts {
            let mut depth = 0;
            let mut begun = false;
            let length = lines[at..].iter().take_while(|line| {
                let goes_on = !begun || depth > 0;
                depth += braces(line);
                begun |= line.contains('{') || line.ends_with(';');
                goes_on
            });
            let length = length.count();
            seen += 1;
            if length > 60 {
                long.push(format!("{}: {} has {length} lines", path.display(), name.trim()));
            }
        }
    }
    assert!(seen > 500, "only {seen} functions found");
    assert!(long.is_empty(), "{long:#?}");
}

fn is_function(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().take(4).collect();
    words.iter().take_while(|word| **word != "=").any(|word| *word == "fn")
}

/// What each part may have, in lines of code, and where it lives. Two front ends
/// make a plan: the command line, and the reading of config.json (which crun and youki
/// leave to a library). What explains (the texts of --explain, of errors, of `jec stages`)
/// is for the reader. Engines ask more than a user does. systemd is asked for a cgroup, over
/// D-Bus, where somebody wants that; the kernel is asked for network devices, over rtnetlink, and
/// for a share of the caches, in resctrl. Archives are unpacked before anybody thinks of a container.
/// The runtime is what happens to the plan: a weekend's
/// reading, for which 5,500 lines are the goal. A number is to be lowered with every deletion.
/// The microscope (`--trace`) looks at all of them, and the tour shows that on a terminal; a line
/// [`ON_ITS_BEHALF`] is the microscope's, wherever.
const BUDGETS: [(&str, usize, &[&str]); 16] = [
    (
        "unpacking archives",
        1700,
        &[
            "src/images/mod.rs",
            "src/images/bar.rs",
            "src/images/mapped.rs",
            "src/images/partial.rs",
            "src/images/remove.rs",
            "src/images/unpack",
            "src/commands/unpack.rs",
            "src/cli/images.rs",
            "src/sys/entries.rs",
            "src/sys/interrupt.rs",
        ],
    ),
    (
        "copy on write",
        655,
        &[
            "src/stages/overlay.rs",
            "src/plan/config/overlay.rs",
            "src/sys/xattr.rs",
            "src/plan/flags/overlay.rs",
            "src/images/changes.rs",
            "src/images/commit.rs",
            "src/commands/image_changes.rs",
            "src/cli/image_changes.rs",
        ],
    ),
    (
        "asking registries",
        850,
        &["src/images/pull", "src/commands/pull.rs", "src/cli/pull.rs", "src/sys/hosts.rs"],
    ),
    (
        "images",
        1825,
        &[
            "src/images",
            "src/commands/image.rs",
            "src/cli/image.rs",
            "src/plan/flags/image.rs",
            "src/sys/layers.rs",
        ],
    ),
    ("the tour", 1080, &["src/microscope/tour"]),
    (
        "the microscope",
        2570,
        &[
            "src/microscope",
            "src/sys/board.rs",
            "src/sys/rest.rs",
            "src/sys/trace.rs",
            "src/commands/inspect.rs",
            "src/commands/diff.rs",
        ],
    ),
    ("sharing caches", 170, &["src/stages/resctrl", "src/plan/config/intel_rdt.rs"]),
    (
        "the command line",
        2730,
        &["src/main.rs", "src/cli", "src/plan/flags", "src/commands/spec.rs"],
    ),
    ("reading config.json", 1565, &["src/plan/config"]),
    (
        "explaining",
        611,
        &[
            "src/advice",
            "src/stages/order",
            "src/sys/arguments",
            "src/sys/record",
            "src/commands/stages",
            "src/commands/time",
        ],
    ),
    (
        "what engines ask for",
        530,
        &[
            "src/log.rs",
            "src/cgroup/watch.rs",
            "src/plan/features.rs",
            "src/commands/events.rs",
            "src/commands/features.rs",
            "src/commands/list.rs",
            "src/commands/pause.rs",
            "src/commands/ps.rs",
            "src/commands/update.rs",
        ],
    ),
    ("leaving out and attacking", 421, &["src/skip.rs", "src/attacks", "src/sys/attack.rs"]),
    ("asking systemd", 450, &["src/cgroup/systemd.rs", "src/dbus"]),
    ("moving network devices", 130, &["src/sys/netlink.rs"]),
    ("beginning before the C library", 175, &["src/sys/begin"]),
    ("the runtime", 5500, &["src/"]),
];

/// Above each wrapper, so that a trace names the line of the stage, and not that of the wrapper.
const ON_ITS_BEHALF: &str = "#[track_caller]";

#[test]
fn each_part_stays_within_its_budget() {
    let mut sources = sources();
    let is_behalf = |line: &&String| *line == ON_ITS_BEHALF;
    let behalf: usize =
        sources.iter().map(|path| code(path).iter().filter(is_behalf).count()).sum();
    for (name, budget, places) in BUDGETS {
        let here =
            |path: &PathBuf| places.iter().any(|place| path.to_string_lossy().starts_with(place));
        let (part, others) = sources.into_iter().partition::<Vec<_>, _>(here);
        sources = others;
        let of = |path: &PathBuf| code(path).iter().filter(|line| !is_behalf(line)).count();
        let lines: usize = part.iter().map(of).sum();
        let lines = if name == "the microscope" { lines + behalf } else { lines };
        println!("{name}: {lines} lines of code, of {budget}");
        assert!((budget / 2..=budget).contains(&lines), "{name}: {lines} lines, of {budget}");
    }
    assert!(sources.is_empty(), "{sources:?}");
}

/// Files below src whose code has this word, beside those that may.
fn users_of(word: &str, may: &[&str]) -> Vec<String> {
    let whole = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let letter = |c: char| c.is_alphanumeric() || c == '_';
            let before = line[..at].chars().next_back().is_some_and(letter);
            let after = line[at + word.len()..].chars().next().is_some_and(letter);
            !before && !after
        })
    };
    let uses = |path: &PathBuf| code(path).iter().any(|line| whole(line));
    let names = sources().into_iter().filter(uses).map(|path| path.display().to_string());
    names.filter(|name| !may.iter().any(|may| name.starts_with(may))).collect()
}

#[test]
fn only_the_plan_knows_the_specification_and_only_sys_the_kernel() {
    assert_eq!(users_of("oci_spec", &["src/images/", "src/plan/"]), [""; 0]);
    assert_eq!(users_of("unsafe", &["src/sys/"]), [""; 0]);
    // Numbers of errnos are data, wherever they are compared.
    let only_errnos = |name: &String| {
        let code = code(Path::new(name)).join("\n");
        code.match_indices("libc::").all(|(at, _)| {
            let rest = &code[at + 6..];
            let word: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            word.starts_with('E')
                && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        })
    };
    let users = users_of("libc", &["src/sys/"]);
    let users: Vec<_> = users.into_iter().filter(|name| !only_errnos(name)).collect();
    assert_eq!(users, [""; 0]);
    // The scan is able to find something.
    assert!(!users_of("oci_spec", &[]).is_empty() && !users_of("unsafe", &[]).is_empty());
}

#[test]
fn no_stage_joins_paths_or_uses_the_file_functions_of_std() {
    for word in ["std::fs", "PathBuf", "canonicalize"] {
        let users = users_of(word, &[]);
        let stages: Vec<_> = users.iter().filter(|name| name.starts_with("src/stages/")).collect();
        assert!(stages.is_empty(), "{word}: {stages:?}");
    }
    // Of `join("|")`, which makes text of a list, nothing is left between the parentheses.
    let joins = |line: &String| line.replace(".join()", "").contains(".join(");
    for path in sources().iter().filter(|path| path.starts_with("src/stages")) {
        let joined: Vec<_> = code(path).into_iter().filter(joins).collect();
        assert!(joined.is_empty(), "{}: {joined:?}", path.display());
    }
}

#[test]
fn no_error_is_thrown_away_without_a_word() {
    for path in sources() {
        let lines = code(&path);
        let thrown: Vec<_> = lines.iter().filter(|line| line.contains("let _ =")).collect();
        assert!(thrown.is_empty(), "{}: {thrown:?}", path.display());
        let panics = [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!("];
        // The default profile is a constant of this source, parsed at run time.
        let constant = path.ends_with("default_profile.rs");
        let panics: Vec<_> =
            lines.iter().filter(|line| panics.iter().any(|word| line.contains(word))).collect();
        assert!(constant || panics.is_empty(), "{}: {panics:?}", path.display());
    }
}

#[test]
fn continuous_integration_runs_the_test_command_of_the_readme() {
    let readme = read("README.md");
    let commands: BTreeSet<_> =
        readme.lines().map(|line| line.trim().trim_start_matches("$ ")).collect();
    let runs = |line: &str| commands.iter().any(|command| command.starts_with(line));
    assert!(runs("tests/run") || runs("sudo tests/run"), "README.md does not say tests/run");
    assert!(runs("tests/setup && jec run"), "README.md does not say how to begin");
    assert!(read(".ci/run").contains("../tests/run"), ".ci/run runs something else");
    assert!(read(".github/workflows/ci.yml").contains(".ci/run"), "the workflow does, too");
    // What the build command builds is what the tests test.
    for script in ["tests/setup", "tests/run"] {
        assert!(read(script).contains("cargo build --release"), "{script}");
    }
}
