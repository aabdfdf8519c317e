//! The plan: a configuration, read once and checked, in the kernel's own numbers.
//!
//! `config.json` (or the flags of `jec run`, which build one) is parsed here
//! and nowhere else; stages read only this. Absent means empty, names have
//! become numbers, paths have become C strings, and what the specification
//! forbids has been refused by the name of its property.

pub mod config;
pub mod features;
pub mod flags;

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

pub use config::capabilities::names_of;
pub use config::intel_rdt::IntelRdt;
pub use config::namespaces::kinds;
pub use config::numbers::{MemoryPolicy, Processors, list};
pub use config::resources::{default_devices, limits_of};
pub use config::{check_id, overlay::Overlay};

use crate::filter::Profile;

/// Everything that the stages need to know.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The container's id: `[A-Za-z0-9_+.-]`, at most 1,024 bytes.
    pub id: String,
    /// Absolute path of the bundle directory.
    pub bundle: PathBuf,
    /// The configuration as text, kept in the state directory.
    pub config: String,
    /// Annotations, for state.json.
    pub annotations: Vec<(String, String)>,
    /// Namespaces, their id maps and clock offsets.
    pub namespaces: Namespaces,
    /// The root file system.
    pub root: Root,
    /// The layers that the root is made of, if it is.
    pub overlay: Option<Overlay>,
    /// The mount list, in the order of the configuration.
    pub mounts: Vec<Mount>,
    /// Network devices to move: their names on the host, and inside.
    pub net_devices: Vec<(CString, CString)>,
    /// Device nodes to make below the root, the default ones included.
    pub devices: Vec<Device>,
    /// Paths hidden behind /dev/null or an empty read-only tmpfs.
    pub masked_paths: Vec<CString>,
    /// Paths made read-only.
    pub readonly_paths: Vec<CString>,
    /// Host and domain name, sysctls.
    pub kernel: KernelParams,
    /// The cgroup and its limits.
    pub cgroup: Cgroup,
    /// The group of resctrl, if any.
    pub intel_rdt: Option<IntelRdt>,
    /// The process to start.
    pub process: Process,
    /// Programs to run around it.
    pub hooks: Hooks,
    /// The system call filter, if any.
    pub seccomp: Option<Profile>,
    /// The container's init, whose namespaces a further process joins all at once; none: it is
    /// the container that is made.
    pub joins: Option<Rc<OwnedFd>>,
    /// Stages that are left out (`--skip`), by their modules' names.
    pub skipped: Vec<&'static str>,
    /// What the specification lets a runtime pass over, as long as it says so.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The plan of a container that is not to be made: for `delete`.
    pub fn nothing(id: &str) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// Whether somebody outside is asked about system calls.
    pub fn has_listener(&self) -> bool {
        self.seccomp.as_ref().is_some_and(|profile| profile.listener_path.is_some())
    }
}

/// The eight kinds of namespaces.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    /// The new ones, as flags of clone(2); `CLONE_NEWUSER` and `CLONE_NEWTIME` included.
    pub new: Vec<CloneFlags>,
    /// Those joined by path, user namespace first.
    pub joined: Vec<(CloneFlags, CString)>,
    /// Id maps of the new user namespace.
    pub ids: IdMaps,
    /// How the maps are written.
    pub map_writer: MapWriter,
    /// Offsets of the new time namespace: clock name, seconds, nanoseconds.
    pub clock_offsets: Vec<(&'static str, i64, u32)>,
}

impl Namespaces {
    /// Whether the container gets a new namespace of this kind.
    pub fn makes(&self, kind: CloneFlags) -> bool {
        self.new.contains(&kind)
    }
    /// Whether the container lives in a user namespace other than ours.
    pub fn has_user(&self) -> bool {
        let user = CloneFlags::CLONE_NEWUSER;
        self.makes(user) || self.joined.iter().any(|(kind, _)| *kind == user)
    }
}

/// Who writes uid_map and gid_map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MapWriter {
    /// We hold CAP_SETUID and CAP_SETGID on the host: written directly.
    #[default]
    Privileged,
    /// An ordinary user, one line that maps her own id: allowed after setgroups is denied.
    SingleId,
    /// An ordinary user, ranges of /etc/subuid: by newuidmap and newgidmap.
    Helpers,
}

/// The id maps of a user namespace (user_namespaces(7)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMaps {
    /// Lines of uid_map.
    pub uids: Vec<IdRange>,
    /// Lines of gid_map.
    pub gids: Vec<IdRange>,
}

