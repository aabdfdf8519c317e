//! What usually causes an error, and the command that confirms it.

use crate::error::Error;

/// The likely cause of an error and how to confirm it.
pub struct Advice {
    /// What usually causes it, in words for one who never met the errno.
    pub cause: &'static str,
    /// A command that confirms the cause.
    pub check: &'static str,
}

/// Stage, errno, cause, check. Only what the errno alone would not tell; in the order of STAGES.
#[rustfmt::skip]
const ADVICE: &[(&str, i32, &str, &str)] = &[
    ("cgroup", libc::EINVAL, "the value is none that this file takes, e.g. a processor that this machine does not have", "cat /sys/fs/cgroup/cpuset.cpus.effective"),
    ("cgroup", libc::ERANGE, "the value is outside of what this file takes", "man 7 cgroups"),
    ("cgroup", libc::ENODEV, "there is no block device of this number, or it is a partition", "lsblk -d -o NAME,MAJ:MIN"),
    ("cgroup", libc::EACCES, "this part of the tree belongs to somebody else", "ls -ld /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)"),
    ("cgroup", libc::EBUSY, "the parent cgroup has processes of its own, so it cannot hand controllers down", "cat /sys/fs/cgroup/jec/cgroup.procs"),
    ("spawn-middle", libc::EAGAIN, "no more processes: the limit of this user, or pids.max of a cgroup above", "ulimit -u; cat /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/pids.max"),
    ("spawn-middle", libc::EBUSY, "the container's cgroup hands controllers down, so no process may be in it", "cat /sys/fs/cgroup/jec/*/cgroup.subtree_control"),
    ("spawn-middle", libc::EACCES, "putting a process into a cgroup takes write access to cgroup.procs of the nearest cgroup above both", "cat /proc/self/cgroup"),
    ("join", libc::ENOENT, "the process that the path names has ended, or nobody made this name yet", "lsns; ls -l /run/netns"),
    ("join", libc::EACCES, "the namespaces of a process are shown only to who may trace it", "ls -l /proc/PID/ns"),
    ("join", libc::EPERM, "the namespace belongs to a user namespace in which this user is not root", "lsns -t user; id -u"),
    ("join", libc::EINVAL, "it is the user namespace that jec is in already, or a pid namespace that is not below ours", "readlink /proc/self/ns/user /proc/self/ns/pid"),
    ("user-namespace", libc::EPERM, "this machine does not let ordinary users make user namespaces, or jec runs in a chroot", "sysctl kernel.unprivileged_userns_clone kernel.apparmor_restrict_unprivileged_userns"),
    ("user-namespace", libc::ENOSPC, "no user namespace is left to this user, or 32 are nested already", "sysctl user.max_user_namespaces"),
    ("user-namespace", libc::EUSERS, "32 user namespaces are nested already", "lsns -t user"),
    ("id-map", libc::EPERM, "the map names ids that are not this user's to give", "grep \"^$(id -un):\" /etc/subuid /etc/subgid"),
    ("id-map", libc::ENOENT, "newuidmap and newgidmap are not installed (Debian: package uidmap)", "command -v newuidmap newgidmap"),
    ("id-map", libc::EACCES, "newuidmap cannot be executed, or the process to be mapped is not ours", "ls -l $(command -v newuidmap newgidmap)"),
    ("id-map", libc::EINVAL, "the ids on the right are not mapped in the user namespace that jec itself is in", "cat /proc/self/uid_map"),
    ("become-root", libc::EINVAL, "the user namespace has no id 0", "cat /proc/PID/uid_map"),
    ("become-root", libc::EPERM, "in the user namespace that was joined this user is not root", "cat /proc/PID/uid_map; id -u"),
    ("time-namespace", libc::ERANGE, "the clock would stand before zero: the offset is more than the machine has been up", "cat /proc/uptime"),
    ("time-namespace", libc::EACCES, "a process that has joined a namespace is not dumpable, so only root may write its offsets", "man 5 proc_pid | grep -A9 dumpable"),
    ("time-namespace", libc::ENOSPC, "no time namespace is left to this user", "sysctl user.max_time_namespaces"),
    ("time-namespace", libc::EINVAL, "this kernel has no time namespaces: they came with Linux 5.6 and can be left out", "ls /proc/self/ns/time"),
    ("spawn-init", libc::ENOSPC, "one kind of namespace is used up for this user, or pid namespaces are nested 32 deep", "sysctl -a -r '^user.max_.*_namespaces'"),
    ("spawn-init", libc::ENOMEM, "process 1 of the pid namespace that was joined has ended, and nobody can be born in there any more", "lsns -t pid"),
    ("spawn-init", libc::EAGAIN, "no more processes: pids.max of the container's cgroup, or the limit of this user", "ulimit -u"),
    ("spawn-init", libc::EPERM, "only root may make namespaces without a user namespace", "id -u"),
    ("limits", libc::EPERM, "a hard limit can be raised only with CAP_SYS_RESOURCE on the host", "ulimit -H -a; capsh --print | grep Current"),
    ("limits", libc::EACCES, "oom_score_adj can be lowered only with CAP_SYS_RESOURCE on the host", "cat /proc/self/oom_score_adj"),
    ("mount-sources", libc::EINVAL, "the source is no mount of our namespace, or this file system cannot be id-mapped", "findmnt -T SOURCE -o TARGET,FSTYPE"),
    ("mount-sources", libc::EPERM, "id-mapping a mount takes CAP_SYS_ADMIN over the file system: on the host that is root alone", "id -u"),
    ("mount-sources", libc::ENOENT, "the source of the mount does not exist; a relative one starts at the bundle", "ls -ld SOURCE"),
    ("session", libc::EDQUOT, "this user has as many keys and keyrings as she may have", "cat /proc/key-users; sysctl kernel.keys.maxkeys"),
    ("network", libc::EMFILE, "RLIMIT_NOFILE of the configuration counts from here on, and set-up itself needs about 14 descriptors", "jec stages limits"),
    ("propagation", libc::EACCES, "a directory on the way to the root file system lets the container's root, who is another user outside, not pass", "namei -l ROOTFS"),
    ("mounts", libc::EACCES, "the root file system does not belong to the container's root, who is another user outside", "ls -ldn ROOTFS"),
    ("propagation", libc::EMFILE, "RLIMIT_NOFILE of the configuration counts for set-up as well, which needs about 14 descriptors", "jec stages limits"),
    ("mounts", libc::EMFILE, "RLIMIT_NOFILE of the configuration counts for set-up as well, which needs about 14 descriptors", "jec stages limits"),
    ("network", libc::EAFNOSUPPORT, "this kernel was built without IPv4", "ls /proc/sys/net/ipv4"),
];

/// The advice for an error in a stage, where there is one.
pub fn find(stage: &str, error: &Error) -> Option<Advice> {
    let fits = |row: &&(&str, i32, _, _)| row.0 == stage && row.1 == error.errno();
    ADVICE.iter().find(fits).map(|(_, _, cause, check)| Advice { cause, check })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_stage_and_none_says_it_twice() {
        for (at, (stage, errno, ..)) in ADVICE.iter().enumerate() {
            assert!(crate::stages::find(stage).is_some(), "{stage}");
            let same = |row: &&(&str, i32, &str, &str)| row.0 == *stage && row.1 == *errno;
            assert_eq!(ADVICE[..at].iter().find(same), None, "{stage}");
        }
    }

    #[test]
    fn advice_is_for_the_stage_and_the_errno() {
        let error = |errno| Error::Call { name: "setns".into(), args: String::new(), errno };
        assert!(find("join", &error(libc::ENOENT)).is_some());
        assert!(find("join", &error(libc::E2BIG)).is_none());
        assert!(find("adopt", &error(libc::ENOENT)).is_none());
        assert!(find("join", &Error::config("a", "b")).is_none());
    }
}
