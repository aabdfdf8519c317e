//! Probes: code of a test that runs inside the container.
//!
//! A test binary is static, so it is bound into the container as /probe. A
//! probe is a function `probe_…` of the same file, an ignored test: the harness
//! inside runs that one, and what it tells comes back on standard output.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nix::errno::Errno;
use serde_json::{Value, json};

/// Marks what a probe tells.
const MARK: &str = "told ";

/// The words that run the probe `name` in the container.
pub fn args(name: &str) -> [&str; 6] {
    ["/probe", "--exact", "--ignored", "--nocapture", "--test-threads=1", name]
}

/// This test binary, on the host.
pub fn binary() -> PathBuf {
    std::env::current_exe().expect("the test's own path")
}

/// Makes the container run the probe `name`.
pub fn run_it(config: &mut Value, name: &str) {
    let bind = json!({"destination": "/probe", "type": "none", "source": binary(),
        "options": ["bind", "ro"]});
    config["mounts"].as_array_mut().expect("mounts").push(bind);
    config["process"]["args"] = json!(args(name));
}

/// A probe tells something, in a line of its own.
pub fn tell(name: &str, value: &str) {
    // The harness writes "test probe_x ... " before, without an end of line.
    println!("\n{MARK}{name} {value}");
}

/// What the probe has told.
pub fn told(out: &str) -> BTreeMap<String, String> {
    let lines = out.lines().filter_map(|line| line.strip_prefix(MARK));
    let pairs = lines.filter_map(|line| line.split_once(' '));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The errno's name, or `ok`, of what libc::syscall returned just now.
pub fn outcome(value: libc::c_long) -> String {
    match Errno::result(value) {
        Ok(_) => "ok".into(),
        Err(errno) => format!("{errno:?}"),
    }
}
