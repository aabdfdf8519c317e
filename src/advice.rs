//! What usually causes an error, and the command that confirms it.

use libc::{
    E2BIG, EACCES, EAGAIN, EBUSY, ECONNREFUSED, EFBIG, EILSEQ, EINVAL, ELOOP, ENOENT, ENOEXEC,
    ENOMEM, ENOTDIR, EPERM, EROFS, ETXTBSY,
};

use crate::error::Error;

/// The likely cause of an error and how to confirm it.
pub struct Advice {
    /// What usually causes it, in words for one who never met the errno.
    pub cause: &'static str,
    /// A command that confirms the cause.
    pub check: &'static str,
}

/// The errno of an error that is no failed call.
const NO_CALL: i32 = 0;

/// Stage, errno, cause, check. A stage with an early row has one name here.
#[rustfmt::skip]
const ADVICE: &[(&str, i32, &str, &str)] = &[
    ("filter", EINVAL, "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)", "grep Seccomp /proc/self/status"),
    ("filter", EPERM, "jec itself runs under a filter, of a container perhaps, that refuses seccomp(2)", "grep Seccomp /proc/self/status"),

    ("scheduling", EPERM, "a nice value below jec's own, a real-time policy or I/O class takes CAP_SYS_NICE over the host, which nobody in a user namespace has; a deadline takes all processors besides", "grep CapEff /proc/self/status; taskset -p $$"),
    ("scheduling", EBUSY, "the deadlines of all processes together leave no time for this one", "cat /proc/sys/kernel/sched_rt_runtime_us /proc/sys/kernel/sched_rt_period_us"),
    ("scheduling", EINVAL, "the kernel does not take this combination of policy, flags and times", "man 2 sched_setattr"),

    ("seccomp", EACCES, "without process.noNewPrivileges a filter takes CAP_SYS_ADMIN", "grep Cap /proc/self/status"),
    ("seccomp", EBUSY, "jec itself runs under a filter with a listener, and the kernel knows one listener only", "grep Seccomp /proc/self/status"),
    ("seccomp", ENOMEM, "this filter and those that jec runs under are longer than the kernel takes together (32768 instructions)", "grep Seccomp_filters /proc/self/status"),

    ("notify", ENOENT, "nobody has made the socket that linux.seccomp.listenerPath names: the agent has to be there first", "ls -l THE-SOCKET"),
    ("notify", ECONNREFUSED, "the socket is there, but the agent that made it has ended", "ss -xl | grep THE-SOCKET"),
    ("notify", EACCES, "jec may not connect to the agent's socket", "ls -l THE-SOCKET; id"),
    ("notify", EAGAIN, "the agent listens but accepts nobody; jec has waited ten seconds", "ss -xl | grep THE-SOCKET"),

    ("bounding", EPERM, "jec runs without CAP_SETPCAP, or under a filter that refuses prctl(2): without process.noNewPrivileges the container's own filter is loaded by now", "grep CapEff /proc/self/status"),

    ("identity", EACCES, "the working directory belongs to a user who is not mapped into the user namespace, so that not even its root may enter", "ls -ldn the directory; compare with linux.uidMappings"),
    ("identity", ELOOP, "the working directory is, or is reached through, a link of /proc that leads anywhere, also out to the host (CVE-2024-21626), or its links go in a circle", "ls -ld the directory in the root"),
    ("identity", ENOTDIR, "the working directory is a file, or below one", "ls -ld the path in the root"),
    ("identity", EROFS, "the working directory does not exist, and cannot be made where all is read-only", "ls -ld the path in the root; mkdir it there"),
    ("identity", EPERM, "a filter refuses the call: without process.noNewPrivileges it is loaded by now; or the user namespace that was joined denies setgroups(2)", "jec run --explain; cat /proc/PID/setgroups"),
    ("identity", EINVAL, "the id is not mapped in the user namespace", "cat /proc/PID/uid_map /proc/PID/gid_map"),

    ("capabilities", EPERM, "jec does not have what it should hand on, or a filter refuses capset(2): without process.noNewPrivileges it is loaded by now", "grep Cap /proc/self/status"),

    ("program", ENOENT, "the file is not in the container; PATH is the container's, not yours", "ls the path in the root"),
    ("program", EACCES, "it is there, but a directory, or without the x bit for the container's user, or on a noexec mount", "ls -ld the path in the root; compare with process.user"),
    ("program", ENOTDIR, "a part of the path is a file", "ls -ld the path in the root"),
    ("program", ELOOP, "symbolic links go in a circle", "ls -l the path in the root"),
    ("program", EPERM, "a filter refuses the call: without process.noNewPrivileges it is loaded by now", "jec run --explain"),
    ("program", EFBIG, "jec looks for HOME in the container's /etc/passwd, and reads no more than 1 MiB", "ls -l etc/passwd in the root; or set HOME in process.env"),
    ("program", EILSEQ, "jec looks for HOME in the container's /etc/passwd, which is not UTF-8", "file etc/passwd in the root; or set HOME in process.env"),
    ("program", EAGAIN, "jec looks for HOME in the container's /etc/passwd, which is a fifo and not a file", "ls -l etc/passwd in the root; or set HOME in process.env"),

    ("exec", ENOENT, "the file itself is there (the stage program has found it): what is missing is its interpreter, which a script names behind #! in its first line, and a dynamic binary inside", "head -n 1 the file; readelf -l the file | grep interpreter"),
    ("exec", EACCES, "the interpreter that its first line names may not be executed", "head -n 1 the file"),
    ("exec", ENOEXEC, "neither a binary of this machine nor a script: it is empty, or a text without #! in its first line, or for another kind of processor", "file the file; uname -m"),
    ("exec", E2BIG, "an argument or variable is longer than 128 KiB, or all together are longer than a quarter of the stack's limit", "getconf ARG_MAX; ulimit -s"),
    ("exec", EAGAIN, "the user has as many processes as RLIMIT_NPROC allows; those of other containers and of the host count", "ps -U the uid | wc -l; compare with process.rlimits"),
    ("exec", EPERM, "the filter refuses execve(2) with these arguments", "jec run --seccomp none"),
    ("exec", ETXTBSY, "somebody has the file open for writing", "fuser -v the file"),

    ("running", NO_CALL, "execve(2) failed, and the filter refuses what init needs to say why: sendmsg(2)", "allow sendmsg in linux.seccomp, and try again"),
];

/// The advice for an error in a stage, where there is one.
pub fn find(stage: &str, error: &Error) -> Option<Advice> {
    let stage = stage.strip_suffix("-early").unwrap_or(stage);
    let mut rows = ADVICE.iter();
    let found = rows.find(|(known, errno, ..)| *known == stage && *errno == error.errno());
    found.map(|(_, _, cause, check)| Advice { cause, check })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_a_stage_and_no_two_rows_are_for_the_same_case() {
        for (at, (stage, errno, ..)) in ADVICE.iter().enumerate() {
            assert!(crate::stages::find(stage).is_some(), "{stage}");
            let same = |(s, e, ..): &&(&str, i32, &str, &str)| s == stage && e == errno;
            assert!(!ADVICE[..at].iter().any(|row| same(&row)), "{stage} {errno}");
        }
    }

    #[test]
    fn an_early_row_has_the_advice_of_its_module() {
        let error = Error::Call { name: "connect".into(), args: String::new(), errno: ENOENT };
        assert!(find("notify-early", &error).is_some());
        assert!(find("adopt", &error).is_none());
    }
}
