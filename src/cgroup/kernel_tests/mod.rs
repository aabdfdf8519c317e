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
use crate::plan::{self, DeviceKind, DeviceRule, Plan};

/// A thread's own view of cgroup2; false, with the reason, where that cannot be had.
fn view() -> bool {
    let none = None::<&str>;
    let private = unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none));
    let done = match root() {
        // A second mount of it on the same place would be EBUSY.
        Ok(Some(_)) => private,
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

fn plan(cgroup: &plan::Cgroup, id: &str) -> Plan {
    Plan { cgroup: cgroup.clone(), ..Plan::nothing(id) }
}

fn place(plan: &Plan) -> Result<Result<Placement<'_>, String>> {
    Hierarchy::look()?.place(plan, false)
}

/// The error of a place that cannot be.
fn refused(cgroup: &plan::Cgroup, id: &str) -> Error {
    place(&plan(cgroup, id)).err().unwrap()
}

fn made(cgroup: &plan::Cgroup) -> Cgroup {
    let plan = plan(cgroup, &unique());
    place(&plan).unwrap().unwrap().make().unwrap()
}

/// A shell that enters the cgroup and runs `script`.
fn shell(cgroup: &Cgroup, script: &str) -> Child {
    let text = format!("echo $$ > /sys/fs/cgroup{}/cgroup.procs || exit 9; {script}", cgroup.path);
    Command::new("sh").args(["-c", &text]).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_populated(cgroup: &Cgroup) {
    let deadline = soon();
    while cgroup.wait_empty(Instant::now()).unwrap() {
        assert!(Instant::now() < deadline);
    }
}
