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

/// A copy of this test binary in the root of a bundle, with a mode: a set-user-ID program, say.
pub fn copy_to(root: &std::path::Path, name: &str, mode: u32) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = root.join(name);
    std::fs::copy(binary(), &path).expect("a copy");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("its mode");
    path
}

/// Gives a file capabilities (capabilities(7), "File capabilities"), as masks.
#[allow(unsafe_code)]
pub fn set_file_capabilities(path: &std::path::Path, permitted: u32, inheritable: u32) {
    // struct vfs_cap_data of <linux/capability.h>: VFS_CAP_REVISION_2, VFS_CAP_FLAGS_EFFECTIVE.
    let words = [0x0200_0001, permitted, inheritable, 0, 0].map(u32::to_le_bytes).concat();
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).expect("a path");
    let name = c"security.capability".as_ptr();
    // SAFETY: path and name are C strings, and the length is that of the words.
    let result =
        unsafe { libc::setxattr(path.as_ptr(), name, words.as_ptr().cast(), words.len(), 0) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// A probe tells who it is and what it may: effective uid, the sets, and what chown(2) answers.
pub fn tell_powers() {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    for line in status.lines().filter(|line| line.starts_with("Cap")) {
        let (name, value) = line.split_once(":\t").expect("a value");
        tell(name, value.trim_start_matches('0'));
    }
    tell("euid", &nix::unistd::geteuid().to_string());
    let chown = std::os::unix::fs::chown("/chown-me", Some(1), None);
    let errno = chown.err().and_then(|error| error.raw_os_error()).map(Errno::from_raw);
    tell("chown", &errno.map_or("ok".into(), |errno| format!("{errno:?}")));
}
