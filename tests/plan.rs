//! `jec plan`: what it says is what `jec run` then does, and it makes nothing itself.

mod common;

use common::{Ran, World, for_me, in_pure_cgroup2, is_root, sh};
use serde_json::{Value, json};

/// A bundle of the test, and the words that name it.
fn bundle(world: &World, change: impl Fn(&mut Value)) -> Vec<String> {
    let path = world.bundle("exec", |config| {
        for_me(config);
        sh("exit 0")(config);
        change(config);
    });
    vec!["--bundle".into(), path.to_string_lossy().into_owned(), world.id("p")]
}

fn tell(world: &World, command: &[&str], words: &[String]) -> Ran {
    let words: Vec<_> = command.iter().copied().chain(words.iter().map(String::as_str)).collect();
    world.tell(&words)
}

fn planned(world: &World, flags: &[&str], words: &[String]) -> Value {
    let told = tell(world, &[&["plan", "--json"], flags].concat(), words).ok();
    serde_json::from_str(&told.out).expect("JSON")
}

fn rows(plan: &Value) -> &Vec<Value> {
    plan["stages"].as_array().expect("a list")
}

fn row<'a>(plan: &'a Value, name: &str) -> &'a Value {
    rows(plan).iter().find(|row| row["stage"] == name).expect(name)
}

/// The calls of a stage, a line each.
fn calls(plan: &Value, name: &str) -> String {
    let calls = row(plan, name)["calls"].as_array().expect("a list");
    calls.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_planned_is_what_then_runs() {
    type Change = fn(&mut Value);
    let changes: [Change; 3] = [
        |_| (),
        |config| config["process"]["noNewPrivileges"] = json!(false),
        |config| {
            config["hostname"] = json!("planned");
            config["process"]["rlimits"] =
                json!([{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}]);
            config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
            config["hooks"] = json!({"createContainer": [{"path": "/bin/true", "args": ["true"]}]});
        },
    ];
    for change in changes {
        let world = World::new();
        let words = bundle(&world, change);
        let plan = planned(&world, &[], &words);
        let applies = rows(&plan).iter().filter(|row| row["applies"] == true);
        let applies: Vec<_> = applies.map(|row| row["stage"].as_str().expect("a name")).collect();
        let told = tell(&world, &["run", "--time", "--json"], &words).ok().err;
        let steps: Vec<Value> =
            serde_json::from_str(told.lines().last().expect("a line")).expect(&told);
        // These two are no stages.
        let ran = steps.iter().filter_map(|step| step["stage"].as_str());
        let ran: Vec<_> = ran.filter(|name| !["plan", "program-runs"].contains(name)).collect();
        assert_eq!(applies, ran);
        world.assert_clean();
    }
}

#[test]
fn every_stage_is_told_once_with_its_reason_and_nothing_is_made() {
    let world = World::new();
    let words = bundle(&world, |_| ());
    let plan = planned(&world, &[], &words);
    let stages: Vec<Value> =
        serde_json::from_str(&world.tell(&["stages", "--json"]).ok().out).expect("JSON");
    assert_eq!(rows(&plan).len(), stages.len());
    for (row, stage) in rows(&plan).iter().zip(&stages) {
        assert_eq!((&row["stage"], &row["side"]), (&stage["name"], &stage["side"]));
        assert!(!row["reason"].as_str().expect("a reason").is_empty(), "{row}");
        if row["applies"] == false {
            assert_eq!(row["calls"], json!([]), "{row}");
        }
    }
    assert_eq!(row(&plan, "console")["reason"], "not asked for: process.terminal");
    let kept = std::fs::read_dir(world.path("state")).expect("the state directory");
    assert_eq!(kept.count(), 0);
    world.assert_clean();
}

#[test]
fn a_container_that_rests_has_a_gate() {
    let world = World::new();
    let words = bundle(&world, |_| ());
    let plan = planned(&world, &[], &words);
    assert_eq!(row(&plan, "gate")["applies"], false);
    assert!(row(&plan, "gate")["reason"].as_str().expect("a reason").contains("--detach"));
    let plan = planned(&world, &["--detach"], &words);
    assert_eq!(row(&plan, "gate")["applies"], true);
}

#[test]
fn the_calls_say_what_the_configuration_asks_for() {
    let world = World::new();
    let words = bundle(&world, |config| {
        config["hostname"] = json!("planned");
        config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}]);
        config["process"]["capabilities"]["bounding"] = json!(["CAP_KILL", "CAP_CHOWN"]);
        config["process"]["user"]["umask"] = json!(0o27);
        config["linux"]["maskedPaths"] = json!(["/proc/kcore"]);
        config["linux"]["intelRdt"] =
            json!({"closID": "gold", "memBwSchema": "MB:0=20", "schemata": ["L2:0=f", "L3:0=f"]});
        config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["chroot", "reboot"], "action": "SCMP_ACT_ERRNO"}]});
        config["mounts"].as_array_mut().expect("mounts").push(json!({"destination": "/scratch",
            "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=64k"]}));
    });
    let plan = planned(&world, &[], &words);
    for (stage, expected) in [
        ("kernel-params", "sethostname(\"planned\")"),
        ("limits", "prlimit(RLIMIT_NOFILE, 64, 128)"),
        ("resctrl", "group gold: MB:0=20, L2:0=f, L3:0=f"),
        ("bounding", "keeps CAP_CHOWN CAP_KILL"),
        ("identity", "umask(027)"),
        ("masks", "masked: /proc/kcore"),
        ("filter", "default action Allow"),
        ("filter", "1 rules for 2 names"),
        ("mounts", "/scratch: tmpfs from \"tmpfs\" size=64k, NOSUID"),
        ("spawn-init", "CLONE_NEWNS"),
        ("program", "[\"sh\", \"-c\", \"exit 0\"]"),
    ] {
        assert!(calls(&plan, stage).contains(expected), "{stage}: {}", calls(&plan, stage));
    }
    // The page says the same as the JSON.
    let page = tell(&world, &["plan"], &words).ok().out;
    assert!(page.contains("prlimit(RLIMIT_NOFILE, 64, 128)"), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 160), "{page}");
}