/// One line of an id map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// First id inside.
    pub container: u32,
    /// First id outside.
    pub host: u32,
    /// How many.
    pub size: u32,
}

/// The root file system.
#[derive(Debug, Clone, Default)]
pub struct Root {
    /// Absolute path on the host.
    pub path: CString,
    /// Made read-only at the end of set-up.
    pub readonly: bool,
    /// linux.rootfsPropagation as a mount flag, with MS_REC or without; 0 means MS_SLAVE|MS_REC.
    pub propagation: u64,
    /// Without pivot_root: MS_MOVE and chroot, for a root on an initramfs.
    pub no_pivot: bool,
}

/// One entry of the mount list.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Where, inside the root.
    pub destination: CString,
    /// What.
    pub kind: MountKind,
    /// Attributes to set and to clear (mount_setattr(2)): on this mount, and on the whole tree.
    pub attributes: Attributes,
    /// Propagation words in order: MS_PRIVATE and friends, with MS_REC or without.
    pub propagation: Vec<u64>,
    /// Copy what the destination held into the new tmpfs (`tmpcopyup`).
    pub copy_up: bool,
    /// `src-nofollow`: a symbolic link as the source of a bind is bound itself, not followed.
    pub nofollow_source: bool,
    /// Id-mapped: none, or the maps (empty ones mean the container's own).
    pub idmap: Option<IdMap>,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// A path of the host (absolute), or a detached copy of it and what is mounted below it.
    Bind {
        /// The source, absolute.
        source: CString,
        /// `rbind`.
        recursive: bool,
    },
    /// A new file system: fsopen(2) with these parameters.
    New {
        /// The type, as in /proc/filesystems.
        fstype: CString,
        /// The source.
        source: CString,
        /// Parameters of fsconfig(2), in order: FSCONFIG_SET_STRING with a value,
        /// FSCONFIG_SET_FLAG without; words for the superblock (`sync`, `lazytime`) among them.
        parameters: Vec<(CString, Option<CString>)>,
    },
    /// type "cgroup" or "cgroup2": the cgroup2 hierarchy, from the container's own cgroup down.
    Cgroup,
    /// `remount` of what is there: its attributes and its propagation change, nothing else.
    Remount,
}

/// Mount attributes (MOUNT_ATTR_* of mount_setattr(2)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// To set on the mount.
    pub set: u64,
    /// To clear on the mount. The access time is a field of several bits, not a
    /// bit: it is cleared whole (MOUNT_ATTR__ATIME) wherever a value is set.
    pub clear: u64,
    /// To set on the mount and all below it (`rro` and friends).
    pub set_recursive: u64,
    /// To clear on the mount and all below it.
    pub clear_recursive: u64,
}

/// How a mount is id-mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMap {
    /// The mappings; empty: those of the container's user namespace.
    pub maps: IdMaps,
    /// `ridmap`: the whole tree.
    pub recursive: bool,
}

/// A device node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Where, inside the root.
    pub path: CString,
    /// Which.
    pub kind: DeviceKind,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// Owner inside the container.
    pub uid: u32,
    /// Group inside the container.
    pub gid: u32,
}

impl Device {
    /// A character device that everybody may read and write.
    pub fn open_to_all((path, major, minor): (&CStr, u32, u32)) -> Self {
        let (kind, mode) = (DeviceKind::Character, 0o666);
        Self { path: path.into(), kind, major, minor, mode, uid: 0, gid: 0 }
    }
}

/// The kind of a device node, as the type bits of a mode (S_IFMT, inode(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// `c` and `u`
    Character = 0o020_000,
    /// `b`
    Block = 0o060_000,
    /// `p`: a fifo
    Fifo = 0o010_000,
}

/// What the uts namespace and /proc/sys are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelParams {
    /// sethostname(2)
    pub hostname: Option<CString>,
    /// setdomainname(2)
    pub domainname: Option<CString>,
    /// Below /proc/sys, as a path with slashes, and the value.
    pub sysctl: Vec<(CString, String)>,
}

/// The cgroup.
#[derive(Debug, Clone, Default)]
pub struct Cgroup {
    /// linux.cgroupsPath as it stands; none: jec chooses.
    pub path: Option<String>,
    /// Files of the cgroup and what is written into them, in order: `("memory.max", "67108864")`.
    pub limits: Vec<(String, String)>,
    /// linux.resources.devices, in order; empty: no device program.
    pub devices: Vec<DeviceRule>,
}

