//! Lift one's own limits.
//!
//! Stopped in `mounts`: the container sees its cgroup through a read-only mount. EROFS. And by the
//! cgroup namespace: where the tree is mounted with nsdelegate, as by systemd, nobody inside may
//! write the limits of its topmost group. See cgroup_namespaces(7), CVE-2023-25809.

use super::{Attempt, Host, Seen, read, when};

/// The limit goes with the container.
pub fn attack() -> Attempt {
    let own = std::fs::read_to_string("/proc/self/cgroup")?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    std::fs::write(format!("/sys/fs/cgroup{own}/pids.max"), "max")?;
    Ok("any number of processes".into())
}

/// The limit as the host reads it.
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    let group = seen.read("cgroup");
    let group = group.lines().find_map(|line| line.strip_prefix("0::"))?;
    let limit = read(format!("/sys/fs/cgroup{group}/pids.max"));
    when(limit == "max", "its cgroup has no limit any more")
}