#[test]
fn the_cgroup_is_named_that_would_be_made() {
    if !is_root() {
        skip!("only root can make a view of pure cgroup v2");
    }
    let world = World::new();
    let jec = common::jec_path();
    let ran = in_pure_cgroup2(&format!(
        "{} --root {} plan --name planned --json {}",
        jec.display(),
        world.path("state").display(),
        world.rootfs().display()
    ));
    let plan: Value = serde_json::from_str(&ran.ok().out).expect("JSON");
    let told = calls(&plan, "cgroup");
    assert!(told.contains("mkdir(/sys/fs/cgroup") && told.contains("/jec/planned)"), "{told}");
    assert!(told.contains("allow c 1:3 rwm"), "{told}");
}

#[test]
fn the_same_flags_are_refused_as_by_run() {
    let world = World::new();
    let root = world.rootfs();
    let root = root.to_string_lossy();
    for command in ["plan", "run"] {
        world.tell(&[command, "--userns", "single", "--user", "7", &root]).fails(1, &["--user"]);
    }
    world.tell(&["plan", "--json", "--svg", &root]).fails(2, &["--svg"]);
}

#[test]
fn the_picture_has_a_box_for_each_stage_and_says_the_same_in_words() {
    let world = World::new();
    let words = bundle(&world, |config| config["hostname"] = json!("<&>"));
    let plan = planned(&world, &[], &words);
    let svg = tell(&world, &["plan", "--svg"], &words).ok().out;
    let absent = rows(&plan).iter().filter(|row| row["applies"] == false).count();
    assert_eq!(svg.matches("class=\"box\"").count(), rows(&plan).len());
    assert_eq!(svg.matches("<g class=\"absent\">").count(), absent);
    for word in ["role=\"img\"", "<title id=", "<desc id=", "prefers-color-scheme: dark"] {
        assert!(svg.contains(word), "{word}");
    }
    assert!(!svg.contains("\"<&>\"") && svg.contains("&lt;&amp;&gt;"));
    // As many tags are closed as are opened.
    for tag in ["svg", "g", "text", "title", "desc", "style", "marker", "defs"] {
        let opened =
            svg.matches(&format!("<{tag}>")).count() + svg.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, svg.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    // An arrow wherever the baton passes, and nowhere else.
    let sides = rows(&plan).iter().filter(|row| row["applies"] == true).map(|row| &row["side"]);
    let sides: Vec<_> = sides.collect();
    let passes = sides.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(svg.matches("class=\"baton\"").count(), passes);
    let dot = tell(&world, &["plan", "--dot"], &words).ok().out;
    assert_eq!(dot.matches("[label=\"baton\"").count(), passes);
    assert_eq!(dot.matches('{').count(), dot.matches('}').count());
    assert!(is_root() || row(&plan, "id-map")["applies"] == true);
}
