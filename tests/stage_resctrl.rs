//! resctrl: a share of the caches and of the way to memory.
//!
//! The first tests show what any machine shows: nothing is made where there is no resctrl. The
//! others ask the kernel itself, where its processor has it; what jec writes in which order,
//! src/stages/resctrl/tests.rs tests on a plain directory.

mod common;

use std::fs;
use std::path::Path;

use common::{Ran, World, for_me, is_root, sh, shell};
use serde_json::{Value, json};

/// Where resctrl is, in the mount namespace of a test.
const ROOT: &str = "/sys/fs/resctrl";

/// Mounts resctrl for this thread alone, with the same groups as everywhere; or why it cannot.
fn lacks() -> Option<&'static str> {
    let systems = fs::read_to_string("/proc/filesystems").expect("the file systems");
    if !systems.contains("\tresctrl\n") {
        return Some("this processor, or this kernel, has no resctrl");
    }
    if !is_root() {
        return Some("resctrl is root's");
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("unshare");
    let mount = format!(
        "mount --make-rprivate / && {{ [ -e {ROOT}/schemata ] || mount -t resctrl resctrl {ROOT}; }}"
    );
    (shell(&mount).code != 0).then_some("resctrl cannot be mounted here")
}

fn has_resctrl() -> bool {
    fs::read_to_string("/proc/self/mountinfo").expect("mountinfo").contains(" - resctrl ")
}

/// The example with this property, and this script.
fn bundle(world: &World, rdt: &Value, script: &str) -> std::path::PathBuf {
    world.bundle("resctrl", |config| {
        sh(script)(config);
        config["linux"]["intelRdt"] = rdt.clone();
    })
}

/// A group that is the test's.
struct Group(String);

impl Group {
    fn new(world: &World) -> Self {
        let group = Self(world.id("group"));
        fs::create_dir(group.path()).expect("a group");
        group
    }

    fn path(&self) -> std::path::PathBuf {
        Path::new(ROOT).join(&self.0)
    }

    /// The first line of what it may use.
    fn line(&self) -> String {
        let schemata = fs::read_to_string(self.path().join("schemata")).expect("schemata");
        schemata.lines().next().unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        fs::remove_dir(self.path()).ok();
    }
}

/// The groups of a process, as the kernel says.
fn groups_of(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cpu_resctrl_groups")).expect("CONFIG_PROC_CPU_RESCTRL")
}

#[test]
fn without_resctrl_it_is_an_error_before_anything_is_made() {
    if has_resctrl() {
        skip!("resctrl is mounted");
    }
    let world = World::new();
    for rdt in [json!({}), json!({"closID": "/"}), json!({"closID": "x", "schemata": ["L3:0=f"]})] {
        let bundle = bundle(&world, &rdt, "true");
        let bundle = bundle.to_string_lossy();
        let ran = world.run(&["--explain", "-b", &bundle, &world.id("r")]);
        let words = ["linux.intelRdt", "resctrl, which is not mounted", "mount -t resctrl"];
        let ran = ran.fails(1, &words);
        assert!(!ran.err.contains("mkdirat") && !ran.err.contains("clone3"), "{}", ran.err);
        world.assert_clean();
    }
}

#[test]
fn another_file_system_of_that_name_is_not_taken_for_it() {
    if has_resctrl() || !is_root() {
        skip!("resctrl is mounted, or only root can mount something in its place");
    }
    let world = World::new();
    let words = world.run_words(&bundle(&world, &json!({}), "true"));
    let place = world.path("resctrl");
    fs::create_dir(&place).expect("a directory");
    let script = format!("mount -t tmpfs resctrl {} && {words}", place.display());
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    Ran::of(command).fails(1, &["linux.intelRdt", "not mounted"]);
    world.assert_clean();
}

/// As after a crash, and `umount /sys/fs/resctrl`, which ends all groups.
#[test]
fn groups_that_are_gone_with_resctrl_do_not_keep_a_container_from_being_deleted() {
    if has_resctrl() {
        skip!("resctrl is mounted");
    }
    let world = World::new();
    let id = world.id("r");
    world.create(&world.bundle("gate", for_me), &id).ok();
    let path = world.path("state").join(&id).join("intent.json");
    let mut intent: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(intent["groups"], json!([]));
    intent["groups"] = json!(["x", "x/mon_groups/x"]);
    fs::write(&path, intent.to_string()).unwrap();
    world.delete(&["--force", &id]).ok();
    world.assert_clean();
}

#[test]
fn left_out_it_is_not_looked_for() {
    let world = World::new();
    let bundle = world.bundle("resctrl", |config| {
        config["process"]["args"] = json!(["true"]);
        for_me(config);
    });
    let bundle = bundle.to_string_lossy();
    let words = ["--explain", "--skip", "resctrl", "-b", &*bundle, &*world.id("r")];
    let ran = world.run(&words).ok();
    assert!(ran.err.contains("without resctrl: ") && !ran.err.contains("flock"), "{}", ran.err);
}

