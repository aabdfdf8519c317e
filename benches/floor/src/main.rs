//! The floor: what the isolation of a default container costs when nothing
//! else is paid for. No configuration, no state, no checks, no second thoughts:
//! only the system calls, in the order of jec's stages. What a runtime needs
//! beyond this time is the price of its own work.
//!
//! Every part has a switch, so that the price of each can be read: leave it
//! out, and look at the difference. It is a measuring instrument and no
//! runtime: it trusts the root it is given (paths instead of openat2), and
//! after an error it leaves its cgroup behind.

use std::ffi::{CStr, CString};
use std::time::Instant;

use libc::{c_int, c_long};

const USAGE: &str = "\
usage: floor [SWITCH...] ROOT PROGRAM [ARGUMENT...]
       floor --repeat N [SWITCH...] ROOT PROGRAM [ARGUMENT...]
       floor --time N COMMAND [ARGUMENT...]

Starts PROGRAM in the directory ROOT, isolated as jec does by default, and ends
with its exit status. Needs root, and cgroup2 on /sys/fs/cgroup.

  --repeat N     start N times, each as a process of its own, and print the
                 median, the least, the 10th and 90th percentile in microseconds
  --time N       the same clock around any other command
  --filter FILE  load the seccomp program in FILE (an array of struct sock_filter)
  --cgroup DIR   make the cgroup below DIR; otherwise /sys/fs/cgroup
  --middle       with a process between this one and the container's first
  --seal         run from a read-only detached mount of this binary

Left out, each with what depends on it:
  --no-cgroup  --no-uts  --no-ipc  --no-net  --no-cgroupns  --no-loopback
  --no-mounts (also no devices, masks)  --no-devices  --no-masks
  --no-bounding  --no-capset  --no-nnp  --no-session";

/// What remains after SECURITY's drop, as numbers of <linux/capability.h>: CHOWN
/// DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE
/// SYS_CHROOT SETFCAP.
const KEPT: [u32; 11] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31];
/// The highest capability of Linux 6.18: CAP_CHECKPOINT_RESTORE.
const LAST_CAP: u32 = 40;

/// Attributes of mount_setattr(2), from <linux/mount.h>.
const RDONLY: u64 = 1;
const NOSUID: u64 = 2;
const NODEV: u64 = 4;
const NOEXEC: u64 = 8;
/// OPEN_TREE_CLONE and OPEN_TREE_CLOEXEC.
const COPY: usize = 1 | libc::O_CLOEXEC as usize;
const MOVE_MOUNT_F_EMPTY_PATH: usize = 4;
const FSCONFIG_SET_STRING: usize = 1;
const FSCONFIG_CMD_CREATE: usize = 6;
const HERE: usize = libc::AT_FDCWD as usize;
const RECURSIVE: usize = libc::AT_RECURSIVE as usize;
const EMPTY_PATH: usize = libc::AT_EMPTY_PATH as usize;

/// Destination relative to the root, type, attributes, parameters.
type FileSystem = (&'static CStr, &'static CStr, u64, &'static [[&'static CStr; 2]]);
#[rustfmt::skip]
const MOUNTS: [FileSystem; 7] = [
    (c"proc", c"proc", NOSUID | NODEV | NOEXEC, &[]),
    (c"dev", c"tmpfs", NOSUID, &[[c"mode", c"755"], [c"size", c"64k"]]),
    (c"dev/pts", c"devpts", NOSUID | NOEXEC, &[[c"ptmxmode", c"666"], [c"mode", c"620"], [c"gid", c"5"]]),
    (c"dev/shm", c"tmpfs", NOSUID | NODEV | NOEXEC, &[[c"mode", c"1777"], [c"size", c"64m"]]),
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

/// A system call that has to succeed; a macro, because its name is its number's.
macro_rules! call {
    ($number:ident $(, $argument:expr)*) => {
        checked(stringify!($number), libc::$number, &[$($argument as usize),*])
    };
}

/// The command line, taken apart.
#[derive(Default)]
struct Options {
    left_out: Vec<String>,
    filter: Option<Vec<u8>>,
    cgroup: Option<String>,
    middle: bool,
    seal: bool,
    root: CString,
    program: Vec<CString>,
}

impl Options {
    fn has(&self, part: &str) -> bool {
        !self.left_out.iter().any(|left_out| left_out == part)
    }
}

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().cloned().as_deref() {
        Some(mode @ ("--repeat" | "--time")) if args.len() > 2 => {
            let count = args[1].parse().unwrap_or_else(|_| fail(&format!("{mode}: a number")));
            let mut command = args.split_off(2);
            if mode == "--repeat" {
                command.insert(0, "/proc/self/exe".into());
            }
            repeat(count, &command);
        }
        Some("-h" | "--help") | None => println!("{USAGE}"),
        _ => {
            let options = parse(args.into_iter());
            if options.seal && std::env::var_os("FLOOR_SEALED").is_none() {
                seal();
            }
            std::process::exit(start(&options));
        }
    }
}

