//! The runtime's side: the cgroup, the clone, the wait.

use std::ffi::CString;

use libc::c_int;

use crate::call::{c, call, exit_now, p, wait};
use crate::init::init;
use crate::options::Options;
use crate::{devices, root};

/// The runtime's side: the cgroup, the clone, the wait.
pub fn start(options: &Options) -> c_int {
    let cgroup = options.has("cgroup").then(|| make_cgroup(options));
    let mut namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWPID;
    for (part, flag) in [
        ("uts", libc::CLONE_NEWUTS),
        ("ipc", libc::CLONE_NEWIPC),
        ("net", libc::CLONE_NEWNET),
        ("cgroupns", libc::CLONE_NEWCGROUP),
    ] {
        namespaces |= if options.has(part) { flag } else { 0 };
    }
    let into = cgroup.as_ref().map(|(_, fd)| *fd);
    let first = if options.middle {
        clone3(0, into, || {
            // The init is this process's sister, so the runtime can wait for it.
            clone3(namespaces | libc::CLONE_PARENT, None, || init(options));
            exit_now(0)
        })
    } else {
        clone3(namespaces, into, || init(options))
    };
    let mut status = wait(first);
    if options.middle {
        status = wait(-1);
    }
    if let Some((path, _)) = cgroup {
        call!(SYS_unlinkat, root::HERE, p(&path), libc::AT_REMOVEDIR);
    }
    status
}

/// Makes and opens a cgroup named after this process, with its rules and limits.
fn make_cgroup(options: &Options) -> (CString, usize) {
    let parent = options.cgroup.as_deref().unwrap_or("/sys/fs/cgroup");
    let path = c(&format!("{parent}/floor-{}", std::process::id()));
    call!(SYS_mkdirat, root::HERE, p(&path), 0o755);
    let how = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let fd = call!(SYS_openat, root::HERE, p(&path), how, 0);
    if options.has("device-rules") {
        devices::attach(fd);
    }
    for (file, text) in &options.limits {
        let how = libc::O_WRONLY | libc::O_CLOEXEC;
        let limit = call!(SYS_openat, fd, p(&c(file)), how, 0);
        call!(SYS_write, limit, text.as_ptr(), text.len());
    }
    (path, fd)
}

/// clone3(2); the child runs `child`, which does not return. The exit signal is
/// 0, as CLONE_PARENT demands, so the wait needs __WALL.
fn clone3(flags: c_int, cgroup: Option<usize>, child: impl FnOnce() -> c_int) -> c_int {
    // struct clone_args of <linux/sched.h>: flags first, the cgroup last.
    let mut args = [0_u64; 11];
    args[0] = flags as u64;
    if let Some(cgroup) = cgroup {
        args[0] |= 0x2_0000_0000; // CLONE_INTO_CGROUP
        args[10] = cgroup as u64;
    }
    match call!(SYS_clone3, args.as_ptr(), size_of_val(&args)) {
        0 => child(),
        pid => pid as c_int,
    }
}
