//! Thousands of broken configurations: a plan or an error, never a panic, and never a plan that
//! breaks what the stages rely on.

use std::fs;
use std::path::Path;

use nix::sched::CloneFlags;
use serde_json::{Value, json};

use super::{FULL, Plan, full};
use crate::error::{Error, Result};

/// A bundle whose config.json is written again and again.
struct Bundle(tempfile::TempDir);

impl Bundle {
    fn new() -> Self {
        let bundle = tempfile::tempdir().unwrap();
        fs::create_dir(bundle.path().join("rootfs")).unwrap();
        Self(bundle)
    }

    fn plan(&self, text: impl AsRef<[u8]>) -> Result<Plan> {
        // A new file each time: ext4 writes one that was cut to nothing out to the disk at once.
        let file = self.0.path().join("config.json");
        let _absent_at_first = fs::remove_file(&file);
        fs::write(file, text).unwrap();
        let plan = Plan::from_bundle("test", self.0.path());
        match &plan {
            Ok(plan) => check(plan),
            Err(Error::Config { property, problem }) => {
                assert!(!property.is_empty() && !problem.is_empty());
            }
            Err(error) => panic!("not an error of the configuration: {error}"),
        }
        plan
    }
}

/// What the stages rely on.
fn check(plan: &Plan) {
    assert!(!plan.process.args.is_empty());
    assert!(plan.namespaces.makes(CloneFlags::CLONE_NEWNS));
    let user = &plan.process.user;
    let ids = user.groups.iter().chain([&user.uid, &user.gid]);
    assert!(ids.clone().all(|id| *id != u32::MAX));
    let ranges = || plan.namespaces.ids.uids.iter().chain(&plan.namespaces.ids.gids);
    assert!(ranges().all(|range| range.size > 0));
    assert!(ranges().all(|range| range.host.checked_add(range.size).is_some()));
    let inside = plan.masked_paths.iter().chain(&plan.readonly_paths);
    let devices = plan.devices.iter().map(|device| &device.path);
    let mounts = plan.mounts.iter().map(|mount| &mount.destination);
    let absolute = inside.chain(devices).chain(mounts).chain([&plan.process.cwd, &plan.root.path]);
    for path in absolute {
        assert!(path.as_bytes().starts_with(b"/"), "{path:?}");
    }
    assert!(plan.devices.iter().all(|device| device.major < 4096 && device.minor < 1 << 20));
    let capabilities = plan.process.capabilities;
    assert_eq!(capabilities.effective & !capabilities.permitted, 0);
    assert_eq!(capabilities.ambient & !(capabilities.permitted & capabilities.inheritable), 0);
    for (path, _) in &plan.kernel.sysctl {
        let path = path.to_str().unwrap();
        assert!(Path::new(path).is_relative() && !path.contains(".."), "{path}");
    }
}

/// JSON pointers of everything below `value`.
fn pointers(value: &Value, here: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(list) => (0..).map(|at: usize| at.to_string()).zip(list).collect(),
        _ => Vec::new(),
    };
    for (name, inner) in children {
        let pointer = format!("{here}/{}", name.replace('~', "~0").replace('/', "~1"));
        pointers(inner, &pointer, found);
        found.push(pointer);
    }
}

#[test]
fn every_property_removed_or_of_another_kind_is_a_plan_or_an_error() {
    let bundle = Bundle::new();
    let mut places = Vec::new();
    pointers(&full(), "", &mut places);
    assert!(places.len() > 200, "{}", places.len());
    let (mut plans, mut errors) = (0, 0);
    for place in &places {
        let huge = "9".repeat(400);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let values = [
            "null",
            "true",
            "-1",
            "0",
            "1.5",
            "4294967295",
            "4294967296",
            "18446744073709551615",
            "-9223372036854775808",
            "1e300",
            &huge,
            "\"\"",
            "\"a\\u0000b\"",
            "\"/\"",
            "\"..\"",
            "\"\\ud800\"",
            "[]",
            "{}",
            "[null]",
            "[\"\"]",
            "[{}]",
            "{\"\": \"\"}",
            &nested,
            &deep,
        ];
        for value in values {
            // By text, since a Value cannot hold all of these.
            let mut document = full();
            *document.pointer_mut(place).unwrap() = json!("PLACEHOLDER");
            let text = document.to_string().replace("\"PLACEHOLDER\"", value);
            match bundle.plan(text) {
                Ok(_) => plans += 1,
                Err(_) => errors += 1,
            }
        }
    }
    assert!(plans > 300 && errors > 300, "{plans} plans, {errors} errors");
}

#[test]
fn a_missing_property_has_its_default_or_is_named() {
    let bundle = Bundle::new();
    let mut places = Vec::new();
    pointers(&full(), "", &mut places);
    for place in &places {
        let mut document = full();
        let (parent, name) = place.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(object) => drop(object.remove(name)),
            Value::Array(list) => drop(list.remove(name.parse().unwrap())),
            _ => unreachable!("a pointer has a parent"),
        }
        if let Err(error) = bundle.plan(document.to_string()) {
            let top = place.split('/').nth(1).unwrap();
            let said = error.to_string();
            // Without a namespace or a map something else has lost its ground.
            assert!(said.contains(top) || top == "linux", "{place}: {said}");
        }
    }
}

#[test]
fn flipped_inserted_and_lost_bytes_are_a_plan_or_an_error() {
    let bundle = Bundle::new();
    // xorshift64: the same sequence on every machine.
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % limit
    };
    let interesting = b"\"{}[],:0-9e\\u\0\xff ";
    let mut plans = 0;
    for _ in 0..2000 {
        let mut text = FULL.as_bytes().to_vec();
        for _ in 0..=random(3) {
            let at = random(text.len());
            match random(5) {
                0 => text[at] ^= 1 << random(8),
                1 => text[at] = interesting[random(interesting.len())],
                2 => text.insert(at, interesting[random(interesting.len())]),
                3 => drop(text.remove(at)),
                _ => text.copy_within(at.., at / 2),
            }
        }
        plans += usize::from(bundle.plan(&text).is_ok());
    }
    assert!(plans > 100, "{plans}");
}

#[test]
fn a_torn_configuration_is_an_error() {
    let bundle = Bundle::new();
    let end = FULL.trim_end().len();
    for length in (0..end).step_by(7) {
        assert!(bundle.plan(&FULL.as_bytes()[..length]).is_err(), "{length}");
    }
}

#[test]
fn the_largest_document_that_is_read_is_parsed_in_bounded_time() {
    let bundle = Bundle::new();
    let list = "0,".repeat((2 << 20) - 100);
    let started = std::time::Instant::now();
    let text = format!("{{\"ociVersion\": \"1.0.0\", \"mounts\": [{list}0]}}");
    assert!(bundle.plan(text).is_err());
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
