//! The flags that make a container: the same for `jec run` and `jec spec`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::plan::IdRange;
use crate::plan::flags::user;
use crate::plan::flags::user::UserFlag;
use crate::plan::flags::{
    capabilities::{self, CapabilityName},
    environment::{self, Variable},
    ids,
    kernel::{self, TimeOffset},
    mounts::{self, MountFlag},
    quantity::{self, Limit},
    rlimits::{self, UlimitFlag},
    seccomp::{self, SeccompFlag},
    target,
};

/// What the container can see of the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Net {
    /// Only itself: a network namespace with nothing but loopback.
    #[default]
    None,
    /// Everything: the host's own network.
    Host,
}

/// Which user namespace the container lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Userns {
    /// The host's: root in the container is root.
    Host,
    /// A new one with the ranges of /etc/subuid, where there are any.
    Auto,
    /// A new one that knows a single user: yours, as root.
    Single,
}

/// How TARGET stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OverlayFlag {
    /// overlayfs shows it, and what is changed above it.
    Mount,
    /// The container works on a copy.
    Copy,
}

/// The flags that make a container: the same for `jec run` and `jec spec`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)]
pub struct ContainerFlags {
    /// Directory of a root file system (with a slash: ./rootfs), an image (oci:DIR,
    /// docker-archive:FILE, or image:NAME of `jec image`) or the id of a
    /// container made from a bundle (without one); left out: a root made from
    /// this machine's own /usr. After it, or after `--`, comes the command
    /// with its arguments [default: /bin/sh]
    #[arg(value_name = "TARGET] [COMMAND", trailing_var_arg = true)]
    #[arg(allow_hyphen_values = false)]
    words: Vec<String>,
    /// The words of the command, once [`parse`](super::parse) has told them from the target.
    #[arg(skip)]
    pub command: Vec<String>,
    /// A `--` stood before the command.
    #[arg(skip)]
    pub separated: bool,
    /// TARGET, as written.
    #[arg(skip)]
    pub target: Option<String>,
    /// The flags that were given, as written on the command line: `--memory`.
    #[arg(skip)]
    pub given: Vec<String>,

    /// The container's id: letters, digits and _ + . - [default: jec chooses]
    #[arg(long, value_name = "ID", value_parser = target::id)]
    pub name: Option<String>,
    /// Host name inside; at most 64 bytes, e.g. web1 [default: the id]
    #[arg(long, value_name = "NAME", value_parser = target::host_name)]
    pub hostname: Option<String>,
    /// NIS domain name inside, as `domainname` prints it
    #[arg(long, value_name = "NAME", value_parser = target::host_name)]
    pub domainname: Option<String>,

