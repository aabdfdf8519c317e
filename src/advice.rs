//! What usually causes an error, and the command that confirms it.

use nix::errno::Errno;

use crate::error::Error;

/// The errno of an error that is no failed call.
const NO_CALL: Errno = Errno::UnknownErrno;

/// Stage, errno, cause, check, in the order of STAGES. Only what the errno
/// alone would not tell. A stage with an early row has one name here; "any" stands for all.
#[rustfmt::skip]
const ADVICE: &[(&str, Errno, &str, &str)] = &[
    ("any", Errno::EMFILE, "set-up needs about 15 file descriptors, and one more for each entry of the mount list; jec was started with fewer, or RLIMIT_NOFILE of the configuration, which counts from the stage limits on, allows fewer", "ulimit -n; compare with process.rlimits"),
    ("seal", Errno::ENOSYS, "a kernel before Linux 5.2, or a filter above us that does not know the call: jec itself runs in a container", "uname -r; grep Seccomp: /proc/self/status"),
    ("seal", Errno::EACCES, "files in memory may not be executed here", "sysctl vm.memfd_noexec"),
    ("seal", Errno::ENOMEM, "the copy of jec in memory does not fit into the limit of the cgroup that jec runs in", "cat /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/memory.max"),
    ("record", Errno::ENOSPC, "the file system of the state directory is full, or has no inodes left", "df -h /run/jec; df -i /run/jec"),
    ("record", Errno::EROFS, "the state directory is on a read-only file system; --root chooses another", "findmnt -T /run/jec"),
    ("record", Errno::EDQUOT, "this user has used up her share of the file system of the state directory", "quota; df -h $XDG_RUNTIME_DIR"),
    ("record", Errno::ENOENT, "the state directory was removed while jec was at work: another `jec delete --force`", "ls -l /run/jec"),
    ("filter", Errno::EINVAL, "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)", "grep Seccomp /proc/self/status"),
    ("filter", Errno::EPERM, "jec itself runs under a filter, of a container perhaps, that refuses seccomp(2)", "grep Seccomp /proc/self/status"),
    ("cgroup", Errno::EINVAL, "the value is none that this file takes, e.g. a processor that this machine does not have", "cat /sys/fs/cgroup/cpuset.cpus.effective"),
    ("cgroup", Errno::ERANGE, "the value is outside of what this file takes", "man 7 cgroups"),
    ("cgroup", Errno::ENODEV, "there is no block device of this number, or it is a partition", "lsblk -d -o NAME,MAJ:MIN"),
    ("cgroup", Errno::EACCES, "this part of the tree belongs to somebody else", "ls -ld /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)"),
    ("cgroup", Errno::EBUSY, "the parent cgroup has processes of its own, so it cannot hand controllers down", "cat /sys/fs/cgroup/jec/cgroup.procs"),
    ("cgroup", Errno::ENOENT, "--systemd-cgroup asks the systemd of this machine, or of this user, and there is no bus to ask it on", "ls -l /run/dbus/system_bus_socket $XDG_RUNTIME_DIR/bus"),
    ("spawn-middle", Errno::EAGAIN, "no more processes: the limit of this user, or pids.max of a cgroup above", "ulimit -u; cat /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/pids.max"),
    ("spawn-middle", Errno::EBUSY, "the container's cgroup hands controllers down, so no process may be in it", "cat /sys/fs/cgroup/jec/*/cgroup.subtree_control"),
    ("spawn-middle", Errno::EACCES, "putting a process into a cgroup takes write access to cgroup.procs of the nearest cgroup above both", "cat /proc/self/cgroup"),
    ("join", Errno::ENOENT, "the process that the path names has ended, or nobody made this name yet", "lsns; ls -l /run/netns"),
    ("join", Errno::EACCES, "the namespaces of a process are shown only to who may trace it", "ls -l /proc/PID/ns"),
    ("join", Errno::EPERM, "the namespace belongs to a user namespace in which this user is not root", "lsns -t user; id -u"),
    ("join", Errno::EINVAL, "it is the user namespace that jec is in already, or a pid namespace that is not below ours", "readlink /proc/self/ns/user /proc/self/ns/pid"),
    ("user-namespace", Errno::EPERM, "this machine does not let ordinary users make user namespaces, or jec runs in a chroot", "sysctl kernel.unprivileged_userns_clone kernel.apparmor_restrict_unprivileged_userns"),
    ("user-namespace", Errno::ENOSPC, "no user namespace is left to this user, or 32 are nested already", "sysctl user.max_user_namespaces"),
    ("user-namespace", Errno::EUSERS, "32 user namespaces are nested already", "lsns -t user"),
    ("time-namespace", Errno::ERANGE, "the clock would stand before zero: the offset is more than the machine has been up", "cat /proc/uptime"),
    ("time-namespace", Errno::EACCES, "a process that has joined a namespace is not dumpable, so only root may write its offsets", "man 5 proc_pid | grep -A9 dumpable"),
    ("time-namespace", Errno::ENOSPC, "no time namespace is left to this user", "sysctl user.max_time_namespaces"),
    ("time-namespace", Errno::EINVAL, "this kernel has no time namespaces: they came with Linux 5.6 and can be left out", "ls /proc/self/ns/time"),
    ("id-map", Errno::EPERM, "the map names ids that are not this user's to give", "grep \"^$(id -un):\" /etc/subuid /etc/subgid"),
    ("id-map", Errno::ENOENT, "newuidmap and newgidmap are not installed (Debian: package uidmap)", "command -v newuidmap newgidmap"),
    ("id-map", Errno::EACCES, "newuidmap cannot be executed, or the process to be mapped is not ours", "ls -l $(command -v newuidmap newgidmap)"),
    ("id-map", Errno::EINVAL, "the ids on the right are not mapped in the user namespace that jec itself is in", "cat /proc/self/uid_map"),
    ("become-root", Errno::EINVAL, "the user namespace has no id 0", "cat /proc/PID/uid_map"),
    ("become-root", Errno::EPERM, "in the user namespace that was joined this user is not root", "cat /proc/PID/uid_map; id -u"),
    ("spawn-init", Errno::ENOSPC, "one kind of namespace is used up for this user, or pid namespaces are nested 32 deep", "sysctl -a -r '^user.max_.*_namespaces'"),
    ("spawn-init", Errno::ENOMEM, "process 1 of the pid namespace that was joined has ended, and nobody can be born in there any more", "lsns -t pid"),
    ("spawn-init", Errno::EAGAIN, "no more processes: pids.max of the container's cgroup, or the limit of this user", "ulimit -u"),
    ("spawn-init", Errno::EPERM, "only root may make namespaces without a user namespace", "id -u"),
    ("limits", Errno::EPERM, "a hard limit can be raised only with CAP_SYS_RESOURCE on the host", "ulimit -H -a; capsh --print | grep Current"),
    ("limits", Errno::EACCES, "oom_score_adj can be lowered only with CAP_SYS_RESOURCE on the host", "cat /proc/self/oom_score_adj"),
    ("resctrl", Errno::ENOSPC, "the processor knows no more groups than there are already", "cat /sys/fs/resctrl/info/*/num_closids /sys/fs/resctrl/info/*/num_rmids; ls /sys/fs/resctrl"),
    ("resctrl", Errno::ENOENT, "this processor divides (schemata) or counts (mon_groups) less than was asked for, or somebody has removed the group", "ls -R /sys/fs/resctrl/info"),
    ("resctrl", Errno::EPERM, "this processor counts (mon_groups) and divides nothing: closID / is the only group", "ls -R /sys/fs/resctrl/info"),
    ("resctrl", Errno::EACCES, "resctrl belongs to root of the host: nobody else makes groups or joins them", "ls -ld /sys/fs/resctrl; id -u"),
    ("net-devices", Errno::EPERM, "to take a network device from the host takes CAP_NET_ADMIN and CAP_SYS_ADMIN there: root alone may", "id -u"),
    ("net-devices", Errno::EINVAL, "this device belongs to its namespace for ever, as lo does", "ip -details link show THE-DEVICE | grep netns"),
    ("net-devices", Errno::EACCES, "the device has an IPv6 address, and IPv6 is off in the container's network namespace", "ip -6 addr show dev THE-DEVICE"),
    ("mount-sources", Errno::EINVAL, "the source is no mount of our namespace, or this file system cannot be id-mapped", "findmnt -T SOURCE -o TARGET,FSTYPE"),
    ("mount-sources", Errno::EPERM, "id-mapping a mount takes CAP_SYS_ADMIN over the file system: on the host that is root alone", "id -u"),
    ("mount-sources", Errno::ENOENT, "the source of the mount does not exist; a relative one starts at the bundle", "ls -ld SOURCE"),
    ("session", Errno::EDQUOT, "this user has as many keys and keyrings as she may have", "cat /proc/key-users; sysctl kernel.keys.maxkeys"),
    ("network", Errno::EAFNOSUPPORT, "this kernel was built without IPv4", "ls /proc/sys/net/ipv4"),
    ("propagation", Errno::EACCES, "root inside is another user outside, who may not search a directory on the way to the root file system", "namei -l PATH: each directory needs x for that user"),
    ("propagation", Errno::EPERM, "this process may not change mounts: it has no CAP_SYS_ADMIN in the user namespace that owns them", "grep CapEff /proc/self/status; is there a user namespace in linux.namespaces?"),
    ("overlay", Errno::EOPNOTSUPP, "in a user namespace an overlay notes what is gone in attributes user.*, which this file system does not have; a tmpfs has them since Linux 6.6. --keep=DIR keeps the changes in DIR, which may be on a disk", "uname -r; findmnt -T DIR"),
    ("overlay", Errno::EPERM, "this kernel lets only root of the host mount an overlay (before Linux 5.11); --overlay=copy works on a copy instead", "uname -r"),
    ("overlay", Errno::ENODEV, "this kernel has no overlayfs, or has not loaded it; --overlay=copy works on a copy instead", "grep overlay /proc/filesystems; modprobe overlay"),
    ("overlay", Errno::EINVAL, "the changes cannot be kept on this file system (another overlay, NFS, FAT), overlays are nested too deep, or there are more than 80 layers (before Linux 6.7)", "the words in brackets are the kernel's; findmnt -T DIR; dmesg | tail"),
    ("overlay", Errno::ENOENT, "a layer, or the directory that keeps the changes, does not exist", "ls -ld each path of the annotations jec.overlay"),
    ("overlay", Errno::EACCES, "root inside is another user outside, who may not search a directory on the way to a layer, or not write to what keeps the changes", "namei -l PATH: each directory needs x for that user"),
    ("overlay", Errno::ELOOP, "a layer lies inside another one, or the changes inside a layer", "grep jec.overlay config.json"),
    ("overlay", Errno::EEXIST, "a copy was begun here, and jec was killed: it is not whole", "ls -ld DIR/root.partial; remove it"),
    ("mounts", Errno::ENOENT, "the source of a bind mount does not exist on the host; or the destination lies in /proc or /sys, where nothing can be made, and does not exist there", "ls -ld SOURCE; ls -ld DESTINATION"),
    ("mounts", Errno::EACCES, "root inside is another user outside, who may not search a directory on the way to the source", "namei -l SOURCE: each directory needs x for that user"),
    ("mounts", Errno::ENODEV, "the kernel does not know this type of file system", "grep TYPE /proc/filesystems; modprobe TYPE"),
    ("mounts", Errno::EINVAL, "an option that this file system does not know, a group that is not mapped (gid=), or a remount of what is no mount", "the words in brackets are the kernel's; cat /proc/self/mountinfo"),
    ("mounts", Errno::EPERM, "in a user namespace: sysfs needs a network namespace of the container's own, proc a pid namespace and a host whose /proc is not masked, and flags of the host's mounts (ro, nosuid, nodev, noexec) cannot be taken away", "findmnt -o TARGET,OPTIONS SOURCE; findmnt -R /proc"),
    ("mounts", Errno::ELOOP, "the image has a link where /proc or /sys has to be a real directory, or a loop of links on the way to a destination", "ls -ld ROOTFS/proc ROOTFS/sys ROOTFS/DESTINATION"),
    ("mounts", Errno::ENOTDIR, "a file stands where the destination needs a directory", "ls -ld SOURCE ROOTFS/DESTINATION"),
    ("mounts", Errno::EROFS, "the destination does not exist, and cannot be made in a read-only file system", "ls -ld ROOTFS/DESTINATION; findmnt -T ROOTFS"),
    ("devices", Errno::ENOENT, "where a node cannot be made (in a user namespace, or the image has something of that name) the host's own node of that path is bound; the host has none", "ls -l /dev/NAME on the host"),
    ("devices", Errno::EACCES, "the mapped user may not write to /dev of the root file system; with a tmpfs on /dev it would be her own", "ls -ld ROOTFS/dev"),
    ("devices", Errno::EROFS, "/dev is part of a read-only file system; every container needs a tmpfs on /dev", "findmnt -T ROOTFS/dev"),
    ("devices", Errno::ENOTDIR, "the image has a file where a device or a link of /dev needs a directory", "ls -ld ROOTFS/dev"),
    ("pivot-root", Errno::EINVAL, "the root of this machine is an initramfs (rootfs), which pivot_root(2) cannot move away", "findmnt -o FSTYPE / says rootfs: jec run --no-pivot …"),
    ("pivot-root", Errno::EBUSY, "the new root is the root of this machine itself", "is root.path the directory / ?"),
    ("pivot-root", Errno::EPERM, "a filter or a missing CAP_SYS_ADMIN forbids pivot_root(2): jec runs in a container itself", "grep -e CapEff -e Seccomp /proc/self/status"),
    ("console", Errno::ENOENT, "a terminal needs a devpts in the mount list, on /dev/pts", "grep -n devpts config.json"),
    ("console", Errno::EXDEV, "something is mounted on the ptmx of the container's devpts", "grep pts config.json"),
    ("console", Errno::EIO, "the devpts was mounted without ptmxmode=0666, or closed its terminals", "grep devpts /proc/self/mountinfo inside"),
    ("console", Errno::ENOSPC, "this devpts, or the machine, has no terminal left", "cat /proc/sys/kernel/pty/nr /proc/sys/kernel/pty/max"),
    ("console", Errno::EINVAL, "the user of the process is not mapped in the user namespace, so the terminal cannot be given to it", "cat /proc/self/uid_map inside"),
    ("kernel-params", Errno::ENOENT, "this kernel, or a new network namespace, has no such sysctl", "ls /proc/sys/PATH, in a namespace: unshare -n ls /proc/sys/PATH"),
    ("kernel-params", Errno::EINVAL, "the kernel does not take this value", "cat /proc/sys/PATH: write what you read there"),
    ("kernel-params", Errno::EACCES, "the sysctl is read-only, or belongs to the host in spite of its name", "ls -l /proc/sys/PATH"),
    ("kernel-params", Errno::EPERM, "the namespace is not owned by the container's user namespace", "lsns --task $$"),
    ("kernel-params", Errno::EROFS, "/proc/sys of the host is read-only: jec runs in a container itself", "findmnt -T /proc/sys"),
    ("masks", Errno::ENOENT, "hiding a file takes /dev/null, which the container does not have", "a tmpfs on /dev in the mount list"),
    ("masks", Errno::ENOTDIR, "a masked or read-only path leads through a file", "ls -ld each part of the path, inside"),
    ("masks", Errno::ELOOP, "a masked or read-only path leads through a loop of links, or through /proc/PID/fd, cwd, root or exe", "ls -ld each part of the path, inside"),
    ("masks", Errno::EPERM, "a mount of the host below this path has flags that a user namespace may not change", "findmnt -R -o TARGET,OPTIONS ROOTFS"),
    ("hooks-runtime", Errno::ENOENT, "hooks on the host are programs of the host: this one, or the interpreter that its first line names, is not there", "ls -l the path; head -n 1 the path"),
    ("hooks-runtime", Errno::EACCES, "the hook may not be executed by this user", "ls -l the path; findmnt -o OPTIONS -T the path"),
    ("hooks-runtime", Errno::ENOEXEC, "the hook is neither a binary of this machine nor a script with #! in its first line", "file the path"),
    ("hooks-container", Errno::ENOENT, "a createContainer hook is a program of the host, not of the container: it, or the interpreter that its first line names, is not there", "ls -l the path; head -n 1 the path"),
    ("hooks-container", Errno::EACCES, "the hook may not be executed by root of the container's user namespace", "ls -l the path and its directories; compare with linux.uidMappings"),
    ("hooks-start", Errno::ENOENT, "a startContainer hook is a program of the container, not of the host: it, or the interpreter that its first line names, is not there", "ls the path in the root"),
    ("hooks-start", Errno::EACCES, "a startContainer hook runs as the container's user, who may not execute it", "ls -ld the path in the root; compare with process.user"),
    ("scheduling", Errno::EPERM, "a nice value below jec's own, a real-time policy or I/O class takes CAP_SYS_NICE over the host, which nobody in a user namespace has; a deadline takes all processors besides", "grep CapEff /proc/self/status; taskset -p $$"),
    ("scheduling", Errno::EBUSY, "the deadlines of all processes together leave no time for this one", "cat /proc/sys/kernel/sched_rt_runtime_us /proc/sys/kernel/sched_rt_period_us"),
    ("scheduling", Errno::EINVAL, "the kernel does not take this combination of policy, flags and times; or there is none of the processors or memory nodes", "man 2 sched_setattr; lscpu"),
    ("scheduling", Errno::ENOSYS, "this kernel knows one memory only (CONFIG_NUMA is not set)", "ls /proc/self/numa_maps"),
    ("labels", Errno::ENOENT, "no AppArmor profile of this name is loaded, or this kernel has no AppArmor", "aa-status; cat /sys/module/apparmor/parameters/enabled"),
    ("labels", Errno::EINVAL, "no security module of this kernel is active that knows such a label, or it is not written as that module writes them", "cat /sys/kernel/security/lsm"),
    ("labels", Errno::EACCES, "the profile or policy that jec itself runs under does not let it change to this one", "cat /proc/self/attr/current"),
    ("labels", Errno::EPERM, "the profile that jec itself runs under does not let it change to this one", "cat /proc/self/attr/current"),
    ("bounding", Errno::EPERM, "jec runs without CAP_SETPCAP, or under a filter that refuses prctl(2): without process.noNewPrivileges the container's own filter is loaded by now", "grep CapEff /proc/self/status"),
    ("identity", Errno::EACCES, "the working directory belongs to a user who is not mapped into the user namespace, so that not even its root may enter", "ls -ldn the directory; compare with linux.uidMappings"),
    ("identity", Errno::ELOOP, "the working directory is, or is reached through, a link of /proc that leads anywhere, also out to the host (CVE-2024-21626), or its links go in a circle", "ls -ld the directory in the root"),
    ("identity", Errno::ENOTDIR, "the working directory is a file, or below one", "ls -ld the path in the root"),
    ("identity", Errno::EROFS, "the working directory does not exist, and cannot be made where all is read-only", "ls -ld the path in the root; mkdir it there"),
    ("identity", Errno::EPERM, "a filter refuses the call: without process.noNewPrivileges it is loaded by now; or the user namespace that was joined denies setgroups(2)", "jec run --explain; cat /proc/PID/setgroups"),
    ("identity", Errno::EINVAL, "the id is not mapped in the user namespace", "cat /proc/PID/uid_map /proc/PID/gid_map"),
    ("capabilities", Errno::EPERM, "jec does not have what it should hand on, or a filter refuses capset(2): without process.noNewPrivileges it is loaded by now", "grep Cap /proc/self/status"),
    ("program", Errno::ENOENT, "no such file or directory in the container, or executable file not found in $PATH: the container's, not yours", "ls the path in the root"),
    ("program", Errno::EACCES, "permission denied: it is there, but a directory, or without the x bit for the container's user, or on a noexec mount", "ls -ld the path in the root; compare with process.user"),
    ("program", Errno::ENOTDIR, "a part of the path is a file", "ls -ld the path in the root"),
    ("program", Errno::ELOOP, "symbolic links go in a circle", "ls -l the path in the root"),
    ("program", Errno::EPERM, "a filter refuses the call: without process.noNewPrivileges it is loaded by now", "jec run --explain"),
    ("program", Errno::EFBIG, "jec looks for HOME in the container's /etc/passwd, and reads no more than 1 MiB", "ls -l etc/passwd in the root; or set HOME in process.env"),
    ("program", Errno::EILSEQ, "jec looks for HOME in the container's /etc/passwd, which is not UTF-8", "file etc/passwd in the root; or set HOME in process.env"),
    ("program", Errno::EAGAIN, "jec looks for HOME in the container's /etc/passwd, which is a fifo and not a file", "ls -l etc/passwd in the root; or set HOME in process.env"),
    ("created", Errno::ENOENT, "another `jec delete --force` has removed the state", "ls /run/jec"),
    ("pid-file", Errno::EACCES, "this user may not write where --pid-file is to be", "ls -ld the directory of --pid-file"),
    ("pid-file", Errno::EISDIR, "--pid-file names a directory, and a file is wanted", "ls -ld the directory of --pid-file"),
    ("created", Errno::ENOSPC, "the file system of the state directory is full", "df -h /run/jec; df -i /run/jec"),
    ("pid-file", Errno::ENOENT, "the directory of --pid-file does not exist", "ls -ld the directory of --pid-file"),
    ("pid-file", Errno::ENOSPC, "the file system of --pid-file is full", "df -h; df -i"),
    ("open-gate", Errno::ECONNREFUSED, "init has ended, or another `jec start` was faster", "jec state ID"),
    ("seccomp", Errno::EACCES, "without process.noNewPrivileges a filter takes CAP_SYS_ADMIN", "grep Cap /proc/self/status"),
    ("seccomp", Errno::EBUSY, "jec itself runs under a filter with a listener, and the kernel knows one listener only", "grep Seccomp /proc/self/status"),
    ("seccomp", Errno::ENOMEM, "this filter and those that jec runs under are longer than the kernel takes together (32768 instructions)", "grep Seccomp_filters /proc/self/status"),
    ("notify", Errno::ENOENT, "nobody has made the socket that linux.seccomp.listenerPath names: the agent has to be there first", "ls -l THE-SOCKET"),
    ("notify", Errno::ECONNREFUSED, "the socket is there, but the agent that made it has ended", "ss -xl | grep THE-SOCKET"),
    ("notify", Errno::EACCES, "jec may not connect to the agent's socket", "ls -l THE-SOCKET; id"),
    ("notify", Errno::EAGAIN, "the agent listens but accepts nobody; jec has waited ten seconds", "ss -xl | grep THE-SOCKET"),
    ("exec", Errno::ENOENT, "the file itself is there (the stage program has found it): what is missing is its interpreter, which a script names behind #! in its first line, and a dynamic binary inside", "head -n 1 the file; readelf -l the file | grep interpreter"),
    ("exec", Errno::EACCES, "the interpreter that its first line names may not be executed", "head -n 1 the file"),
    ("exec", Errno::ENOEXEC, "neither a binary of this machine nor a script: it is empty, or a text without #! in its first line, or for another kind of processor", "file the file; uname -m"),
    ("exec", Errno::E2BIG, "an argument or variable is longer than 128 KiB, or all together are longer than a quarter of the stack's limit", "getconf ARG_MAX; ulimit -s"),
    ("exec", Errno::EAGAIN, "the user has as many processes as RLIMIT_NPROC allows; those of other containers and of the host count", "ps -U the uid | wc -l; compare with process.rlimits"),
    ("exec", Errno::EPERM, "the filter refuses execve(2) with these arguments", "jec run --seccomp none"),
    ("exec", Errno::ETXTBSY, "somebody has the file open for writing", "fuser -v the file"),
    ("running", NO_CALL, "the filter ends whoever calls execve(2); or that failed, and the filter refuses what init needs to say why: sendmsg(2)", "allow execve and sendmsg in linux.seccomp, and try again"),
    ("running", Errno::ENOENT, "the state is gone: another `jec delete --force` has ended the container while it started", "ls /run/jec"),
    ("running", Errno::ENOSPC, "the file system of the state directory is full", "df -h /run/jec; df -i /run/jec"),
    ("running", Errno::EROFS, "the file system of the state directory has become read-only, perhaps after an error of the disk", "findmnt -T /run/jec; dmesg | tail"),
    ("kill-all", Errno::ETIMEDOUT, "a killed process does not end: it waits in the kernel, mostly for a disk or a network file system", "ps -eo pid,stat,wchan:30,cmd | grep ' D'"),
    ("kill-all", Errno::EACCES, "the cgroup belongs to somebody else: delete a container as the user who made it", "ls -ld /sys/fs/cgroup/jec/*"),
    ("kill-all", Errno::EPERM, "the process belongs to somebody else: delete a container as the user who made it", "ls -l /run/jec; id -u"),
    ("remove", Errno::EBUSY, "something is still in the cgroup: a process that came from outside, or a cgroup that somebody uses", "find /sys/fs/cgroup/jec -name cgroup.procs -exec grep -H . {} +"),
    ("remove", Errno::EACCES, "the cgroup or the state belongs to somebody else: delete a container as the user who made it", "ls -ld /run/jec /run/jec/*"),
    ("remove", Errno::EISDIR, "there is a directory in the state directory, and jec makes none: look at it before you remove it", "ls -lR /run/jec"),
    ("remove", Errno::ENOTEMPTY, "somebody has written into the state directory meanwhile; `jec delete --force` once more", "ls -l /run/jec/*"),
];

