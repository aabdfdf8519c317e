//! How arguments are shown: in the words of strace(1) and of the man pages.

use std::fmt::{Debug, Display};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::mount::MsFlags;
use nix::sched::CloneFlags;

use super::mount::{AT_RECURSIVE, Change, OPEN_TREE_CLONE};

/// An argument that is made into text only when somebody reads it: a start has 400 calls,
/// and to write down the flags of each costs 0.1 ms.
pub struct Lazy<F: Fn() -> String>(pub F);

impl<F: Fn() -> String> Display for Lazy<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&(self.0)())
    }
}

/// A directory argument, as strace shows it.
pub fn dir(fd: BorrowedFd<'_>) -> impl Display {
    let number = fd.as_raw_fd();
    Lazy(move || if number == libc::AT_FDCWD { "AT_FDCWD".into() } else { number.to_string() })
}

/// Flags as `A|B`; `0` when there are none.
pub fn flags<F: Debug>(flags: &F) -> impl Display {
    Lazy(move || {
        let text = format!("{flags:?}");
        let inside = text.find('(').map_or(&*text, |at| text[at + 1..].trim_end_matches(')'));
        if inside.is_empty() || inside == "0x0" { "0".into() } else { inside.replace(" | ", "|") }
    })
}

const ATTRIBUTE_NAMES: [(u64, &str); 9] = [
    (libc::MOUNT_ATTR_RDONLY, "RDONLY"),
    (libc::MOUNT_ATTR_NOSUID, "NOSUID"),
    (libc::MOUNT_ATTR_NODEV, "NODEV"),
    (libc::MOUNT_ATTR_NOEXEC, "NOEXEC"),
    (libc::MOUNT_ATTR_NOATIME, "NOATIME"),
    (libc::MOUNT_ATTR_STRICTATIME, "STRICTATIME"),
    (libc::MOUNT_ATTR_NODIRATIME, "NODIRATIME"),
    (libc::MOUNT_ATTR_IDMAP, "IDMAP"),
    (libc::MOUNT_ATTR_NOSYMFOLLOW, "NOSYMFOLLOW"),
];

/// The names of MOUNT_ATTR_* bits, joined by `|`; `0` when there are none.
pub fn attributes(attributes: u64) -> impl Display {
    Lazy(move || {
        let set = ATTRIBUTE_NAMES.iter().filter(|(bit, _)| attributes & bit != 0);
        let words: Vec<_> = set.map(|(_, name)| *name).collect();
        if words.is_empty() { "0".into() } else { words.join("|") }
    })
}

/// How open_tree(2) opens.
pub fn tree(how: u32) -> &'static str {
    match (how & OPEN_TREE_CLONE, how & AT_RECURSIVE) {
        (0, 0) => "0",
        (_, 0) => "OPEN_TREE_CLONE",
        _ => "OPEN_TREE_CLONE|AT_RECURSIVE",
    }
}

/// What a mount is to become.
pub fn change(change: Change) -> impl Display {
    Lazy(move || {
        let (set, clear) = (attributes(change.set), attributes(change.clear));
        let propagation = MsFlags::from_bits_retain(change.propagation);
        format!("set={set}, clear={clear}, propagation={}", flags(&propagation))
    })
}

/// The flags of a clone3(2), and the cgroup that the child is born in.
pub fn clone(how: CloneFlags, cgroup: Option<BorrowedFd>) -> impl Display {
    Lazy(move || {
        let cgroup = cgroup.map(|fd| format!("|CLONE_INTO_CGROUP({})", fd.as_raw_fd()));
        format!("{}|CLONE_PIDFD{}", flags(&how), cgroup.unwrap_or_default())
    })
}

/// Kinds of namespaces as unshare(2) spells them; nix has no name for the time namespace.
pub fn kinds(namespaces: CloneFlags) -> impl Display {
    Lazy(move || flags(&namespaces).to_string().replace("0x80", "CLONE_NEWTIME"))
}
