//! net-devices: devices of the host that move into the container.
//!
//! The host is here a network namespace of the test's own, so that nothing of the machine's changes.

mod common;

use std::path::Path;

use common::{Ran, World, is_root, sh, shell, with_namespace, without_namespace};
use serde_json::{Value, json};

/// One cable: its ends are `jec-host` and `jec-guest`.
const CABLE: &str = "ip link add jec-host type veth peer name jec-guest";
/// What the container tells of its devices, one a line.
const DEVICES: &str = "cd /sys/class/net; for d in *; do echo $d $(cat $d/address $d/mtu); done";

/// Why this machine cannot show anything of it.
fn lacks() -> Option<&'static str> {
    if !is_root() {
        return Some("only root can take a device from the host");
    }
    let cable = format!("unshare --net sh -c '{CABLE}'");
    // busybox has an ip with fewer words.
    let can = shell("ip -V | grep -q iproute2").code == 0 && shell(&cable).code == 0;
    (!can).then_some("no iproute2, or a kernel without veth")
}

/// The example with these devices and this script.
fn bundle(world: &World, devices: &Value, script: &str) -> std::path::PathBuf {
    world.bundle("net-devices", |config| {
        config["linux"]["netDevices"] = devices.clone();
        let sysfs = json!({"destination": "/sys", "type": "sysfs", "source": "sysfs"});
        config["mounts"].as_array_mut().unwrap().push(sysfs);
        sh(script)(config);
    })
}

/// Runs the bundle in a network namespace of its own that `before` has furnished; `after`, in
/// there, says what has become of it.
fn run(world: &World, before: &str, bundle: &Path, after: &str) -> Ran {
    let jec = world.run_words(bundle);
    shell(&format!("unshare --net sh -c '{before} && {jec}; code=$?; {after}; exit $code'"))
}

#[test]
fn the_device_of_the_example_has_another_name_inside_and_is_up() {
    if let Some(reason) = lacks() {
        skip!("{reason}");
    }
    let world = World::new();
    let before = format!("{CABLE} address 02:00:00:00:00:07 mtu 1400; ip link set jec-guest up");
    let example = world.bundle("net-devices", |_| ());
    let ran = run(&world, &before, &example, "ip link show jec-guest").ok();
    let device = ran.out.split("2: ").nth(1).expect("a second device");
    assert!(device.starts_with("eth0@") && device.contains(",UP"), "{device}");
    let world = World::new();
    let ran = run(&world, &before, &bundle(&world, &guest("eth0"), DEVICES), "true").ok();
    assert_eq!(ran.out, "eth0 02:00:00:00:00:07 1400\nlo 00:00:00:00:00:00 65536\n");
    world.assert_clean();
}

/// The cable's end, with a name for it.
fn guest(name: &str) -> Value {
    json!({"jec-guest": {"name": name}})
}

#[test]
fn on_the_host_the_device_is_gone_and_with_the_container_it_ends() {
    if let Some(reason) = lacks() {
        skip!("{reason}");
    }
    let world = World::new();
    let bundle = bundle(&world, &json!({"jec-guest": null}), "ip link show jec-guest");
    // The kernel takes namespaces apart in its own time.
    let gone = "ip link show jec-guest; for i in $(seq 100); do \
        ip link show jec-host >/dev/null 2>&1 || break; sleep 0.1; done; ip link show jec-host";
    let ran = run(&world, CABLE, &bundle, gone).ok();
    assert_eq!(ran.out.matches("jec-guest@").count(), 1, "{ran:?}");
    for name in ["jec-guest", "jec-host"] {
        assert!(ran.err.contains(&format!("\"{name}\" does not exist")), "{ran:?}");
    }
}

#[test]
fn addresses_that_last_and_that_all_may_know_move_along() {
    if let Some(reason) = lacks() {
        skip!("{reason}");
    }
    let world = World::new();
    let before = format!(
        "{CABLE}; ip link set jec-guest up
         ip addr add 10.9.9.1/24 broadcast 10.9.9.200 label jec-guest:one dev jec-guest
         ip addr add 10.9.8.1 peer 10.9.8.2/32 dev jec-guest
         ip addr add 10.9.7.1/24 scope link dev jec-guest
         ip addr add 10.9.6.1/24 valid_lft 900 preferred_lft 900 dev jec-guest
         ip addr add fd00::1/64 nodad dev jec-guest"
    );
    let show = "ip addr show dev $(ls /sys/class/net | grep -v lo) | grep inet | grep -v fe80";
    for (name, label) in [("eth0", "eth0"), ("jec-guest", "jec-guest:one")] {
        let ran = run(&world, &before, &bundle(&world, &guest(name), show), "true").ok();
        let found: Vec<_> = ran.out.lines().map(str::trim).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        let first = format!("inet 10.9.9.1/24 brd 10.9.9.200 scope global {label}");
        assert_eq!(found[0], first);
        assert_eq!(found[1], format!("inet 10.9.8.1 peer 10.9.8.2/32 scope global {name}"));
        assert!(found[2].starts_with("inet6 fd00::1/64 scope global"), "{found:?}");
    }
}

