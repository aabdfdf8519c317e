//! `jec run --time`: what each step took, over the three processes, by one clock.

mod common;

use std::time::Instant;

use common::{Ran, World, for_me, sh};
use serde_json::Value;

fn run(world: &World, flags: &[&str], script: &str) -> Ran {
    let bundle = world.bundle("exec", |config| {
        for_me(config);
        sh(script)(config);
    });
    let (bundle, id) = (bundle.to_string_lossy().into_owned(), world.id("t"));
    world.run(&[flags, &["--bundle", &bundle, &id]].concat())
}

fn steps(said: &str) -> Vec<Value> {
    serde_json::from_str(said.lines().last().expect("a line")).expect(said)
}

#[test]
fn every_step_is_told_once_in_the_order_of_the_stages_with_its_side() {
    let world = World::new();
    let stages = world.tell(&["stages", "--json"]).ok().out;
    let stages: Vec<Value> = serde_json::from_str(&stages).expect("JSON");
    let steps = steps(&run(&world, &["--time", "--json"], "exit 0").ok().err);
    let place = |step: &Value| {
        let same = |stage: &&Value| {
            ["stage", "side"].map(|key| &step[key]) == [&stage["name"], &stage["side"]]
        };
        stages.iter().position(|stage| same(&stage))
    };
    let places: Vec<_> = steps.iter().filter_map(place).collect();
    assert!(places.is_sorted_by(|a, b| a < b), "{steps:?}");
    let names: Vec<_> = steps.iter().map(|step| step["stage"].as_str().expect("a name")).collect();
    for name in ["record", "spawn-middle", "spawn-init", "mounts", "exec", "running", "remove"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    // What is no stage: the configuration, and the program itself.
    assert_eq!(names.len() - places.len(), 2, "{names:?}");
    assert!(names.starts_with(&["seal", "plan"]) && names.contains(&"program-runs"), "{names:?}");
    world.assert_clean();
}

#[test]
fn the_steps_fill_the_time_without_a_gap_and_the_program_has_its_own() {
    let world = World::new();
    let begun = Instant::now();
    let steps = steps(&run(&world, &["--time", "--json"], "sleep 0.3").ok().err);
    let whole = begun.elapsed().as_secs_f64() * 1e6;
    let number = |step: &Value, key: &str| step[key].as_f64().expect(key);
    for pair in steps.windows(2) {
        let end = number(&pair[0], "beginMicroseconds") + number(&pair[0], "microseconds");
        assert!((end - number(&pair[1], "beginMicroseconds")).abs() < 0.01, "{pair:?}");
        assert!(number(&pair[0], "microseconds") > 0.0, "{pair:?}");
    }
    let sum: f64 = steps.iter().map(|step| number(step, "microseconds")).sum();
    assert!(sum < whole, "{sum} {whole}");
    let program = steps.iter().find(|step| step["stage"] == "program-runs").expect("the program");
    assert!(number(program, "microseconds") >= 250_000.0, "{program}");
}

#[test]
fn bars_are_for_the_eye_and_silence_for_who_has_not_asked() {
    let world = World::new();
    let ran = run(&world, &["--time"], "echo out").ok();
    assert_eq!(ran.out, "out\n");
    let line = |name: &str| ran.err.lines().find(|line| line.starts_with(name)).expect(name);
    assert!(line("mounts").contains(" init "), "{}", ran.err);
    assert_eq!(ran.err.lines().map(|line| line.matches('█').count()).max(), Some(40));
    assert!(!line("program-runs").contains('█'));
    assert!(!run(&world, &[], "echo out").ok().err.contains(" ms "));
    run(&world, &["--json"], "true").fails(2, &["--time"]);
}

#[test]
fn another_clock_is_refused() {
    let world = World::new();
    let bundle = world.bundle("time-namespace", for_me);
    let ran = world.run(&["--time", "--bundle", &bundle.to_string_lossy(), &world.id("t")]);
    ran.fails(1, &["--time", "time namespace"]);
    world.assert_clean();
}
