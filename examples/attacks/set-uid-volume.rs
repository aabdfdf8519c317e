//! Leave a set-user-ID program of root in a volume, for an ordinary user of the host to start.
//!
//! Stopped by `user-namespace`: root inside is an ordinary user outside, and so is whoever owns
//! its files. No call fails: the program gives nobody anything. See user_namespaces(7).

use std::fs::{Permissions, copy, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::{Attempt, Host, Seen, when};

/// The program is this one: on the host it reads the secret (see old-root).
pub fn attack() -> Attempt {
    copy("/proc/self/exe", "/vol/gift")?;
    set_permissions("/vol/gift", Permissions::from_mode(0o4755))?;
    Ok("/vol/gift is a set-user-ID program".into())
}

/// An ordinary user of the host starts it.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    let mut gift = Command::new(host.path("volume/gift"));
    gift.args(["attack", "--inside", "old-root"]).env("JEC_HOST", &host.directory);
    let said = gift.uid(65534).gid(65534).stdin(Stdio::null()).output().ok()?.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    when(said.contains(&host.secret), "an ordinary user of the host is root by it")
}