#[test]
fn a_template_becomes_a_name_that_is_free() {
    if let Some(reason) = lacks() {
        skip!("{reason}");
    }
    let world = World::new();
    let before = format!("{CABLE}; ip addr add 10.9.9.1/24 dev jec-host");
    let devices = json!({"jec-guest": {"name": "eth%d"}, "jec-host": {"name": "eth%d"}});
    let show = "ls /sys/class/net; ip addr show eth1 | grep -c 10.9.9.1";
    let ran = run(&world, &before, &bundle(&world, &devices, show), "true").ok();
    assert_eq!(ran.out, "eth0\neth1\nlo\n1\n");
}

#[test]
fn in_a_namespace_with_devices_of_its_own_numbers_and_names_may_be_taken() {
    if let Some(reason) = lacks() {
        skip!("{reason}");
    }
    let world = World::new();
    // Both namespaces have a device number 2 and a device number 3.
    let before = format!(
        "unshare --net sleep 300 & other=$!; until [ $(readlink /proc/$other/ns/net) != \
         $(readlink /proc/self/ns/net) ]; do sleep 0.1; done; echo $other >{}
         nsenter --net=/proc/$other/ns/net ip link add eth0 type veth peer name eth1
         {CABLE}; ip addr add 10.9.9.1/24 dev jec-guest",
        world.path("other").display()
    );
    let show = "ip addr show | grep -B9 10.9.9.1 | grep -o jec-new | head -n 1";
    let after = "nsenter --net=/proc/$other/ns/net ip -brief link; kill $other";
    let joining = |name: &str| {
        let path = bundle(&world, &guest(name), show);
        let file = path.join("config.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        with_namespace(&mut config, "network", Some("/proc/OTHER/ns/net"));
        std::fs::write(&file, config.to_string()).unwrap();
        let other = world.path("other");
        let sed = format!("sed -i s/OTHER/$(cat {})/ {}", other.display(), file.display());
        run(&world, &format!("{before}; {sed}"), &path, after)
    };
    // What the container got stays in a namespace that is not its own.
    let ran = joining("jec-new").ok();
    assert!(ran.out.starts_with("jec-new\n") && ran.out.contains("\njec-new@"), "{ran:?}");
    let ran = joining("eth1");
    ran.fails(1, &["net-devices (runtime): linux.netDevices.jec-guest: ", "\"eth1\" inside"]);
}

#[test]
fn what_cannot_be_moved_is_an_error_and_nothing_has_moved() {
    if let Some(reason) = lacks() {
        skip!("{reason}");
    }
    let world = World::new();
    let both = json!({"jec-guest": {}, "jec-none": {}});
    for (devices, words) in [
        (both, ["linux.netDevices.jec-none: ", "is no network device here"]),
        (guest("lo"), ["linux.netDevices.jec-guest: ", "\"lo\" inside already"]),
        (json!({"lo": {"name": "x"}}), ["RTM_NEWLINK", "belongs to its namespace for ever"]),
    ] {
        let ran = run(&world, CABLE, &bundle(&world, &devices, "true"), "ip link show jec-guest");
        let ran = ran.fails(1, &["net-devices (runtime): "]).fails(1, &words);
        assert!(ran.out.contains("jec-guest@"), "{ran:?}");
        world.assert_clean();
    }
}

#[test]
fn without_a_network_namespace_of_its_own_the_property_is_refused() {
    let world = World::new();
    for path in [None, Some("/proc/self/ns/net")] {
        let bundle = bundle(&world, &guest("eth0"), "true");
        let file = bundle.join("config.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        without_namespace(&mut config, "network");
        if path.is_some() {
            with_namespace(&mut config, "network", path);
        }
        std::fs::write(&file, config.to_string()).unwrap();
        world
            .run_bundle(&bundle)
            .fails(1, &["linux.netDevices.jec-guest: needs a network namespace"]);
    }
}

#[test]
fn an_ordinary_user_gets_no_device_of_the_host() {
    if is_root() {
        skip!("root may");
    }
    let world = World::new();
    let bundle = bundle(&world, &json!({"lo": {"name": "x"}}), "true");
    world.run_bundle(&bundle).fails(1, &["net-devices (runtime)", "EPERM", "root alone may"]);
    world.assert_clean();
}
