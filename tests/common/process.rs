//! What the tests of Part IV and V share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{Ran, World, is_root};

/// An example, run to its end as it is but for `change`; afterwards nothing is left.
pub fn ran(example: &str, change: impl FnOnce(&mut Value)) -> Ran {
    let world = World::new();
    let ran = world.run_bundle(&bundle(&world, example, change));
    world.assert_clean();
    ran
}

/// The bundle of an example; for an ordinary user it gets a user namespace.
pub fn bundle(world: &World, example: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    world.bundle(example, |config| {
        if !is_root() {
            own_users(config);
        }
        change(config);
    })
}

/// The words of a command.
pub fn command(config: &mut Value, words: &[&str]) {
    config["process"]["args"] = json!(words);
}

/// A shell script as the command.
pub fn script(config: &mut Value, text: &str) {
    command(config, &["sh", "-c", text]);
}

/// A file of the bundle's root.
pub fn in_root(bundle: &Path, name: &str) -> PathBuf {
    bundle.join("rootfs").join(name)
}

/// Writes an executable file into the bundle's root.
pub fn program(bundle: &Path, name: &str, text: &[u8], mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let path = in_root(bundle, name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(&path, text).expect("the program");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
}

/// A user namespace: root inside is the user who runs the test, the others are
/// of the ranges in /etc/subuid and /etc/subgid, as far as she has any.
pub fn own_users(config: &mut Value) {
    let namespaces = config["linux"]["namespaces"].as_array_mut().expect("namespaces");
    namespaces.push(json!({"type": "user"}));
    let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    config["linux"]["uidMappings"] = maps(uid, "/etc/subuid");
    config["linux"]["gidMappings"] = maps(gid, "/etc/subgid");
}

fn maps(id: u32, file: &str) -> Value {
    let mut maps = vec![json!({"containerID": 0, "hostID": id, "size": 1})];
    if let Some((first, count)) = range(file) {
        maps.push(json!({"containerID": 1, "hostID": first, "size": count}));
    }
    maps.into()
}

/// Whether an ordinary user has more ids than her own; root always has.
pub fn has_ids() -> bool {
    is_root() || range("/etc/subuid").is_some() && range("/etc/subgid").is_some()
}

/// The user's line of /etc/subuid or /etc/subgid.
fn range(file: &str) -> Option<(u32, u32)> {
    let user = id(&["-un"])?;
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{user}:")))?;
    let (first, count) = line.split_once(':')?;
    Some((first.parse().ok()?, count.parse().ok()?))
}

/// What id(1) says. In a static program like this one, getpwnam(3) would load what
/// nsswitch.conf names, which is made for another C library's threads.
pub fn id(words: &[&str]) -> Option<String> {
    let output = Command::new("id").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
