//! STAGES: every step of a container's life, in the order in which it happens.
//!
//! Read this table first: it *is* the program. The walker ([`walk`]) runs it,
//! `jec stages` prints it, errors quote it, `--explain` follows it. Nothing
//! runs that has no row. A row's side is the process that runs it (see
//! [`crate::sides`]); where the side changes, the baton is passed ([`baton`]).
//! Why one row stands before another is in [`order`].

pub mod baton;
pub mod order;
pub mod walk;

pub mod adopt;
pub mod become_root;
pub mod bounding;
pub mod capabilities;
pub mod cgroup;
pub mod console;
pub mod console_socket;
pub mod created;
pub mod devices;
pub mod exec;
pub mod fds;
pub mod filter;
pub mod gate;
pub mod hooks_container;
pub mod hooks_poststart;
pub mod hooks_runtime;
pub mod hooks_start;
pub mod hooks_stop;
pub mod id_map;
pub mod identity;
pub mod join;
pub mod kernel_params;
pub mod kill_all;
pub mod labels;
pub mod limits;
pub mod masks;
pub mod mount_sources;
pub mod mounts;
pub mod net_devices;
pub mod network;
pub mod no_new_privs;
pub mod notify;
pub mod open_gate;
pub mod overlay;
pub mod pid_file;
pub mod pivot_root;
pub mod program;
pub mod propagation;
pub mod record;
pub mod remove;
pub mod resctrl;
pub mod running;
pub mod scheduling;
pub mod seal;
pub mod seccomp;
pub mod session;
pub mod spawn_init;
pub mod spawn_middle;
pub mod time_namespace;
pub mod user_namespace;

use nix::sched::CloneFlags;

use crate::plan::{KernelParams, Plan, Process};
use crate::sys::constants::CLONE_NEWTIME;
use crate::{error::Result, sides};
use Command::{Begin, Create, Delete, Each, Open, Program, Rest, Start};
use Run::{Init, Middle, Runtime};

/// One step.
pub struct Stage {
    /// The part of the book and of the life.
    pub part: &'static str,
    /// Its name: the module's, the chapter's, the test's and the example's too.
    pub name: &'static str,
    /// The function, which names its side.
    pub run: Run,
    /// The commands that walk it; `jec run` is create, start, and at the end delete.
    pub command: Command,
    /// When it applies.
    pub when: When,
    /// What it does, in a line.
    pub what: &'static str,
    /// Its module, whose first lines say the rest.
    pub source: &'static str,
}

/// A stage's function; the side is in its signature, so a step on the wrong side does not compile.
#[derive(Clone, Copy)]
pub enum Run {
    /// On the host.
    Runtime(fn(&mut sides::Runtime) -> Result<()>),
    /// On the way in.
    Middle(fn(&mut sides::Middle) -> Result<()>),
    /// Inside.
    Init(fn(&mut sides::Init) -> Result<()>),
}

/// The columns of the table: which commands walk a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The beginning of every command that makes a process, before there is a plan.
    Begin,
    /// `create` alone: what the container has once.
    Create,
    /// What each of its processes needs: the first one, made by `create`, and those of `exec`.
    Each,
    /// The end of `create` where the program is started by another jec: the container rests.
    Rest,
    /// The beginning of `start` by another jec than the one that created.
    Open,
    /// `start` alone.
    Start,
    /// The program, of `start` and of `exec`.
    Program,
    /// `delete`: the end.
    Delete,
}

impl Command {
    /// The commands as they are typed.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Create | Rest => &["create"],
            Begin | Each => &["create", "exec"],
            Open | Self::Start => &["start"],
            Program => &["start", "exec"],
            Delete => &["delete"],
        }
    }
}

impl Stage {
    /// The process that runs it.
    pub fn side(&self) -> &'static str {
        match self.run {
            Runtime(_) => "runtime",
            Middle(_) => "middle",
            Init(_) => "init",
        }
    }

    /// Why it stands here and not elsewhere.
    pub fn why_here(&self) -> &'static str {
        order::WHY_HERE.iter().find(|row| row.0 == self.module()).map_or("", |row| row.1)
    }

    /// The doc comment of its module.
    pub fn doc(&self) -> impl Iterator<Item = &'static str> {
        self.source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim_start)
    }

    /// The module, chapter, test and example: a stage with two rows has one.
    pub fn module(&self) -> &'static str {
        self.name.strip_suffix("-early").unwrap_or(self.name)
    }
}