/// What usually causes an error in a stage, in words for one who never met the errno,
/// and a command that confirms it.
pub fn find(stage: &str, error: &Error) -> Option<(&'static str, &'static str)> {
    let stage = stage.strip_suffix("-early").unwrap_or(stage);
    let fits = |row: &&(&str, Errno, _, _)| [stage, "any"].contains(&row.0) && error.is(row.1);
    ADVICE.iter().find(fits).map(|row| (row.2, row.3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_stage_and_no_two_rows_are_for_the_same_case() {
        for (at, (stage, errno, ..)) in ADVICE.iter().enumerate() {
            assert!(*stage == "any" || crate::stages::find(stage).is_some(), "{stage}");
            let twin = ADVICE[..at].iter().any(|other| (other.0, other.1) == (*stage, *errno));
            assert!(!twin, "{stage} {errno}");
        }
    }

    #[test]
    fn advice_is_for_the_stage_and_the_errno() {
        let error =
            |errno| Error::Call { name: "x".into(), args: String::new(), errno: errno as i32 };
        assert!(find("notify-early", &error(Errno::ENOENT)).is_some());
        assert!(find("adopt", &error(Errno::ENOENT)).is_none());
        assert!(find("mounts", &error(Errno::ENODEV)).is_some());
        assert!(find("masks", &error(Errno::ENODEV)).is_none());
        assert!(find("mounts", &Error::config("mounts", "x")).is_none());
    }
}
