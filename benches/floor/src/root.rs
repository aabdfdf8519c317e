//! The root file system: mounts, devices, masks.

use std::ffi::{CStr, CString};

use crate::call::{c, call, fail, p, try_call};
use crate::options::Options;

/// Attributes of mount_setattr(2), from <linux/mount.h>.
pub const RDONLY: u64 = 1;
const NOSUID: u64 = 2;
const NODEV: u64 = 4;
const NOEXEC: u64 = 8;
/// OPEN_TREE_CLONE and OPEN_TREE_CLOEXEC.
pub const COPY: usize = 1 | libc::O_CLOEXEC as usize;
const MOVE_MOUNT_F_EMPTY_PATH: usize = 4;
const FSCONFIG_SET_STRING: usize = 1;
const FSCONFIG_CMD_CREATE: usize = 6;
pub const HERE: usize = libc::AT_FDCWD as usize;
pub const RECURSIVE: usize = libc::AT_RECURSIVE as usize;
pub const EMPTY_PATH: usize = libc::AT_EMPTY_PATH as usize;

/// Destination relative to the root, type, attributes, parameters.
type FileSystem = (&'static CStr, &'static CStr, u64, &'static [[&'static CStr; 2]]);
#[rustfmt::skip]
const MOUNTS: [FileSystem; 7] = [
    (c"proc", c"proc", NOSUID | NODEV | NOEXEC, &[]),
    (c"dev", c"tmpfs", NOSUID, &[[c"mode", c"755"], [c"size", c"65536k"]]),
    (c"dev/pts", c"devpts", NOSUID | NOEXEC, &[[c"ptmxmode", c"666"], [c"mode", c"620"], [c"gid", c"5"]]),
    (c"dev/shm", c"tmpfs", NOSUID | NODEV | NOEXEC, &[[c"mode", c"1777"], [c"size", c"65536k"]]),
    (c"dev/mqueue", c"mqueue", NOSUID | NODEV | NOEXEC, &[]),
    (c"sys", c"sysfs", NOSUID | NODEV | NOEXEC | RDONLY, &[]),
    (c"sys/fs/cgroup", c"cgroup2", NOSUID | NODEV | NOEXEC | RDONLY, &[]),
];

#[rustfmt::skip]
const DEVICES: [(&CStr, u32, u32); 6] = [
    (c"dev/null", 1, 3), (c"dev/zero", 1, 5), (c"dev/full", 1, 7),
    (c"dev/random", 1, 8), (c"dev/urandom", 1, 9), (c"dev/tty", 5, 0),
];
#[rustfmt::skip]
const LINKS: [[&CStr; 2]; 5] = [
    [c"/proc/self/fd", c"dev/fd"],
    [c"/proc/self/fd/0", c"dev/stdin"],
    [c"/proc/self/fd/1", c"dev/stdout"],
    [c"/proc/self/fd/2", c"dev/stderr"],
    [c"pts/ptmx", c"dev/ptmx"],
];

/// Hidden; the paths of every cpu's thermal_throttle are added at run time.
#[rustfmt::skip]
const MASKED: [&CStr; 12] = [
    c"proc/acpi", c"proc/asound", c"proc/interrupts", c"proc/kcore", c"proc/keys",
    c"proc/latency_stats", c"proc/sched_debug", c"proc/scsi", c"proc/timer_list",
    c"proc/timer_stats", c"sys/devices/virtual/powercap", c"sys/firmware",
];
const READ_ONLY: [&CStr; 5] =
    [c"proc/bus", c"proc/fs", c"proc/irq", c"proc/sys", c"proc/sysrq-trigger"];

/// Makes the root a mount, and fills it.
pub fn build(options: &Options) {
    call!(SYS_umask, 0);
    enter_root(&options.root);
    if options.has("mounts") {
        MOUNTS.iter().for_each(mount);
        options.binds.iter().for_each(|(from, to)| bind(from, to));
        if options.has("devices") {
            devices();
        }
        if options.has("masks") {
            masks(options.has("devices"));
        }
    }
    // The old root lands on top of the new one, and is taken off again.
    call!(SYS_pivot_root, p(c"."), p(c"."));
    call!(SYS_umount2, p(c"."), libc::MNT_DETACH);
    call!(SYS_chdir, p(c"/"));
    call!(SYS_umask, 0o022);
}