/// A condition on the plan.
#[derive(Clone, Copy)]
pub struct When {
    /// In words, for the table.
    pub text: &'static str,
    /// In code.
    pub applies: fn(&Plan) -> bool,
}

const PREPARE: &str = "I Prepare";
const NAMESPACES: &str = "II Namespaces";
const ROOT: &str = "III The root";
const PROCESS: &str = "IV The process";
const START: &str = "V Start";
/// The part of the life that cannot be abandoned.
pub const END: &str = "VI The end";

const ALWAYS: When = when("always", |_| true);
const TERMINAL: When = when("process.terminal", |plan| plan.process.terminal);
const FILTER: When = when("linux.seccomp", |plan| plan.seccomp.is_some());
const JOINS: When = when("a namespace has a path", |plan| !plan.namespaces.joined.is_empty());
const NEW_USER: When =
    when("new user namespace", |plan| plan.namespaces.makes(CloneFlags::CLONE_NEWUSER));
const IN_USER: When = when("in a user namespace", |plan| plan.namespaces.has_user());
const NEW_TIME: When = when("new time namespace", |plan| plan.namespaces.makes(CLONE_NEWTIME));
const LIMITS: When = when("rlimits, oomScoreAdj", |plan| {
    !plan.process.rlimits.is_empty() || plan.process.oom_score_adj.is_some()
});
const INTEL_RDT: When = when("linux.intelRdt", |plan| plan.intel_rdt.is_some());
const NET_DEVICES: When = when("linux.netDevices", |plan| !plan.net_devices.is_empty());
const IDMAPPED: When =
    when("an id-mapped mount", |plan| plan.mounts.iter().any(|mount| mount.idmap.is_some()));
const NEW_NETWORK: When =
    when("new network namespace", |plan| plan.namespaces.makes(CloneFlags::CLONE_NEWNET));
const OVERLAY: When = when("annotation jec.overlay.lower", |plan| plan.overlay.is_some());
const HOOKS_RUNTIME: When = when("hooks: prestart, createRuntime", |plan| {
    !plan.hooks.prestart.is_empty() || !plan.hooks.create_runtime.is_empty()
});
const HOOKS_CONTAINER: When =
    when("hooks: createContainer", |plan| !plan.hooks.create_container.is_empty());
const HOOKS_START: When =
    when("hooks: startContainer", |plan| !plan.hooks.start_container.is_empty());
const HOOKS_POSTSTART: When = when("hooks: poststart", |plan| !plan.hooks.poststart.is_empty());
const HOOKS_STOP: When = when("hooks: poststop", |plan| !plan.hooks.poststop.is_empty());
const KERNEL: When = when("hostname, sysctl", |plan| plan.kernel != KernelParams::default());
const MASKS: When = when("masked or read-only", |plan| {
    plan.root.readonly || !plan.masked_paths.is_empty() || !plan.readonly_paths.is_empty()
});
const SCHEDULING: When = when("scheduler, ioPriority, …", |plan| {
    let Process { scheduler, io_priority, personality, memory_policy, .. } = &plan.process;
    let has_place = memory_policy.is_some() || plan.processors().is_some();
    has_place || scheduler.is_some() || io_priority.is_some() || personality.is_some()
});
const PROCESSORS: When = when("execCPUAffinity", |plan| plan.processors().is_some());
const LABELS: When = when("apparmorProfile, selinuxLabel", |plan| {
    plan.process.apparmor_profile.is_some() || plan.process.selinux_label.is_some()
});
const NO_NEW_PRIVS: When = when("noNewPrivileges", |plan| plan.process.no_new_privileges);
/// Two rows, complementary conditions: exactly one of them loads the filter.
const FILTER_EARLY: When = when("seccomp, privileges may grow", |plan| {
    plan.seccomp.is_some() && !plan.process.no_new_privileges
});
const FILTER_LATE: When = when("seccomp and noNewPrivileges", |plan| {
    plan.seccomp.is_some() && plan.process.no_new_privileges
});
const LISTENER_EARLY: When = when("seccomp-early has a listener", |plan| {
    plan.has_listener() && !plan.process.no_new_privileges
});
const LISTENER_LATE: When =
    when("seccomp has a listener", |plan| plan.has_listener() && plan.process.no_new_privileges);

const fn when(text: &'static str, applies: fn(&Plan) -> bool) -> When {
    When { text, applies }
}