/// Switches up to the root; what follows it is the program's.
fn parse(mut args: impl Iterator<Item = String>) -> Options {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // Read now: after the pivot the host's files are gone.
            "--filter" => {
                let file = std::fs::read(args.next().unwrap_or_default());
                options.filter =
                    Some(file.unwrap_or_else(|error| fail(&format!("--filter: {error}"))));
            }
            "--cgroup" => options.cgroup = args.next(),
            "--middle" => options.middle = true,
            "--seal" => options.seal = true,
            _ if arg.starts_with("--no-") && USAGE.split_whitespace().any(|word| word == arg) => {
                options.left_out.push(arg[5..].into());
            }
            _ if arg.starts_with('-') => fail(&format!("{arg}: no such switch; -h shows them")),
            _ => {
                options.root = c(&arg);
                break;
            }
        }
    }
    options.program = args.map(|arg| c(&arg)).collect();
    if options.program.is_empty() {
        fail("a root and a program are needed; -h shows the usage");
    }
    options
}

/// Runs the command `count` times and prints percentiles of the wall time,
/// which holds everything: the spawn, the loader, the work, the exit.
fn repeat(count: usize, command: &[String]) {
    let mut times: Vec<u128> = (0..count)
        .map(|_| {
            let begin = Instant::now();
            let status = std::process::Command::new(&command[0]).args(&command[1..]).status();
            if !status.is_ok_and(|status| status.success()) {
                fail(&format!("{} failed", command[0]));
            }
            begin.elapsed().as_micros()
        })
        .collect();
    times.sort_unstable();
    let at = |percent: usize| times.get(count * percent / 100).copied().unwrap_or(0);
    println!("{} us median, {} least, {} p10, {} p90, of {count}", at(50), at(0), at(10), at(90));
}

/// Executes this binary again from a read-only mount that is attached nowhere.
fn seal() {
    let mount = call!(SYS_open_tree, HERE, p(c"/proc/self/exe"), COPY);
    set_attributes(mount, RDONLY, 0);
    let args: Vec<CString> = std::env::args().map(|arg| c(&arg)).collect();
    execveat(mount, c"", &args, &[c("FLOOR_SEALED=1")]);
}

/// The runtime's side: the cgroup, the clone, the wait.
fn start(options: &Options) -> c_int {
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
        call!(SYS_unlinkat, HERE, p(&path), libc::AT_REMOVEDIR);
    }
    status
}

