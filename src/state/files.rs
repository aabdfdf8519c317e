//! What the states are kept with: files that are replaced whole, and what tells
//! one process, one boot and one owner from another.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::FileStat;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result, ensure, unless};
use crate::sys::{credentials, directory, file};

/// To be written from the beginning.
pub(super) const NEW: OFlag = OFlag::O_WRONLY.union(OFlag::O_CREAT).union(OFlag::O_TRUNC);

/// No file of ours is larger.
pub(super) const LIMIT: usize = 64 * 1024 * 1024;

/// /run/jec for root; for anybody else below XDG_RUNTIME_DIR, or a directory of her own in /tmp.
/// Root of a user namespace is somebody else, too: so rootless engines call us.
pub(super) fn default_root(uid: u32) -> Result<String> {
    let hers = std::env::var("XDG_RUNTIME_DIR").ok();
    let hers = hers.filter(|dir| dir.starts_with('/') && Path::new(dir).is_dir());
    Ok(match hers {
        Some(dir) if uid != 0 || !credentials::in_the_initial_user_namespace()? => {
            format!("{dir}/jec")
        }
        _ if uid == 0 => "/run/jec".into(),
        _ => format!("/tmp/jec-{uid}"),
    })
}

/// Makes a directory, and those above it, where they are missing.
pub fn make(path: &Path) -> Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let once = || unless(&[Errno::EEXIST], file::mkdirat(file::HERE, &name, 0o700)).map(drop);
    match (once(), path.parent()) {
        (Err(error), Some(above)) if error.is(Errno::ENOENT) => make(above).and_then(|()| once()),
        (made, _) => made,
    }
}

pub(super) fn check_owner(path: &str, uid: u32, stat: &FileStat) -> Result<()> {
    let (owner, mode) = (stat.st_uid, stat.st_mode & 0o7777);
    ensure(owner == uid && mode & 0o022 == 0, || {
        let whose = format!("the state directory {path} (uid {owner}, mode {mode:#o})");
        let lacks = format!("{whose}: somebody else could write into it");
        Error::machine(lacks, "remove it, or choose another one: jec --root DIR …")
    })
}

/// Removes the files of a container. The intent goes last: until then, what is
/// left can still be found; the configuration before it, with the hooks of the end.
pub(super) fn empty(dir: BorrowedFd) -> Result<()> {
    let last = [c"state.json", c"config.json", c"intent.json"];
    let mut names = directory::names(dir)?;
    names.sort_by_key(|name| last.iter().position(|last| name.as_c_str() == *last));
    names.iter().try_for_each(|name| file::remove(dir, name, false).map(drop))
}

/// Replaces a file as a whole: a reader sees the old one or the new one.
pub fn replace<T: Serialize>(dir: BorrowedFd, name: &CStr, value: &T) -> Result<()> {
    let problem = |error: serde_json::Error| Error::config("state", error.to_string());
    let text = serde_json::to_vec(value).map_err(problem)?;
    let temporary = CString::new(format!("{}.new", name.to_string_lossy()))?;
    let out = file::openat(dir, &temporary, NEW, 0o600)?;
    file::write(out.as_fd(), &text)?;
    file::fsync(out.as_fd())?;
    file::renameat(dir, &temporary, name)?;
    file::fsync(dir)
}

/// What such a file says; what was never written, or is torn, says nothing.
pub fn read<T: DeserializeOwned + Default>(dir: BorrowedFd, name: &CStr) -> T {
    let text = file::read_file(dir, name, LIMIT).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

pub(super) fn boot_id(proc: BorrowedFd) -> Result<String> {
    Ok(file::read_file(proc, c"sys/kernel/random/boot_id", 64)?.trim().into())
}

/// Field 22 of /proc/PID/stat, counted behind the name in parentheses, which
/// may hold anything. None when there is no such process, or only its zombie.
pub fn start_time(proc: BorrowedFd, pid: i32) -> Option<u64> {
    let text = file::read_file(proc, &CString::new(format!("{pid}/stat")).ok()?, 4096).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}
