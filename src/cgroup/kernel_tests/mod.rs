//! With the real kernel: each test has a mount namespace of its own in which
//! cgroup2 is mounted on /sys/fs/cgroup, whatever the machine has there.

mod life;
mod limits;
mod rootless;

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::error::Error;
use crate::plan::{self, DeviceKind, DeviceRule};

/// A thread's own view of cgroup2; false, with the reason, where that cannot be had.
fn view() -> bool {
    let none = None::<&str>;
    let private = unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none));
    let done = match detect() {
        // A second mount of it on the same place would be EBUSY.
        Ok(Support::Unified(_)) => private,
        _ => private.and_then(|()| {
            mount(Some("cgroup2"), "/sys/fs/cgroup", Some("cgroup2"), MsFlags::empty(), none)
        }),
    };
    if let Err(errno) = done {
        eprintln!("skipped: no view of cgroup2 of our own ({errno})");
    }
    done.is_ok()
}

fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn placed(plan: &plan::Cgroup, id: &str) -> Placement {
    match place(plan, id).unwrap() {
        Place::At(placement) => placement,
        Place::Nowhere { why } => panic!("{why}"),
    }
}

fn made(plan: &plan::Cgroup) -> Cgroup {
    placed(plan, &unique()).make().unwrap().0
}

/// A shell that enters the cgroup and runs `script`.
fn shell(cgroup: &Cgroup, script: &str) -> Child {
    let text = format!("echo $$ > /sys/fs/cgroup{}/cgroup.procs || exit 9; {script}", cgroup.path);
    Command::new("sh").args(["-c", &text]).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_populated(cgroup: &Cgroup) {
    let deadline = soon();
    while cgroup.is_empty().unwrap() {
        assert!(Instant::now() < deadline);
    }
}
