//! How a container is opened where what stops an attack is no stage that `--skip` knows.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;

use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use serde_json::{Value, json};

use super::Host;
use crate::skip::stage;
use crate::sys::process::{clone3, exit_now, wait};

/// A change of the configuration, or of what is around the container.
pub type Edit = fn(&Host, &mut Value) -> io::Result<()>;

/// What can be left out and is no stage; and, with a +, what a setting asks for.
pub const OPENINGS: &[(&str, Edit)] = &[
    ("pid-namespace", |_, config| share(config, "pid", "/proc")),
    ("uts-namespace", |_, config| share(config, "uts", "")),
    ("cgroup-namespace", |_, config| share(config, "cgroup", "")),
    ("ipc-namespace", |_, config| share(config, "ipc", "")),
    ("network-namespace", |_, config| share(config, "network", "/sys")),
    // A mount namespace as unshare(2) makes it, in the place of jec.
    ("propagation", |host, _| {
        let place = host.path("volume/leak");
        fs::create_dir(&place)?;
        let leak = || mount(Some("leak"), &place, Some("tmpfs"), MsFlags::empty(), None::<&str>);
        let child = clone3(CloneFlags::CLONE_NEWNS, None, || exit_now(leak().is_err().into()));
        child.and_then(|child| wait(&child)).map(drop).map_err(io::Error::other)
    }),
    ("rro", |_, config| option(config, "/vol", ["rro", "ro"])),
    ("cgroup-ro", |_, config| option(config, "/sys/fs/cgroup", ["ro", "rw"])),
    // As a runtime that joins paths would do it, in the place of jec.
    ("openat2", |host, _| fs::create_dir_all(host.path("image").join("vol/made"))),
    ("+log", |host, _| fs::write("/dev/kmsg", format!("jec attack: {}\n", host.secret))),
    ("+pod", |host, config| {
        let path = format!("/proc/{}/ns/ipc", host.victim.id());
        list(&mut config["linux"]["namespaces"], "type", "ipc", |ipc| {
            ipc["path"] = path.clone().into();
        });
        Ok(())
    }),
    ("+runtime", |host, config| {
        config["process"]["args"][0] = "/proc/self/exe".into();
        fs::copy("/proc/self/exe", host.path("runtime")).map(drop)
    }),
    ("+program", |host, _| {
        fs::copy("/proc/self/exe", host.path("volume/program"))?;
        fs::set_permissions(host.path("volume/program"), Permissions::from_mode(0o4755))
    }),
];

/// Changes the entry of a list whose `key` has this value.
fn list(entries: &mut Value, key: &str, value: &str, change: impl Fn(&mut Value)) {
    let entries = entries.as_array_mut().into_iter().flatten();
    entries.filter(|entry| entry[key] == value).take(1).for_each(change);
}

/// Without a namespace of its own, and so with the host's file system `at`.
fn share(config: &mut Value, kind: &str, at: &str) -> io::Result<()> {
    if let Some(namespaces) = config["linux"]["namespaces"].as_array_mut() {
        namespaces.retain(|namespace| namespace["type"] != kind);
    }
    list(&mut config["mounts"], "destination", at, |mount| {
        let options = ["rbind", "nosuid", "noexec", "nodev"];
        *mount = json!({"destination": at, "type": "bind", "source": at, "options": options});
    });
    if kind == "uts" {
        config["hostname"] = Value::Null;
    }
    Ok(())
}

/// A mount with one option for another.
fn option(config: &mut Value, at: &str, [from, to]: [&str; 2]) -> io::Result<()> {
    list(&mut config["mounts"], "destination", at, |mount| {
        list_option(&mut mount["options"], from, to);
    });
    Ok(())
}

fn list_option(options: &mut Value, from: &str, to: &str) {
    let options = options.as_array_mut().into_iter().flatten();
    options.filter(|option| **option == from).for_each(|option| *option = to.into());
}

/// The value of `--skip`: an opening, or a stage.
pub fn word(word: &str) -> Result<String, String> {
    let opening = find(word).filter(|_| !word.starts_with('+'));
    opening.map_or_else(|| stage(word).map(|stage| stage.name.into()), |_| Ok(word.into()))
}

/// The opening of this name.
pub fn find(word: &str) -> Option<Edit> {
    OPENINGS.iter().find(|opening| opening.0 == word).map(|opening| opening.1)
}
