//! What usually causes an error, and the command that confirms it.

use nix::errno::Errno;

use crate::error::Error;

/// The likely cause of an error and how to confirm it.
pub struct Advice {
    /// What usually causes it, in words for one who never met the errno.
    pub cause: &'static str,
    /// A command that confirms the cause.
    pub check: &'static str,
}

/// Stage, errno, likely cause, command.
type Row = (&'static str, Errno, &'static str, &'static str);

#[rustfmt::skip]
const ADVICE: &[Row] = &[
    ("console-socket", Errno::EMFILE, "jec was started with hardly any file descriptors allowed", "ulimit -n"),
    ("cgroup", Errno::EINVAL, "the value is none that this file takes, e.g. a processor that this machine does not have", "cat /sys/fs/cgroup/cpuset.cpus.effective"),
    ("cgroup", Errno::ERANGE, "the value is outside of what this file takes", "man 7 cgroups"),
    ("cgroup", Errno::ENODEV, "there is no block device of this number, or it is a partition", "lsblk -d -o NAME,MAJ:MIN"),
    ("cgroup", Errno::EACCES, "this part of the tree belongs to somebody else", "ls -ld /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)"),
    ("cgroup", Errno::EBUSY, "the parent cgroup has processes of its own, so it cannot hand controllers down", "cat /sys/fs/cgroup/jec/cgroup.procs"),
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
    ("mount-sources", Errno::EINVAL, "the source is no mount of our namespace, or this file system cannot be id-mapped", "findmnt -T SOURCE -o TARGET,FSTYPE"),
    ("mount-sources", Errno::EPERM, "id-mapping a mount takes CAP_SYS_ADMIN over the file system: on the host that is root alone", "id -u"),
    ("mount-sources", Errno::ENOENT, "the source of the mount does not exist; a relative one starts at the bundle", "ls -ld SOURCE"),
    ("session", Errno::EDQUOT, "this user has as many keys and keyrings as she may have", "cat /proc/key-users; sysctl kernel.keys.maxkeys"),
    ("network", Errno::EMFILE, "RLIMIT_NOFILE of the configuration counts from here on, and set-up itself needs about 14 descriptors", "jec stages limits"),
    ("network", Errno::EAFNOSUPPORT, "this kernel was built without IPv4", "ls /proc/sys/net/ipv4"),
    ("propagation", Errno::EACCES, "root inside is another user outside, who may not search a directory on the way to the root file system", "namei -l PATH: each directory needs x for that user"),
    ("propagation", Errno::EPERM, "this process may not change mounts: it has no CAP_SYS_ADMIN in the user namespace that owns them", "grep CapEff /proc/self/status; is there a user namespace in linux.namespaces?"),
    ("propagation", Errno::EMFILE, "RLIMIT_NOFILE of the configuration counts for set-up as well, which needs about 14 descriptors", "jec stages limits"),
    ("mounts", Errno::ENOENT, "the source of a bind mount does not exist on the host; or the destination lies in /proc or /sys, where nothing can be made, and does not exist there", "ls -ld SOURCE; ls -ld DESTINATION"),
    ("mounts", Errno::EACCES, "root inside is another user outside, who may not search a directory on the way to the source", "namei -l SOURCE: each directory needs x for that user"),
    ("mounts", Errno::ENODEV, "the kernel does not know this type of file system", "grep TYPE /proc/filesystems; modprobe TYPE"),
    ("mounts", Errno::EINVAL, "an option that this file system does not know, a group that is not mapped (gid=), or a remount of what is no mount", "the words in brackets are the kernel's; cat /proc/self/mountinfo"),
    ("mounts", Errno::EPERM, "in a user namespace: sysfs needs a network namespace of the container's own, proc a pid namespace and a host whose /proc is not masked, and flags of the host's mounts (ro, nosuid, nodev, noexec) cannot be taken away", "findmnt -o TARGET,OPTIONS SOURCE; findmnt -R /proc"),
    ("mounts", Errno::ELOOP, "the image has a link where /proc or /sys has to be a real directory, or a loop of links on the way to a destination", "ls -ld ROOTFS/proc ROOTFS/sys ROOTFS/DESTINATION"),
    ("mounts", Errno::ENOTDIR, "a file stands where the destination needs a directory", "ls -ld SOURCE ROOTFS/DESTINATION"),
    ("mounts", Errno::EMFILE, "each entry of the mount list holds a descriptor until all are made, and few are allowed", "ulimit -n"),
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
];

/// The advice for an error in a stage, where there is one.
pub fn find(stage: &str, error: &Error) -> Option<Advice> {
    let errno = error.errno();
    let row = ADVICE.iter().find(|row| row.0 == stage && row.1 as i32 == errno)?;
    Some(Advice { cause: row.2, check: row.3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_stage_and_stands_once() {
        for (at, row) in ADVICE.iter().enumerate() {
            assert!(crate::stages::find(row.0).is_some(), "{}", row.0);
            let twin = ADVICE[..at].iter().any(|other| (other.0, other.1) == (row.0, row.1));
            assert!(!twin, "{} {}", row.0, row.1);
        }
    }

    #[test]
    fn an_errno_of_another_stage_gets_no_advice() {
        let error = |errno| Error::Call { name: "x".into(), args: String::new(), errno };
        assert!(find("mounts", &error(Errno::ENODEV as i32)).is_some());
        assert!(find("masks", &error(Errno::ENODEV as i32)).is_none());
        assert!(find("mounts", &Error::config("mounts", "x")).is_none());
    }
}
