//! What a container gets when no flag says otherwise (the defaults of SECURITY.md).

use std::path::PathBuf;

use caps::Capability;
use oci_spec::runtime::{
    LinuxDeviceCgroup, LinuxDeviceType, LinuxNamespace, LinuxNamespaceType, Mount,
};

use super::Machine;
use crate::cli::Net;
use crate::plan::IdMaps;

/// Root inside keeps what an installation of packages needs, and nothing that
/// reaches beyond the container: neither NET_RAW nor MKNOD, which docker grants.
pub const CAPABILITIES: &[Capability] = &[
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_SETFCAP,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_SETUID,
    Capability::CAP_SYS_CHROOT,
];

/// Processes and threads: enough for a build, too few for a fork bomb to hurt.
pub const PIDS: i64 = 2048;

/// What tells about the host, or reaches its hardware, through files without a namespace.
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What would change the host when written to.
pub const READONLY: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// linux.maskedPaths: the thermal counters of each processor tell what the
/// neighbours do, like powercap and interrupts.
pub fn masked_paths(machine: &Machine) -> Vec<String> {
    let masked = MASKED.iter().map(ToString::to_string);
    masked.chain(machine.thermal_throttle.iter().cloned()).collect()
}

/// An entry of the mount list.
pub fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    let mut mount = Mount::default();
    mount
        .set_destination(destination.into())
        .set_typ(Some(kind.into()))
        .set_source(Some(PathBuf::from(source)))
        .set_options(Some(options.iter().map(ToString::to_string).collect()));
    mount
}

/// The file systems of the kernel, in the order in which they lie on each other.
/// `users` are the id maps of the container's own user namespace, if it has one.
pub fn mounts(net: Net, users: Option<&IdMaps>, machine: &Machine) -> Vec<Mount> {
    let mut pts = vec!["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
    if users.is_none_or(|maps| maps.has_gid(5)) {
        // The group tty of every distribution; devpts refuses one that is not mapped.
        pts.push("gid=5");
    }
    let memory = ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"];
    let closed = ["nosuid", "noexec", "nodev"];
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &closed),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", "devpts", &pts),
        mount("/dev/shm", "tmpfs", "shm", &memory),
        mount("/dev/mqueue", "mqueue", "mqueue", &closed),
        sys(net, users),
    ];
    if machine.pure_cgroup2 {
        // Beside cgroup v1 it would show a tree without the controllers in use.
        let options = ["ro", "nosuid", "noexec", "nodev"];
        mounts.push(mount("/sys/fs/cgroup", "cgroup", "cgroup", &options));
    }
    mounts
}

/// A new sysfs shows the devices of a network namespace, so the kernel wants
/// rights over that namespace (sysfs_init_fs_context, fs/sysfs/mount.c): with
/// the host's network and other users only the host's own /sys can be shown.
fn sys(net: Net, users: Option<&IdMaps>) -> Mount {
    if net == Net::Host && users.is_some() {
        mount("/sys", "bind", "/sys", &["rbind", "rro", "nosuid", "noexec", "nodev"])
    } else {
        mount("/sys", "sysfs", "sysfs", &["ro", "nosuid", "noexec", "nodev"])
    }
}

/// linux.namespaces: everything of its own, except what the flags share.
pub fn namespaces(net: Net, own_users: bool, own_time: bool) -> Vec<LinuxNamespace> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Time, User, Uts};
    [
        (User, own_users),
        (Mount, true),
        (Pid, true),
        (Ipc, true),
        (Uts, true),
        (Cgroup, true),
        (Network, net == Net::None),
        (Time, own_time),
    ]
    .into_iter()
    .filter(|(_, own)| *own)
    .map(|(kind, _)| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(kind);
        namespace
    })
    .collect()
}

/// The character devices every container may use (Documentation/admin-guide/devices.txt);
/// None is every minor number.
const DEVICES: &[(i64, Option<i64>)] = &[
    (1, Some(3)), // null
    (1, Some(5)), // zero
    (1, Some(7)), // full
    (1, Some(8)), // random
    (1, Some(9)), // urandom
    (5, Some(0)), // tty
    (5, Some(1)), // console
    (5, Some(2)), // ptmx
    (136, None),  // pts
];

/// linux.resources.devices: nothing, then the harmless ones.
pub fn device_rules() -> Vec<LinuxDeviceCgroup> {
    let mut deny = LinuxDeviceCgroup::default();
    deny.set_allow(false).set_access(Some("rwm".into()));
    let allow = |(major, minor): &(i64, Option<i64>)| {
        let mut rule = LinuxDeviceCgroup::default();
        rule.set_allow(true)
            .set_typ(Some(LinuxDeviceType::C))
            .set_major(Some(*major))
            .set_minor(*minor)
            .set_access(Some("rwm".into()));
        rule
    };
    std::iter::once(deny).chain(DEVICES.iter().map(allow)).collect()
}
