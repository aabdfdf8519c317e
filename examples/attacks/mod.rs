//! The attacks: a table, and what they share. How they are run is in src/attacks.
#![allow(clippy::unnecessary_wraps)] // one that cannot fail has the type of those that can

use std::env;
use std::fs;
use std::io::{self, Read, Write};

use nix::errno::Errno;
use nix::unistd::Pid;
use serde::Serialize;

use crate::error::Error;

#[path = "abstract-socket.rs"]
mod abstract_socket;
#[path = "below-read-only.rs"]
mod below_read_only;
mod chroot;
mod clock;
mod clone3;
#[path = "core-pattern.rs"]
mod core_pattern;
#[path = "cpu-hog.rs"]
mod cpu_hog;
mod descriptor;
mod disk;
#[path = "file-hog.rs"]
mod file_hog;
#[path = "fork-bomb.rs"]
mod fork_bomb;
pub mod host;
#[path = "host-name.rs"]
mod host_name;
#[path = "image-link.rs"]
mod image_link;
#[path = "kernel-log.rs"]
mod kernel_log;
#[path = "kernel-setting.rs"]
mod kernel_setting;
mod keyring;
#[path = "memory-hog.rs"]
mod memory_hog;
#[path = "message-queue.rs"]
mod message_queue;
mod module;
#[path = "mount-leak.rs"]
mod mount_leak;
#[path = "old-root.rs"]
mod old_root;
pub mod openings;
#[path = "own-limit.rs"]
mod own_limit;
mod pod;
mod processes;
mod ptrace;
#[path = "raw-socket.rs"]
mod raw_socket;
#[path = "release-agent.rs"]
mod release_agent;
#[path = "root-file.rs"]
mod root_file;
#[path = "runtime-binary.rs"]
mod runtime_binary;
#[path = "set-uid-program.rs"]
mod set_uid_program;
#[path = "set-uid-volume.rs"]
mod set_uid_volume;
mod signal;
mod sysrq;
mod terminal;
#[path = "thirty-two-bit.rs"]
mod thirty_two_bit;
#[path = "user-namespace.rs"]
mod user_namespace;

pub use host::{Host, read};

/// One attack.
#[derive(Serialize)]
pub struct Attack {
    /// As its file.
    #[serde(rename = "attack")]
    pub name: &'static str,
    /// Flags of `jec spec` for both its containers, with the directory of the host for HOST; words
    /// with a + are openings that both have.
    pub setting: &'static str,
    /// What is left out so that it succeeds: stages as `--skip` takes them, and openings.
    pub without: &'static str,
    /// What comes of it with everything on: an errno, a signal, or "no harm" where no call fails.
    pub predicted: &'static str,
    /// What it takes to succeed at all, in the words of [`host::lacks`].
    pub needs: &'static str,
    /// The program.
    #[serde(skip)]
    pub run: fn() -> Attempt,
    /// The harm as the host sees it, while the program holds still.
    #[serde(skip)]
    pub harm: Harm,
}