/// One rule of linux.resources.devices. None means "all".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // a verdict and the three letters of the specification
pub struct DeviceRule {
    /// Allow or deny.
    pub allow: bool,
    /// None: any kind (`a`).
    pub kind: Option<DeviceKind>,
    /// None: all.
    pub major: Option<u32>,
    /// None: all.
    pub minor: Option<u32>,
    /// `r`
    pub read: bool,
    /// `w`
    pub write: bool,
    /// `m`
    pub mknod: bool,
}

/// The process.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// A terminal of its own.
    pub terminal: bool,
    /// Rows and columns of that terminal, if given.
    pub console_size: Option<(u16, u16)>,
    /// The program and its arguments.
    pub args: Vec<CString>,
    /// `NAME=value`, as given.
    pub env: Vec<CString>,
    /// Absolute, inside the root.
    pub cwd: CString,
    /// User and groups.
    pub user: User,
    /// The five capability sets, as bit masks (bit n is capability n of <linux/capability.h>).
    pub capabilities: Capabilities,
    /// Resource number of setrlimit(2), soft, hard.
    pub rlimits: Vec<Rlimit>,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privileges: bool,
    /// No session keyring of its own (`--no-new-keyring`).
    pub keeps_keyring: bool,
    /// The program goes on when jec ends (`exec --detach`; a container's first process rests for that).
    pub outlives_jec: bool,
    /// How many descriptors above 2 the program gets (`--preserve-fds`).
    pub preserved_fds: u32,
    /// /proc/PID/oom_score_adj.
    pub oom_score_adj: Option<i32>,
    /// ioprio_set(2): class and level as the kernel packs them.
    pub io_priority: Option<i32>,
    /// sched_setattr(2).
    pub scheduler: Option<Scheduler>,
    /// personality(2).
    pub personality: Option<u64>,
    /// set_mempolicy(2).
    pub memory_policy: Option<MemoryPolicy>,
    /// sched_setaffinity(2), of a further process.
    pub processors: Option<Processors>,
    /// The AppArmor profile.
    pub apparmor_profile: Option<String>,
    /// The SELinux label.
    pub selinux_label: Option<String>,
}

/// Programs of whoever wrote the configuration, run at six moments of the container's life.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    /// On the host, when the container's mounts are made; the older name of the next.
    pub prestart: Vec<Hook>,
    /// On the host, after them.
    pub create_runtime: Vec<Hook>,
    /// In the container's namespaces, where the host's tree is still in sight.
    pub create_container: Vec<Hook>,
    /// In the container, before its program.
    pub start_container: Vec<Hook>,
    /// On the host, when the program runs.
    pub poststart: Vec<Hook>,
    /// On the host, when nothing is left.
    pub poststop: Vec<Hook>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Its place in the configuration, for messages: `hooks.prestart[0]`.
    pub property: String,
    /// The program: absolute.
    pub path: CString,
    /// Its arguments, at least one.
    pub args: Vec<CString>,
    /// Its whole environment.
    pub env: Vec<CString>,
    /// How long it may take; none: as long as it likes.
    pub timeout: Option<Duration>,
}

/// User, groups and umask.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// setresuid(2)
    pub uid: u32,
    /// setresgid(2)
    pub gid: u32,
    /// setgroups(2)
    pub groups: Vec<u32>,
    /// umask(2); 0o022 where the configuration is silent.
    pub umask: u32,
}

/// Five sets, each a bit mask over capability numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// CapBnd
    pub bounding: u64,
    /// CapEff
    pub effective: u64,
    /// CapPrm
    pub permitted: u64,
    /// CapInh
    pub inheritable: u64,
    /// CapAmb
    pub ambient: u64,
}

/// One resource limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rlimit {
    /// Name, for messages: `RLIMIT_NOFILE`.
    pub name: &'static str,
    /// Number for prlimit(2).
    pub resource: u32,
    /// Soft limit.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// sched_setattr(2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scheduler {
    /// SCHED_OTHER = 0, FIFO 1, RR 2, BATCH 3, IDLE 5, DEADLINE 6
    pub policy: u32,
    /// Flags: SCHED_FLAG_*
    pub flags: u64,
    /// nice(2), for OTHER and BATCH.
    pub nice: i32,
    /// Static priority, for FIFO and RR.
    pub priority: u32,
    /// Nanoseconds, for DEADLINE.
    pub runtime: u64,
    /// Nanoseconds, for DEADLINE.
    pub deadline: u64,
    /// Nanoseconds, for DEADLINE.
    pub period: u64,
}