/// The table. Its order is the order of execution, over all three processes.
#[rustfmt::skip]
pub const STAGES: &[Stage] = &[
    row(PREPARE, "seal", Runtime(seal::run), Begin, ALWAYS, "run from a read-only copy of our own binary", include_str!("seal.rs")),
    row(PREPARE, "record", Runtime(record::run), Create, ALWAYS, "the state directory, which is the lock, and the intent", include_str!("record.rs")),
    row(PREPARE, "console-socket", Runtime(console_socket::run), Each, TERMINAL, "the socket that the terminal's master will come through", include_str!("console_socket.rs")),
    row(PREPARE, "filter", Runtime(filter::run), Each, FILTER, "compile the system call filter while errors are cheap", include_str!("filter.rs")),
    row(PREPARE, "cgroup", Runtime(cgroup::run), Each, ALWAYS, "make the cgroup and write its limits", include_str!("cgroup.rs")),
    row(PREPARE, "scheduling-early", Runtime(scheduling::run_early), Each, PROCESSORS, "the processors on which jec makes a further process", include_str!("scheduling.rs")),
    row(PREPARE, "spawn-middle", Runtime(spawn_middle::run), Each, ALWAYS, "clone the middle process, born in the cgroup", include_str!("spawn_middle.rs")),

    row(NAMESPACES, "join", Middle(join::run), Each, JOINS, "enter the namespaces that exist already", include_str!("join.rs")),
    row(NAMESPACES, "user-namespace", Middle(user_namespace::run), Create, NEW_USER, "leave the host's user ids behind", include_str!("user_namespace.rs")),
    row(NAMESPACES, "time-namespace", Middle(time_namespace::run), Create, NEW_TIME, "shift the clocks for those who come after", include_str!("time_namespace.rs")),
    row(NAMESPACES, "id-map", Runtime(id_map::run), Create, NEW_USER, "say which ids inside are which outside", include_str!("id_map.rs")),
    row(NAMESPACES, "become-root", Middle(become_root::run), Each, IN_USER, "be uid 0 of the user namespace", include_str!("become_root.rs")),
    row(NAMESPACES, "spawn-init", Middle(spawn_init::run), Each, ALWAYS, "clone init into all other new namespaces", include_str!("spawn_init.rs")),
    row(NAMESPACES, "adopt", Runtime(adopt::run), Each, ALWAYS, "take init as our child; the middle is done", include_str!("adopt.rs")),
    row(NAMESPACES, "limits", Runtime(limits::run), Each, LIMITS, "resource limits and the out-of-memory score", include_str!("limits.rs")),
    row(NAMESPACES, "resctrl", Runtime(resctrl::run), Each, INTEL_RDT, "a group that shares caches and the way to memory", include_str!("resctrl.rs")),
    row(NAMESPACES, "net-devices", Runtime(net_devices::run), Create, NET_DEVICES, "network devices of the host, moved into the container", include_str!("net_devices.rs")),
    row(NAMESPACES, "mount-sources", Runtime(mount_sources::run), Create, IDMAPPED, "id-mapped mounts, made with the host's privileges", include_str!("mount_sources.rs")),

    row(ROOT, "session", Init(session::run), Each, ALWAYS, "a session and keyring of its own; die with jec", include_str!("session.rs")),
    row(ROOT, "network", Init(network::run), Create, NEW_NETWORK, "bring the loopback device up", include_str!("network.rs")),
    row(ROOT, "propagation", Init(propagation::run), Create, ALWAYS, "cut the mounts off from the host's; make the root a mount", include_str!("propagation.rs")),
    row(ROOT, "overlay", Init(overlay::run), Create, OVERLAY, "the root is layers that stay as they are, and what is changed", include_str!("overlay.rs")),
    row(ROOT, "mounts", Init(mounts::run), Create, ALWAYS, "the mount list, inside the root, by descriptor", include_str!("mounts.rs")),
    row(ROOT, "devices", Init(devices::run), Create, ALWAYS, "device nodes and the links of /dev", include_str!("devices.rs")),
    row(ROOT, "hooks-runtime", Runtime(hooks_runtime::run), Create, HOOKS_RUNTIME, "programs of the host, when all mounts are made", include_str!("hooks_runtime.rs")),
    row(ROOT, "hooks-container", Init(hooks_container::run), Create, HOOKS_CONTAINER, "programs of the host, in the container's namespaces", include_str!("hooks_container.rs")),
    row(ROOT, "pivot-root", Init(pivot_root::run), Create, ALWAYS, "the root becomes /, the host's tree goes away", include_str!("pivot_root.rs")),
    row(ROOT, "console", Init(console::run), Each, TERMINAL, "a terminal: standard streams and /dev/console", include_str!("console.rs")),
    row(ROOT, "kernel-params", Init(kernel_params::run), Create, KERNEL, "host name, domain name and sysctls", include_str!("kernel_params.rs")),
    row(ROOT, "masks", Init(masks::run), Create, MASKS, "read-only root, read-only paths, hidden paths", include_str!("masks.rs")),

    row(PROCESS, "scheduling", Init(scheduling::run), Each, SCHEDULING, "scheduler, processors, priorities, memory, personality", include_str!("scheduling.rs")),
    row(PROCESS, "labels", Init(labels::run), Each, LABELS, "the name by which AppArmor or SELinux will know the program", include_str!("labels.rs")),
    row(PROCESS, "seccomp-early", Init(seccomp::run), Each, FILTER_EARLY, "load the filter while CAP_SYS_ADMIN is held", include_str!("seccomp.rs")),
    row(PROCESS, "notify-early", Runtime(notify::run), Each, LISTENER_EARLY, "hand the filter's listener to its socket", include_str!("notify.rs")),
    row(PROCESS, "bounding", Init(bounding::run), Each, ALWAYS, "drop the bounding set: a ceiling for ever", include_str!("bounding.rs")),
    row(PROCESS, "identity", Init(identity::run), Each, ALWAYS, "working directory, groups, user, umask", include_str!("identity.rs")),
    row(PROCESS, "capabilities", Init(capabilities::run), Each, ALWAYS, "the other four sets, read back from the kernel", include_str!("capabilities.rs")),
    row(PROCESS, "program", Init(program::run), Each, ALWAYS, "find the program and complete its environment", include_str!("program.rs")),
    row(PROCESS, "fds", Init(fds::run), Each, ALWAYS, "close every descriptor but 0, 1 and 2; reset signals", include_str!("fds.rs")),
    row(PROCESS, "created", Runtime(created::run), Create, ALWAYS, "the state is \"created\"", include_str!("created.rs")),

    row(START, "gate", Init(gate::run), Rest, ALWAYS, "let go of jec; the container rests here", include_str!("gate.rs")),
    row(START, "pid-file", Runtime(pid_file::run), Create, ALWAYS, "write init's number where it was asked for", include_str!("pid_file.rs")),
    row(START, "open-gate", Runtime(open_gate::run), Open, ALWAYS, "take the baton from whoever created it", include_str!("open_gate.rs")),
    row(START, "hooks-start", Init(hooks_start::run), Start, HOOKS_START, "programs of the container, before its own", include_str!("hooks_start.rs")),
    row(START, "no-new-privs", Init(no_new_privs::run), Program, NO_NEW_PRIVS, "no set-id program gains anything any more", include_str!("no_new_privs.rs")),
    row(START, "seccomp", Init(seccomp::run), Program, FILTER_LATE, "load the filter, last of all", include_str!("seccomp.rs")),
    row(START, "notify", Runtime(notify::run), Program, LISTENER_LATE, "hand the filter's listener to its socket", include_str!("notify.rs")),
    row(START, "exec", Init(exec::run), Program, ALWAYS, "become the program", include_str!("exec.rs")),
    row(START, "running", Runtime(running::run), Program, ALWAYS, "the state is \"running\"", include_str!("running.rs")),
    row(START, "hooks-poststart", Runtime(hooks_poststart::run), Start, HOOKS_POSTSTART, "programs of the host, when the program runs", include_str!("hooks_poststart.rs")),

    row(END, "kill-all", Runtime(kill_all::run), Delete, ALWAYS, "kill every process of the container", include_str!("kill_all.rs")),
    row(END, "remove", Runtime(remove::run), Delete, ALWAYS, "remove the cgroup and the state directory", include_str!("remove.rs")),
    row(END, "hooks-stop", Runtime(hooks_stop::run), Delete, HOOKS_STOP, "programs of the host, when nothing is left", include_str!("hooks_stop.rs")),
];

const fn row(
    part: &'static str,
    name: &'static str,
    run: Run,
    command: Command,
    when: When,
    what: &'static str,
    source: &'static str,
) -> Stage {
    Stage { part, name, run, command, when, what, source }
}

/// The row of this name.
pub fn find(name: &str) -> Option<&'static Stage> {
    STAGES.iter().find(|stage| stage.name == name)
}
