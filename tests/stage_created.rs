//! created: everything is made, and the state says so, at the right moment.

mod common;
#[path = "common/trace.rs"]
mod trace;

use std::process::Stdio;
use std::time::Duration;

use common::{World, for_me};
use trace::{Act, JEC, trace};

/// Runs the bundle and notes the status at every call of jec.
fn statuses(world: &World) -> Vec<(String, bool, bool)> {
    let bundle = world.bundle("created", for_me);
    let mut command = world.jec();
    let (id, pid_file) = (world.id("b"), world.path("pid"));
    command.args(["run", "--pid-file"]).arg(&pid_file).arg("-b").arg(&bundle).arg(&id);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut seen = Vec::new();
    trace(command, Duration::from_secs(60), |call| {
        if call.role == JEC {
            let status = world.state(&id)["status"].as_str().unwrap_or("none").to_owned();
            let pid = world.state(&id)["pid"].as_i64().unwrap_or(0) != 0;
            let now = (status, pid, pid_file.exists());
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
        Act::Go
    });
    seen
}

#[test]
fn whoever_reads_the_pid_file_finds_a_created_container() {
    let world = World::new();
    let seen = statuses(&world);
    let seen: Vec<_> = seen.iter().map(|(status, pid, file)| (&**status, *pid, *file)).collect();
    let expected = [
        ("none", false, false),
        ("creating", false, false),
        ("creating", true, false),
        ("created", true, false),
        ("created", true, true),
        ("running", true, true),
        ("none", false, true),
    ];
    assert_eq!(seen, expected);
    world.assert_clean();
}