/// Makes and opens a cgroup named after this process.
fn make_cgroup(options: &Options) -> (CString, usize) {
    let parent = options.cgroup.as_deref().unwrap_or("/sys/fs/cgroup");
    let path = c(&format!("{parent}/floor-{}", std::process::id()));
    call!(SYS_mkdirat, HERE, p(&path), 0o755);
    let how = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let fd = call!(SYS_openat, HERE, p(&path), how, 0);
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

/// The container's first process: everything on its side, in jec's order.
fn init(options: &Options) -> ! {
    if options.has("session") {
        call!(SYS_setsid);
    }
    if options.has("net") && options.has("loopback") {
        loopback_up();
    }
    call!(SYS_umask, 0);
    enter_root(&options.root);
    if options.has("mounts") {
        MOUNTS.iter().for_each(mount);
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
    if options.has("uts") {
        call!(SYS_sethostname, p(c"floor"), 5);
    }
    drop_privileges(options);
    // Close on exec what is left above the standard streams.
    let cloexec = libc::CLOSE_RANGE_CLOEXEC as usize;
    call!(SYS_close_range, 3, u32::MAX, cloexec);
    let environment = [c("PATH=/usr/sbin:/usr/bin:/sbin:/bin")];
    if let Some(program) = &options.filter {
        load_filter(program);
    }
    execveat(HERE, &options.program[0], &options.program, &environment)
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
fn open_tree(at: usize, path: &CStr, flags: usize) -> Result<usize, i32> {
    try_call(libc::SYS_open_tree, &[at, p(path), COPY | flags])
}

fn set_attributes(mount: usize, attributes: u64, flags: usize) {
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
/// empty tmpfs, which all of them share. What this kernel does not have is skipped.
fn masks(with_null: bool) {
    let empty = new_mount(c"tmpfs", RDONLY | NOSUID | NODEV | NOEXEC, &[[c"nr_inodes", c"2"]]);
    let cpus = (0..).map(|cpu| format!("sys/devices/system/cpu/cpu{cpu}"));
    let cpus = cpus.take_while(|cpu| is_directory(&c(cpu)).is_some());
    let throttles: Vec<CString> = cpus.map(|cpu| c(&(cpu + "/thermal_throttle"))).collect();
    for path in MASKED.into_iter().chain(throttles.iter().map(|path| &**path)) {
        let cover = match is_directory(path) {
            None => continue,
            Some(true) => open_tree(empty, c"", EMPTY_PATH),
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

/// SIOCSIFFLAGS on lo; struct ifreq is a name of 16 bytes and 24 of union.
fn loopback_up() {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    let socket = call!(SYS_socket, libc::AF_INET, kind, 0);
    let mut request = [0_u8; 40];
    request[..2].copy_from_slice(b"lo");
    request[16..18].copy_from_slice(&(libc::IFF_UP as u16).to_ne_bytes());
    call!(SYS_ioctl, socket, libc::SIOCSIFFLAGS, request.as_ptr());
}

/// Bounding set, ids, exact sets, no_new_privs: SECURITY's order of dropping.
fn drop_privileges(options: &Options) {
    if options.has("bounding") {
        for cap in (0..=LAST_CAP).filter(|cap| !KEPT.contains(cap)) {
            call!(SYS_prctl, libc::PR_CAPBSET_DROP, cap, 0, 0, 0);
        }
    }
    call!(SYS_setgroups, 0, 0);
    call!(SYS_setresgid, 0, 0, 0);
    call!(SYS_setresuid, 0, 0, 0);
    if options.has("capset") {
        // struct __user_cap_header_struct, _LINUX_CAPABILITY_VERSION_3; then
        // effective, permitted, inheritable for the low and the high 32 bits.
        let header = [0x2008_0522_u32, 0];
        let kept = KEPT.iter().fold(0_u32, |set, cap| set | 1 << cap);
        let sets = [kept, kept, 0, 0, 0, 0];
        call!(SYS_capset, header.as_ptr(), sets.as_ptr());
    }
    if options.has("nnp") {
        call!(SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
}

/// Loads a program of struct sock_filter, 8 bytes an instruction.
fn load_filter(program: &[u8]) {
    // struct sock_fprog: the count, padding to the alignment of a pointer, the pointer.
    let fprog = [program.len() / 8, program.as_ptr() as usize];
    let mode = libc::SECCOMP_SET_MODE_FILTER as usize;
    call!(SYS_seccomp, mode, 0, fprog.as_ptr());
}

/// Ends this process or replaces it: 127 when the program cannot be started.
fn execveat(at: usize, path: &CStr, args: &[CString], environment: &[CString]) -> ! {
    let pointers = |list: &[CString]| list.iter().map(|text| p(text)).chain([0]).collect();
    let (args, environment): (Vec<usize>, Vec<usize>) = (pointers(args), pointers(environment));
    let flags = if path.is_empty() { EMPTY_PATH } else { 0 };
    let arguments = [at, p(path), args.as_ptr() as usize, environment.as_ptr() as usize, flags];
    let errno = try_call(libc::SYS_execveat, &arguments).err();
    eprintln!("floor: execve({path:?}): errno {}", errno.unwrap_or(0));
    exit_now(127)
}

/// The exit status of a child, as a shell counts: 128 + the signal that ended it.
fn wait(pid: c_int) -> c_int {
    let mut status = 0_i32;
    let place = &raw mut status as usize;
    call!(SYS_wait4, pid, place, libc::__WALL, 0);
    if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
}

fn fail(problem: &str) -> ! {
    eprintln!("floor: {problem}");
    exit_now(125)
}

/// _exit(2): a cloned child runs no handlers of its parent.
fn exit_now(status: usize) -> ! {
    loop {
        let _never = try_call(libc::SYS_exit_group, &[status]);
    }
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| fail("a text with a zero byte"))
}

/// A text as an argument of a system call.
fn p(text: &CStr) -> usize {
    text.as_ptr() as usize
}

/// What `call!` stands for: a system call that has to succeed.
fn checked(name: &str, number: c_long, arguments: &[usize]) -> usize {
    try_call(number, arguments).unwrap_or_else(|errno| {
        let error = std::io::Error::from_raw_os_error(errno);
        fail(&format!("{}: {error}", &name["SYS_".len()..]))
    })
}

/// Any system call: its result, or its errno.
fn try_call(number: c_long, arguments: &[usize]) -> Result<usize, i32> {
    let mut a = [0_usize; 6];
    a[..arguments.len()].copy_from_slice(arguments);
    // SAFETY: every pointer handed over is to a live value of its caller; clone3
    // is called without CLONE_VM by a process of one thread, as fork would be.
    let result = unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) };
    if result < 0 {
        return Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO));
    }
    Ok(result as usize)
}
