//! Whole configurations, from the file to the plan.

mod corpus;
mod documents;
mod ids;
mod namespaced;
mod rules;

use std::fs;

use serde_json::Value;

use super::Plan;
use crate::error::Result;

/// A configuration that has every property jec honours.
const FULL: &str = include_str!("../../../../tests/configs/full.json");

/// The plan of `text` as the config.json of a bundle with an empty root file system.
/// Whether a configuration without a user namespace may be run; says so where it may not.
fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("SKIPPED: without a user namespace only root runs a container");
    }
    root
}

fn plan(text: impl AsRef<[u8]>) -> Result<Plan> {
    let bundle = tempfile::tempdir().unwrap();
    fs::create_dir(bundle.path().join("rootfs")).unwrap();
    fs::write(bundle.path().join("config.json"), text).unwrap();
    Plan::from_bundle("test", bundle.path())
}

fn full() -> Value {
    serde_json::from_str(FULL).unwrap()
}

/// The full configuration with other values at these JSON pointers; a null removes.
fn changed(changes: &[(&str, Value)]) -> Result<Plan> {
    let mut document = full();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(object) if value.is_null() => drop(object.remove(name).unwrap()),
            Value::Object(object) => drop(object.insert(name.into(), value.clone())),
            list => list[name.parse::<usize>().unwrap()] = value.clone(),
        }
    }
    plan(document.to_string())
}

fn error(changes: &[(&str, Value)]) -> String {
    match changed(changes) {
        Ok(_) => panic!("{changes:?} was accepted"),
        Err(error) => error.to_string(),
    }
}