#[test]
fn what_is_ignored_and_what_is_odd_is_said() {
    let world = World::new();
    let rdt = json!({"enableCMT": true, "enableMBM": true, "l3CacheSchema": "L2:0=f"});
    let bundle = bundle(&world, &rdt, "true");
    let words = ["--skip", "resctrl", "-b", &*bundle.to_string_lossy(), &*world.id("r")];
    let said = world.run(&words).ok().err;
    for name in ["enableCMT: is ignored", "enableMBM: is ignored", "l3CacheSchema: should be"] {
        assert!(said.contains(&format!("linux.intelRdt.{name}")), "{name}: {said}");
    }
}

#[test]
fn the_program_of_the_example_is_in_two_groups_that_end_with_it() {
    if let Some(reason) = lacks() {
        skip!("{reason}");
    }
    if !Path::new(ROOT).join("mon_groups").exists() {
        skip!("this processor counts nothing (mon_groups)");
    }
    let world = World::new();
    let ran = world.run_bundle(&world.bundle("resctrl", |_| ())).ok();
    let id = world.id("b");
    assert_eq!(ran.out, format!("res:{id}\nmon:{id}\n"));
    assert!(!Path::new(ROOT).join(&id).exists());
    world.assert_clean();
}

#[test]
fn a_group_that_exists_is_joined_and_stays_also_by_exec_and_when_jec_is_killed() {
    if let Some(reason) = lacks() {
        skip!("{reason}");
    }
    let world = World::new();
    let group = Group::new(&world);
    let id = world.id("g");
    let line = group.line();
    for rdt in [
        json!({"closID": group.0}),
        json!({"closID": group.0, "schemata": [line]}),
        json!({"closID": group.0, if line.starts_with("MB") { "memBwSchema" } else { "l3CacheSchema" }: line}),
    ] {
        let bundle = bundle(&world, &rdt, "exec sleep 300");
        world.create(&bundle, &id).ok();
        let pid = fs::read_to_string(world.path("pid")).expect("a pid").parse().expect("a pid");
        assert!(groups_of(pid).starts_with(&format!("res:{}\n", group.0)), "{}", groups_of(pid));
        world.tell(&["start", &id]).ok();
        let told = world.tell(&["exec", &id, "cat", "/proc/self/cpu_resctrl_groups"]).ok().out;
        assert!(told.starts_with(&format!("res:{}\n", group.0)), "{told}");
        world.delete(&["--force", &id]).ok();
        assert!(group.path().exists());
    }
    let held = world.hold_bundle(&bundle(&world, &json!({"closID": "/"}), "exec sleep 300"));
    assert!(groups_of(held.pid).starts_with("res:/\n"), "{}", groups_of(held.pid));
    drop(held);
    let held = world.hold_bundle(&bundle(&world, &json!({"closID": group.0}), "exec sleep 300"));
    held.signal(nix::sys::signal::Signal::SIGKILL);
    drop(held);
    world.delete(&["--force", &world.id("b")]).ok();
    assert!(group.path().exists());
}

#[test]
fn one_that_jec_has_made_is_removed_also_when_jec_was_killed() {
    if let Some(reason) = lacks() {
        skip!("{reason}");
    }
    let world = World::new();
    let (id, name) = (world.id("b"), world.id("new"));
    let line = Group::new(&world).line();
    for (rdt, made) in [
        (json!({}), &id),
        (json!({"schemata": [line]}), &id),
        (json!({"closID": name, "schemata": [line]}), &name),
    ] {
        let held = world.hold_bundle(&bundle(&world, &rdt, "exec sleep 300"));
        assert!(groups_of(held.pid).starts_with(&format!("res:{made}\n")));
        held.signal(nix::sys::signal::Signal::SIGKILL);
        drop(held);
        assert!(Path::new(ROOT).join(made).exists());
        world.delete(&["--force", &id]).ok();
        assert!(!Path::new(ROOT).join(made).exists(), "{made}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_in_the_words_of_the_kernel_and_leaves_nothing() {
    if let Some(reason) = lacks() {
        skip!("{reason}");
    }
    let world = World::new();
    let group = Group::new(&world);
    for (rdt, words) in [
        (json!({"closID": world.id("none")}), ["does not exist", "jec makes none"]),
        (json!({"closID": group.0, "l3CacheSchema": "L3:99=f"}), ["has", "and not"]),
        (json!({"schemata": ["X9:0=f"]}), ["EINVAL", "["]),
    ] {
        let ran = world.run_bundle(&bundle(&world, &rdt, "true"));
        ran.fails(1, &["resctrl (runtime): "]).fails(1, &words);
        assert!(!Path::new(ROOT).join(world.id("b")).exists());
        world.assert_clean();
    }
    assert!(group.path().exists());
}