/// All of them, by what they are after: processes, the host, files, limits, privileges, the kernel.
#[rustfmt::skip]
pub const ATTACKS: &[Attack] = &[
    attack("signal", "", "pid-namespace", ("ESRCH", ""), (signal::attack, signal::harm)),
    attack("ptrace", "", "pid-namespace,bounding,no-new-privs", ("ESRCH", "root"), (ptrace::attack, ptrace::harm)),
    attack("processes", "", "pid-namespace", ("ENOENT", ""), (processes::attack, processes::harm)),
    attack("host-name", "", "uts-namespace,bounding,no-new-privs,seccomp", ("EPERM", "root"), (host_name::attack, host_name::harm)),
    attack("mount-leak", "-v HOST/volume:/vol --cap-add SYS_ADMIN", "propagation", ("no harm", "root"), (mount_leak::attack, mount_leak::harm)),
    attack("chroot", "", "pivot-root", ("ENOENT", ""), (chroot::attack, chroot::harm)),
    attack("old-root", "", "pivot-root", ("ENOENT", ""), (old_root::attack, old_root::harm)),
    attack("disk", "", "bounding,no-new-privs,cgroup", ("EPERM", "root disk"), (disk::attack, disk::harm)),
    attack("sysrq", "+log", "masks", ("EROFS", "root /proc/sysrq-trigger /dev/kmsg"), (sysrq::attack, sysrq::harm)),
    attack("kernel-setting", "+lease", "masks", ("EROFS", "root"), (kernel_setting::attack, kernel_setting::harm)),
    attack("core-pattern", "+core", "masks", ("EROFS", "root broken"), (core_pattern::attack, core_pattern::harm)),
    attack("release-agent", "", "bounding,no-new-privs,seccomp", ("EPERM", "root cgroup1"), (release_agent::attack, release_agent::harm)),
    attack("fork-bomb", "--pids 64", "cgroup", ("EAGAIN", "pids"), (fork_bomb::attack, fork_bomb::harm)),
    attack("memory-hog", "--memory 64M --swap 0", "cgroup", ("SIGKILL", "memory"), (memory_hog::attack, memory_hog::harm)),
    attack("cpu-hog", "--cpus 0.2", "cgroup", ("no harm", "cpu"), (cpu_hog::attack, cpu_hog::harm)),
    attack("own-limit", "--pids 64", "cgroup-ro,cgroup-namespace", ("EROFS", "pids"), (own_limit::attack, own_limit::harm)),
    attack("file-hog", "--ulimit nofile=64", "limits", ("EMFILE", ""), (file_hog::attack, file_hog::harm)),
    attack("descriptor", "", "fds", ("ENOENT", ""), (descriptor::attack, descriptor::harm)),
    attack("runtime-binary", "+runtime", "seal", ("EROFS", "root"), (runtime_binary::attack, runtime_binary::harm)),
    attack("image-link", "-v HOST/volume:/vol/made HOST/image", "openat2", ("no harm", ""), (image_link::attack, image_link::harm)),
    attack("below-read-only", "-v HOST/volume:/vol:ro", "rro", ("EROFS", "root"), (below_read_only::attack, below_read_only::harm)),
    attack("set-uid-volume", "-v HOST/volume:/vol --uidmap 0:100000:65536", "user-namespace", ("no harm", "root"), (set_uid_volume::attack, set_uid_volume::harm)),
    attack("set-uid-program", "+program -v HOST/volume:/vol --user 1000", "no-new-privs", ("EACCES", "ids suid"), (set_uid_program::attack, set_uid_program::harm)),
    attack("root-file", "-v HOST/volume:/vol --user 1000", "identity", ("EACCES", "ids"), (root_file::attack, root_file::harm)),
    attack("user-namespace", "", "seccomp", ("EPERM", ""), (user_namespace::attack, user_namespace::harm)),
    attack("clone3", "", "seccomp", ("ENOSYS", ""), (clone3::attack, clone3::harm)),
    attack("thirty-two-bit", "", "seccomp", ("SIGSYS", "/proc/sys/abi/vsyscall32"), (thirty_two_bit::attack, thirty_two_bit::harm)),
    attack("terminal", "", "session", ("ENXIO", "tiocsti"), (terminal::attack, terminal::harm)),
    attack("keyring", "", "session,seccomp", ("EPERM", ""), (keyring::attack, keyring::harm)),
    attack("message-queue", "", "ipc-namespace", ("ENOENT", "root"), (message_queue::attack, message_queue::harm)),
    attack("pod", "+pod", "join", ("ENOENT", "root"), (pod::attack, pod::harm)),
    attack("abstract-socket", "", "network-namespace", ("ECONNREFUSED", ""), (abstract_socket::attack, abstract_socket::harm)),
    attack("raw-socket", "", "bounding,no-new-privs", ("EPERM", ""), (raw_socket::attack, raw_socket::harm)),
    attack("module", "", "bounding,no-new-privs,seccomp", ("EPERM", "root /proc/modules"), (module::attack, module::harm)),
    attack("clock", "", "bounding,capabilities,seccomp", ("EPERM", "root"), (clock::attack, clock::harm)),
    attack("kernel-log", "+log", "bounding,no-new-privs,seccomp", ("EPERM", "root /dev/kmsg"), (kernel_log::attack, kernel_log::harm)),
];