    /// Environment variable; without =VALUE a copy of your own, e.g. -e LANG=C -e EDITOR
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = environment::variable)]
    #[arg(help_heading = "Process")]
    pub env: Vec<Variable>,
    /// Directory to start in, e.g. /tmp [default: /]
    #[arg(short, long, value_name = "DIR", value_parser = mounts::destination)]
    #[arg(help_heading = "Process")]
    pub workdir: Option<String>,
    /// Who runs the command; names come from the root's own /etc/passwd, e.g. 1000:1000 or nobody
    #[arg(short, long, value_name = "USER[:GROUP]", value_parser = user::user_flag)]
    #[arg(help_heading = "Process")]
    pub user: Option<UserFlag>,
    /// Of an image: what to run in place of its entrypoint and its command; "" for neither
    #[arg(long, value_name = "PROGRAM", help_heading = "Process")]
    pub entrypoint: Option<String>,
    /// Give the command a terminal of its own [default: if jec itself has one]
    #[arg(short, long, overrides_with = "no-tty", help_heading = "Process")]
    pub tty: bool,
    /// No terminal: standard input and output are passed on as they are
    #[arg(id = "no-tty", long, overrides_with = "tty", help_heading = "Process")]
    pub plain: bool,
    /// Accepted so that -it works: standard input always reaches the command
    #[arg(short, long, help_heading = "Process")]
    pub interactive: bool,
    /// Run a small process 1 before the command: it reaps orphans and passes signals on
    #[arg(long, help_heading = "Process")]
    pub init: bool,
    /// Resource limit of setrlimit(2): NAME=BOTH or NAME=SOFT:HARD, numbers or unlimited, e.g. nofile=1024:2048
    #[arg(long, value_name = "LIMIT", value_parser = rlimits::ulimit)]
    #[arg(help_heading = "Process")]
    pub ulimit: Vec<UlimitFlag>,
    /// Whom the kernel ends first when memory is short: -1000 (never) to 1000 (first)
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Process")]
    #[arg(value_parser = clap::value_parser!(i32).range(-1000..=1000))]
    pub oom_score_adj: Option<i32>,

    /// Most memory, in bytes or with K, M, G, T (powers of 1024), e.g. 64M. Swap has a limit of its own
    #[arg(short, long, value_name = "SIZE", value_parser = quantity::size_above_zero)]
    #[arg(help_heading = "Limits")]
    pub memory: Option<u64>,
    /// Memory above which the container is slowed down and made to give some back, e.g. 48M
    #[arg(long, value_name = "SIZE", value_parser = quantity::size_or_unlimited)]
    #[arg(help_heading = "Limits")]
    pub memory_high: Option<Limit>,
    /// Memory that the kernel tries not to take away from the container, e.g. 16M
    #[arg(long, value_name = "SIZE", value_parser = quantity::size)]
    #[arg(help_heading = "Limits")]
    pub memory_low: Option<u64>,
    /// Swap on top of --memory: 0 for none, e.g. 64M [default: unlimited]
    #[arg(long, value_name = "SIZE|unlimited", value_parser = quantity::size_or_unlimited)]
    #[arg(help_heading = "Limits")]
    pub swap: Option<Limit>,
    /// Most processor time, in processors: 0.5 is half of one, 2 is two (at least 0.01)
    #[arg(long, value_name = "N", value_parser = quantity::cpus, help_heading = "Limits")]
    pub cpus: Option<u64>,
    /// Share of processor time when there is too little, 1 to 10000; others have 100
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub cpu_weight: Option<u16>,
    /// Processors to run on, e.g. 0-3,5
    #[arg(long, value_name = "LIST", value_parser = quantity::cpu_list, help_heading = "Limits")]
    pub cpuset: Option<String>,
    /// Most processes and threads together, e.g. 100 [default: 2048]
    #[arg(long, value_name = "N|unlimited", value_parser = quantity::count_or_unlimited)]
    #[arg(help_heading = "Limits")]
    pub pids: Option<Limit>,
    /// Share of disk time when there is too little, 1 to 10000; others have 100
    #[arg(long, value_name = "N", help_heading = "Limits")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub io_weight: Option<u16>,

    /// Show a file or directory of the host inside, read-only with :ro, e.g. ./src:/src:ro
    #[arg(short, long, value_name = "SRC:DST", value_parser = mounts::volume, help_heading = "Files")]
    pub volume: Vec<MountFlag>,
    /// The same in words, e.g. type=bind,source=./src,target=/src,readonly
    #[arg(long, value_name = "WORDS", value_parser = mounts::mount, help_heading = "Files")]
    pub mount: Vec<MountFlag>,
    /// An empty directory in memory: DST, or DST and options, e.g. /scratch:size=16m,mode=1777
    #[arg(long, value_name = "DST", value_parser = mounts::tmpfs, help_heading = "Files")]
    pub tmpfs: Vec<MountFlag>,
    /// Leave TARGET as it is: what is changed goes into memory, and is gone at the end (with
    /// `jec run --keep=DIR` it stays). =copy works on a copy, where the kernel has no overlay
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "mount", hide_possible_values = true, help_heading = "Files")]
    pub overlay: Option<OverlayFlag>,
    /// Where to keep what is changed: DIR of `--keep=DIR`.
    #[arg(skip)]
    pub changes: Option<PathBuf>,
    /// Make the root file system read-only
    #[arg(long, help_heading = "Files")]
    pub read_only: bool,

    /// Add a capability (capabilities(7)), e.g. NET_ADMIN, or ALL
    #[arg(long, value_name = "NAME", value_parser = capabilities::name, help_heading = "Security")]
    pub cap_add: Vec<CapabilityName>,
    /// Take a capability away, e.g. CHOWN, or ALL
    #[arg(long, value_name = "NAME", value_parser = capabilities::name, help_heading = "Security")]
    pub cap_drop: Vec<CapabilityName>,
    /// Filter of system calls: default, none, or a FILE with an OCI profile in JSON
    #[arg(long, value_name = "PROFILE", default_value = "default", help_heading = "Security")]
    #[arg(value_parser = seccomp::flag)]
    pub seccomp: SeccompFlag,
    /// Whether set-user-ID programs (sudo, su) gain nothing inside
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "true", default_missing_value = "true", help_heading = "Security")]
    #[arg(action = clap::ArgAction::Set)]
    pub no_new_privs: bool,

    /// Network: none (only loopback) or host (the host's own, nothing kept apart)
    #[arg(long, value_enum, default_value_t, help_heading = "Namespaces")]
    #[arg(hide_possible_values = true)]
    pub net: Net,
    /// User namespace: host, auto (with the ranges of /etc/subuid) or single (one user) [default: host as root, else auto]
    #[arg(long, value_enum, help_heading = "Namespaces", hide_possible_values = true)]
    pub userns: Option<Userns>,
    /// A line of the user namespace's uid_map, e.g. 0:100000:65536
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT", value_parser = ids::range)]
    #[arg(help_heading = "Namespaces", conflicts_with = "userns")]
    pub uidmap: Vec<IdRange>,
    /// A line of its gid_map [default: the lines of --uidmap]
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT", value_parser = ids::range)]
    #[arg(help_heading = "Namespaces", conflicts_with = "userns", requires = "uidmap")]
    pub gidmap: Vec<IdRange>,
    /// Move a clock inside, in seconds: monotonic=3600 or boottime=-1.5
    #[arg(long, value_name = "CLOCK=SECONDS", value_parser = kernel::time_offset)]
    #[arg(help_heading = "Namespaces")]
    pub time_offset: Vec<TimeOffset>,
    /// A kernel parameter of the container's own namespaces, e.g. net.ipv4.ip_forward=1
    #[arg(long, value_name = "NAME=VALUE", value_parser = kernel::sysctl)]
    #[arg(help_heading = "Namespaces")]
    pub sysctl: Vec<(String, String)>,
}

impl ContainerFlags {
    /// Tells TARGET from COMMAND. After the first word everything is taken as
    /// it stands, so the words are the end of the line, and a `--` right before
    /// them means that there is no TARGET: clap does not say whether it saw one.
    pub(super) fn split_words(&mut self, line: &[OsString]) {
        let mut words = std::mem::take(&mut self.words).into_iter().peekable();
        let before = line.len().checked_sub(words.len() + 1);
        self.separated = before.is_some_and(|at| line[at] == "--");
        if !self.separated {
            self.target = words.next();
            self.separated = words.next_if_eq("--").is_some();
        }
        self.command = words.collect();
    }
}
