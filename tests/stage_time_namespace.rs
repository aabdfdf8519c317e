//! time-namespace: the clocks since boot.

mod common;

use common::{World, for_me, is_root, sh, shell};
use serde_json::{Value, json};

/// Ten days, as the example says.
const OFFSET: f64 = 864_000.0;

/// The first number of /proc/uptime.
fn uptime(text: &str) -> f64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}

fn here() -> f64 {
    uptime(&std::fs::read_to_string("/proc/uptime").unwrap())
}

#[test]
fn the_machine_of_the_example_has_been_up_ten_days_longer() {
    let world = World::new();
    let before = here();
    let ran = world.run_bundle(&world.bundle("time-namespace", for_me)).ok();
    let inside = uptime(&ran.out);
    assert!((before + OFFSET - 1.0..=here() + OFFSET + 1.0).contains(&inside), "{}", ran.out);
    assert!(ran.out.contains("boottime       864000         0"), "{}", ran.out);
    world.assert_clean();
}

#[test]
fn without_it_the_uptime_is_the_hosts() {
    let world = World::new();
    let bundle = world.bundle("time-namespace", |config| {
        common::without_namespace(config, "time");
        config["linux"]["timeOffsets"] = Value::Null;
        sh("cat /proc/uptime")(config);
    });
    let inside = uptime(&world.run_bundle(&bundle).ok().out);
    assert!((inside - here()).abs() < 60.0);
}

#[test]
fn the_wall_clock_is_not_shifted() {
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("time-namespace", sh("date +%s"))).ok();
    let here: f64 = shell("date +%s").out.trim().parse().unwrap();
    assert!((uptime(&ran.out) - here).abs() < 60.0);
}

#[test]
fn it_can_be_had_in_a_user_namespace_whose_root_is_nobody_outside() {
    if !is_root() {
        skip!("an ordinary user keeps her id; the example was tried with that");
    }
    let world = World::new();
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    let bundle = world.bundle("time-namespace", |config| {
        common::with_namespace(config, "user", None);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map.clone();
    });
    let ran = world.run_bundle(&bundle).ok();
    assert!(uptime(&ran.out) > here() + OFFSET - 60.0, "{}", ran.out);
}

#[test]
fn a_clock_before_zero_is_refused_with_the_reason() {
    let world = World::new();
    let bundle = world.bundle("time-namespace", |config| {
        config["linux"]["timeOffsets"]["boottime"]["secs"] = json!(-4_000_000_000_i64);
        for_me(config);
    });
    world
        .run_bundle(&bundle)
        .fails(1, &["time-namespace (middle): write(", "ERANGE", "stand before zero"]);
    world.assert_clean();
}

#[test]
fn time_namespaces_that_are_used_up_are_named_as_such() {
    let world = World::new();
    let bundle = world.bundle("time-namespace", |_| ());
    world.run_spoiled("echo 0 >/proc/sys/user/max_time_namespaces", &bundle).fails(
        1,
        &["time-namespace (middle): unshare(CLONE_NEWTIME)", "ENOSPC", "no time namespace"],
    );
    world.assert_clean();
}
