//! A view of the machine of our own: a mount namespace in which /sys/fs/cgroup
//! is cgroup2 alone and /run an empty tmpfs. Everything that is made for the
//! benchmark lies in there and goes with it; the host's mounts stay as they are.

use std::ffi::CStr;
use std::fs;
use std::io::{Error, Result};
use std::path::Path;

/// The cgroup above all containers, below /sys/fs/cgroup.
pub const PARENT: &str = "jec-bench";
const TREE: &str = "/sys/fs/cgroup";
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;

/// Enters the view. It ends with this process.
pub fn enter() -> Result<()> {
    // SAFETY: only a number is passed.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE)?;
    if !is_unified() {
        // SAFETY: the path is a constant. EINVAL: nothing is mounted there.
        unsafe { libc::umount2(c"/sys/fs/cgroup".as_ptr(), libc::MNT_DETACH) };
        mount(c"cgroup2", c"/sys/fs/cgroup", Some(c"cgroup2"), 0)?;
    }
    mount(c"tmpfs", c"/run", Some(c"tmpfs"), libc::MS_NOSUID)?;
    make_parent()
}

/// Our cgroup hands down whatever it has got.
fn make_parent() -> Result<()> {
    let parent = parent();
    fs::create_dir_all(&parent)?;
    for name in fs::read_to_string(format!("{TREE}/cgroup.subtree_control"))?.split_whitespace() {
        fs::write(parent.join("cgroup.subtree_control"), format!("+{name}"))?;
    }
    Ok(())
}

/// Kills what is left in our cgroup, and removes it.
pub fn leave() {
    // A kernel without cgroup.kill, or nothing to kill: rmdir tells.
    drop(fs::write(parent().join("cgroup.kill"), "1"));
    for _ in 0..100 {
        if remove_below(&parent()).is_ok() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    eprintln!("lifecycle: {} could not be removed", parent().display());
}

fn remove_below(cgroup: &Path) -> Result<()> {
    for entry in fs::read_dir(cgroup)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_below(&entry.path())?;
        }
    }
    fs::remove_dir(cgroup)
}

/// The cgroup above all containers.
pub fn parent() -> std::path::PathBuf {
    Path::new(TREE).join(PARENT)
}

/// Whether containers get this controller: limits of its kind can be set.
pub fn has_controller(name: &str) -> bool {
    let given = fs::read_to_string(parent().join("cgroup.subtree_control"));
    given.is_ok_and(|given| given.split_whitespace().any(|word| word == name))
}

fn is_unified() -> bool {
    // SAFETY: an all-zero statfs is one; the path is a constant.
    unsafe {
        let mut found: libc::statfs = std::mem::zeroed();
        libc::statfs(c"/sys/fs/cgroup".as_ptr(), &raw mut found) == 0
            && found.f_type == CGROUP2_SUPER_MAGIC
    }
}

fn mount(source: &CStr, target: &CStr, kind: Option<&CStr>, flags: libc::c_ulong) -> Result<()> {
    let kind = kind.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: all texts outlive the call.
    checked(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, std::ptr::null()) })
}

fn checked(result: i32) -> Result<()> {
    if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}
