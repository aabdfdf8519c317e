//! limits: resource limits and the out-of-memory score.

mod common;

use common::{World, for_me, sh, shell};
use serde_json::{Value, json};

/// One resource limit as config.json has it.
fn rlimit(name: &str, limit: u64) -> Value {
    json!([{"type": name, "soft": limit, "hard": limit}])
}

/// Whether this process could raise a hard limit.
fn may_raise() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap() >> 24 & 1 == 1
}

#[test]
fn the_program_of_the_example_finds_the_limits_that_it_was_given() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("limits", for_me)).ok();
    assert_eq!(ran.out, "32\n0\n500\n");
    world.assert_clean();
}

#[test]
fn the_host_sees_them_on_process_1_and_its_own_without_them() {
    let world = World::new();
    let held = world.hold_bundle(&world.bundle("limits", sh("exec sleep 300")));
    let files = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("Max open files")).expect("a line");
        line.split_whitespace().skip(3).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(files(&held.proc("limits")), ["32", "64"]);
    assert_eq!(held.proc("oom_score_adj").trim(), "500");
    drop(held);
    let held = world.hold_bundle(&world.bundle("limits", |config| {
        config["process"]["rlimits"] = Value::Null;
        config["process"]["oomScoreAdj"] = Value::Null;
        sh("exec sleep 300")(config);
    }));
    let ours = std::fs::read_to_string("/proc/self/limits").unwrap();
    assert_eq!(files(&held.proc("limits")), files(&ours));
}

#[test]
fn a_file_that_grows_over_the_limit_costs_the_program_its_life() {
    let world = World::new();
    // A child: process 1 of a pid namespace is spared the signals that it does not expect.
    let fill = "dd if=/dev/zero of=/big bs=65536 count=1; exit $?";
    let bundle = |limits: Value| {
        world.bundle("limits", |config| {
            config["process"]["rlimits"] = limits;
            sh(fill)(config);
        })
    };
    // SIGXFSZ is 25.
    assert_eq!(world.run_bundle(&bundle(rlimit("RLIMIT_FSIZE", 4096))).code, 153);
    world.run_bundle(&bundle(Value::Null)).ok();
}

#[test]
fn a_hard_limit_that_nobody_may_raise_is_refused_with_the_reason() {
    let world = World::new();
    let bundle = world.bundle("limits", |config| {
        // Above fs.nr_open even root with every capability is refused.
        config["process"]["rlimits"] = rlimit("RLIMIT_NOFILE", u64::from(u32::MAX));
        for_me(config);
    });
    world
        .run_bundle(&bundle)
        .fails(1, &["limits (runtime): prlimit64(", "RLIMIT_NOFILE", "EPERM", "CAP_SYS_RESOURCE"]);
    world.assert_clean();
}

#[test]
fn to_be_killed_later_than_others_takes_a_privilege() {
    if may_raise() {
        skip!("we have CAP_SYS_RESOURCE");
    }
    let world = World::new();
    let bundle = world.bundle("limits", |config| {
        config["process"]["oomScoreAdj"] = json!(-1000);
        for_me(config);
    });
    world
        .run_bundle(&bundle)
        .fails(1, &["limits (runtime): write(", "\"-1000\"", "EACCES", "CAP_SYS_RESOURCE"]);
    world.assert_clean();
}

#[test]
fn a_limit_too_low_for_set_up_itself_is_named() {
    let world = World::new();
    let bundle = |limit| {
        world.bundle("limits", |config| {
            config["process"]["rlimits"] = rlimit("RLIMIT_NOFILE", limit);
            sh("ulimit -n")(config);
        })
    };
    world.run_bundle(&bundle(5)).fails(1, &["network (init)", "EMFILE", "RLIMIT_NOFILE"]);
    world.assert_clean();
    assert_eq!(world.run_bundle(&bundle(20)).ok().out, "20\n");
}

#[test]
fn whoever_may_open_few_files_is_told_how_many_set_up_needs_and_keeps_her_limit() {
    let world = World::new();
    let bundle = world.bundle("limits", |config| {
        config["process"]["rlimits"] = Value::Null;
        sh("ulimit -n")(config);
    });
    let with = |limit: u32| shell(&format!("ulimit -n {limit}; exec {}", world.run_words(&bundle)));
    // In whichever stage it happens.
    for limit in [9, 11] {
        with(limit).fails(1, &["EMFILE", "set-up needs about 15 file descriptors", "ulimit -n"]);
        world.assert_clean();
    }
    assert_eq!(with(24).ok().out, "24\n");
}