/// A mount of the root on itself, which pivot_root needs, and nothing that leaks out.
fn enter_root(root: &CStr) {
    let slave = [0, 0, libc::MS_SLAVE, 0];
    call!(SYS_mount_setattr, HERE, p(c"/"), RECURSIVE, slave.as_ptr(), 32);
    let tree = open_tree(HERE, root, RECURSIVE).unwrap_or_else(|_| fail("open_tree of the root"));
    call!(SYS_move_mount, tree, p(c""), HERE, p(root), MOVE_MOUNT_F_EMPTY_PATH);
    call!(SYS_chdir, p(root));
}

fn mount((destination, kind, attributes, parameters): &FileSystem) {
    if destination.to_bytes().starts_with(b"dev/") {
        call!(SYS_mkdirat, HERE, p(destination), 0o755);
    }
    let new = new_mount(kind, *attributes, parameters);
    attach(new, destination);
}

/// A file or directory of the host; the working directory is the root already.
fn bind(from: &CStr, to: &CStr) {
    let tree = open_tree(HERE, from, RECURSIVE).unwrap_or_else(|_| fail("open_tree of a bind"));
    set_attributes(tree, NOSUID | NODEV | NOEXEC, RECURSIVE);
    attach(tree, to);
}

fn new_mount(kind: &CStr, attributes: u64, parameters: &[[&CStr; 2]]) -> usize {
    let context = call!(SYS_fsopen, p(kind), 1);
    for [key, value] in parameters {
        call!(SYS_fsconfig, context, FSCONFIG_SET_STRING, p(key), p(value), 0);
    }
    call!(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
    call!(SYS_fsmount, context, 1, attributes)
}

fn attach(mount: usize, destination: &CStr) {
    call!(SYS_move_mount, mount, p(c""), HERE, p(destination), MOVE_MOUNT_F_EMPTY_PATH);
}

/// A detached copy of a mount; the errno where there is nothing to copy.
pub fn open_tree(at: usize, path: &CStr, flags: usize) -> Result<usize, i32> {
    try_call(libc::SYS_open_tree, &[at, p(path), COPY | flags])
}

pub fn set_attributes(mount: usize, attributes: u64, flags: usize) {
    let attr = [attributes, 0, 0, 0];
    let flags = EMPTY_PATH | flags;
    call!(SYS_mount_setattr, mount, p(c""), flags, attr.as_ptr(), 32);
}

fn devices() {
    for (path, major, minor) in DEVICES {
        let (mode, device) = (libc::S_IFCHR | 0o666, libc::makedev(major, minor));
        call!(SYS_mknodat, HERE, p(path), mode, device);
    }
    for [target, link] in LINKS {
        call!(SYS_symlinkat, p(target), HERE, p(link));
    }
}

/// A file is hidden behind the container's /dev/null, a directory behind one
/// empty tmpfs, which all of them share where the kernel lets a mount that is nowhere
/// be copied (Linux 6.15). What this kernel does not have is skipped.
fn masks(with_null: bool) {
    let tmpfs = || new_mount(c"tmpfs", RDONLY | NOSUID | NODEV | NOEXEC, &[[c"nr_inodes", c"2"]]);
    let empty = tmpfs();
    let cpus = (0..).map(|cpu| format!("sys/devices/system/cpu/cpu{cpu}"));
    let cpus = cpus.take_while(|cpu| is_directory(&c(cpu)).is_some());
    let throttles: Vec<CString> = cpus.map(|cpu| c(&(cpu + "/thermal_throttle"))).collect();
    for path in MASKED.into_iter().chain(throttles.iter().map(|path| &**path)) {
        let cover = match is_directory(path) {
            None => continue,
            Some(true) => open_tree(empty, c"", EMPTY_PATH).or_else(|_| Ok(tmpfs())),
            Some(false) if with_null => open_tree(HERE, c"dev/null", 0),
            Some(false) => continue,
        };
        attach(cover.unwrap_or_else(|_| fail("open_tree of a mask")), path);
    }
    for path in READ_ONLY {
        if let Ok(tree) = open_tree(HERE, path, RECURSIVE) {
            set_attributes(tree, RDONLY, RECURSIVE);
            attach(tree, path);
        }
    }
}

/// None: there is no such path.
fn is_directory(path: &CStr) -> Option<bool> {
    let how = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    match try_call(libc::SYS_openat, &[HERE, p(path), how as usize, 0]) {
        Ok(_) => Some(true),
        Err(libc::ENOTDIR) => Some(false),
        Err(_) => None,
    }
}