const fn attack(
    name: &'static str,
    setting: &'static str,
    without: &'static str,
    (predicted, needs): (&'static str, &'static str),
    (run, harm): (fn() -> Attempt, Harm),
) -> Attack {
    Attack { name, setting, without, predicted, needs, run, harm }
}

impl Attack {
    /// What stops it.
    pub fn stops(&self) -> Vec<&'static str> {
        self.without.split(',').collect()
    }

    /// Carries it out: what `jec attack --inside` does in the container. A line tells what came of
    /// it, and the exit status is the errno.
    pub fn carry_out(&self) -> u8 {
        // Not where no host was made for it: somebody's own would be renamed.
        let (line, status) = match told("HOST").and_then(|_| (self.run)()) {
            Ok(reached) => (format!("reached: {}", reached.replace(['\n', '\0'], " ")), 0),
            Err(Refused(errno)) => (format!("{errno:?}"), errno as u8),
        };
        drop(writeln!(io::stdout(), "{line}"));
        if status == 0 {
            // Held still, to be looked at, until whoever looks closes the other end.
            drop(io::stdin().read_to_end(&mut Vec::new()));
        }
        status
    }
}

/// A look at the host, and at the attacker: the harm in words, where there is some.
pub type Harm = fn(&mut Host, &Seen) -> Option<String>;

/// What came of an attack: what was reached, or what the kernel answered.
pub type Attempt = Result<String, Refused>;

/// The kernel's answer to an attack that failed.
#[derive(Debug)]
pub struct Refused(pub Errno);

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Self(errno)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self(error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw))
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(Errno::from_raw(error.errno()))
    }
}

/// What the attacker is told ([`Host::told`]): paths and numbers of the host, never its secret.
fn told(name: &str) -> Result<String, Refused> {
    env::var(format!("JEC_{name}")).map_err(|_| Refused(Errno::EINVAL))
}

/// The number of a process of the host.
fn victim() -> Result<Pid, Refused> {
    told("VICTIM")?.parse().map(Pid::from_raw).map_err(|_| Refused(Errno::EINVAL))
}

/// An attacker, as the host sees it.
#[derive(Debug, Default)]
pub struct Seen {
    /// Its number; 0 when there is none any more.
    pub pid: i32,
    /// What it says that it has reached.
    pub text: String,
}

impl Seen {
    /// A file of its own in the host's /proc.
    fn read(&self, name: &str) -> String {
        read(format!("/proc/{}/{name}", self.pid))
    }

    /// The value of a line of proc_pid_status(5).
    fn status(&self, name: &str) -> Option<String> {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().into())
    }

    /// Its children.
    fn children(&self) -> Vec<Self> {
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let all = all.map(|pid| Self { pid, text: String::new() });
        let parent = self.pid.to_string();
        all.filter(|process| process.status("PPid:").as_ref() == Some(&parent)).collect()
    }

    /// Whether it or a child has CAP_SYS_ADMIN, which no container has by default.
    fn is_powerful(&self) -> bool {
        const CAP_SYS_ADMIN: u64 = 21; // <linux/capability.h>
        let set = |seen: &Self| u64::from_str_radix(&seen.status("CapEff:")?, 16).ok();
        let has = |seen: &Self| set(seen).is_some_and(|set| set >> CAP_SYS_ADMIN & 1 == 1);
        has(self) || self.children().iter().any(has)
    }
}

/// The harm in words, where there is some.
fn when(is_so: bool, words: impl Into<String>) -> Option<String> {
    is_so.then(|| words.into())
}
