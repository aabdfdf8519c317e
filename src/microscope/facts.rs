//! What the kernel says of a process, as far as making a container changes it.
//!
//! Each fact has a key (`capabilities.bounding`, `mount./proc`, `descriptor.3`) and is text, so
//! that all facts can be compared alike. What the observer may not see has the errno as its
//! value, in brackets: an ordinary user's own processes are closed to her from the moment on in
//! which they are not dumpable (proc(5), ptrace(2)).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::hosts::Hosts;
use super::mounts;
use super::names::Names;
use crate::error::Result;
use crate::sys::{directory, file};

/// Facts of one process.
pub type Facts = BTreeMap<String, String>;

/// What looks.
pub struct Eye {
    proc: Rc<OwnedFd>,
    /// The pipe by which the observer hears of the end of all others.
    lifeline: Option<CString>,
    hosts: Hosts,
}

/// Words of /proc/PID/status, and the keys of their values.
const STATUS: [(&str, &str); 16] = [
    ("Name:", "name"),
    ("Umask:", "umask"),
    ("Uid:", "ids.uid"),
    ("Gid:", "ids.gid"),
    ("Groups:", "ids.groups"),
    ("CapInh:", "capabilities.inheritable"),
    ("CapPrm:", "capabilities.permitted"),
    ("CapEff:", "capabilities.effective"),
    ("CapBnd:", "capabilities.bounding"),
    ("CapAmb:", "capabilities.ambient"),
    ("NoNewPrivs:", "no_new_privs"),
    ("Seccomp:", "seccomp.mode"),
    ("Seccomp_filters:", "seccomp.filters"),
    ("SigBlk:", "signals.blocked"),
    ("SigIgn:", "signals.ignored"),
    ("SigCgt:", "signals.caught"),
];

/// Links in /proc/PID/ns.
pub const NAMESPACES: [&str; 10] = [
    "cgroup",
    "ipc",
    "mnt",
    "net",
    "pid",
    "pid_for_children",
    "time",
    "time_for_children",
    "user",
    "uts",
];

/// Files of /proc/PID that are a fact as they are.
const FILES: [&str; 5] = ["uid_map", "gid_map", "setgroups", "oom_score_adj", "attr/current"];

/// Files of a cgroup that limit something.
const LIMITS: [&str; 13] = [
    "cpu.max",
    "cpu.weight",
    "cpuset.cpus",
    "cpuset.mems",
    "io.max",
    "io.weight",
    "memory.high",
    "memory.low",
    "memory.max",
    "memory.min",
    "memory.oom.group",
    "memory.swap.max",
    "pids.max",
];

impl Eye {
    /// Looks through this /proc.
    pub fn new(proc: Rc<OwnedFd>, lifeline: BorrowedFd) -> Self {
        let link = CString::new(format!("self/fd/{}", lifeline.as_raw_fd())).ok();
        let lifeline = link.and_then(|link| file::readlinkat(proc.as_fd(), &link).ok());
        Self { proc, lifeline, hosts: Hosts::default() }
    }

    /// Looks once, for nobody's trace.
    pub fn new_for_now(proc: Rc<OwnedFd>) -> Self {
        Self { proc, lifeline: None, hosts: Hosts::default() }
    }

    /// The version of the kernel.
    pub fn kernel(&self) -> String {
        self.read("sys/kernel/osrelease").unwrap_or_default().trim().into()
    }

    /// The text of a file of /proc.
    pub fn read(&self, path: &str) -> Result<String> {
        file::read_file(self.proc.as_fd(), &CString::new(path)?, 4 << 20)
    }

    /// None of a process that has ended.
    pub fn facts(&mut self, pid: i32, names: &mut Names) -> Option<Facts> {
        let status = self.read(&format!("{pid}/status")).ok()?;
        let value = |word: &str| status.lines().find_map(|line| line.strip_prefix(word));
        let mut facts = Facts::from([("name".into(), String::new())]);
        for (word, key) in STATUS {
            facts.extend(value(word).map(|value| (key.into(), words(value))));
        }
        let inside = value("NSpid:")?.split_whitespace().skip(1).last();
        facts.extend(inside.map(|number| ("pid.inside".into(), number.into())));
        for name in NAMESPACES {
            let link = self.link(&format!("{pid}/ns/{name}"), names);
            facts.extend(link.map(|link| (format!("namespace.{name}"), link)));
        }
        for name in FILES {
            let text = self.read(&format!("{pid}/{name}")).unwrap_or_default();
            if !text.trim().is_empty() {
                facts.insert(name.replace("attr/current", "label"), lines(&text));
            }
        }
        self.family(pid, names, &mut facts);
        self.cgroup(pid, names, &mut facts);
        self.limits(pid, &mut facts);
        self.network(pid, &mut facts);
        self.descriptors(pid, names, &mut facts);
        self.hosts.add(&self.proc, pid, names, &mut facts);
        mounts::add(&self.read(&format!("{pid}/mountinfo")).unwrap_or_default(), names, &mut facts);
        // Of one that has ended meanwhile, some of it was gone already: half the truth is none.
        let status = self.read(&format!("{pid}/status")).ok()?;
        is_whole(&status).then_some(facts)
    }

    /// A link that only who may trace the process may read.
    fn link(&self, path: &str, names: &mut Names) -> Option<String> {
        let link = file::readlinkat(self.proc.as_fd(), &CString::new(path).ok()?);
        seen(link.map(|link| names.of_link(&link.to_string_lossy())))
    }

    /// Its parent and its session, by name (proc_pid_stat(5)).
    fn family(&self, pid: i32, names: &Names, facts: &mut Facts) {
        let stat = self.read(&format!("{pid}/stat")).unwrap_or_default();
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        for (key, field) in [("parent", 1), ("session", 3)] {
            let number = fields.get(field).copied().unwrap_or_default();
            let name = names.of_process(number).unwrap_or("another");
            facts.insert(key.into(), name.into());
        }
    }

    fn cgroup(&self, pid: i32, names: &Names, facts: &mut Facts) {
        let text = self.read(&format!("{pid}/cgroup")).unwrap_or_default();
        let Some(path) = text.lines().find_map(|line| line.strip_prefix("0::")) else {
            return;
        };
        facts.insert("cgroup".into(), names.of_text(path));
        for name in LIMITS {
            let text = CString::new(format!("/sys/fs/cgroup{path}/{name}"));
            let text = text.ok().and_then(|path| file::read_file(file::HERE, &path, 1 << 16).ok());
            facts.extend(text.map(|text| (format!("cgroup.{name}"), lines(&text))));
        }
    }

    /// `Max open files            1024                 524288               files`
    fn limits(&self, pid: i32, facts: &mut Facts) {
        let text = self.read(&format!("{pid}/limits")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let (name, values) = line.split_at(line.len().min(26));
            let name = name.trim().trim_start_matches("Max ").replace(' ', "_");
            let values: Vec<_> = values.split_whitespace().take(2).collect();
            facts.insert(format!("limit.{name}"), values.join(" "));
        }
    }

    /// Devices, and the addresses that are the machine's own. A device that is down has none.
    fn network(&self, pid: i32, facts: &mut Facts) {
        let read = |name: &str| self.read(&format!("{pid}/net/{name}")).unwrap_or_default();
        let text = read("dev");
        let names = text.lines().skip(2).filter_map(|line| line.split(':').next());
        let names: BTreeSet<_> = names.map(str::trim).collect();
        facts.insert("network.devices".into(), Vec::from_iter(names).join(" "));
        let text = read("fib_trie");
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let local = |pair: &&[&str]| pair[1] == "/32 host LOCAL";
        let mut addresses: BTreeSet<String> = lines
            .windows(2)
            .filter(local)
            .filter_map(|pair| pair[0].strip_prefix("|-- ").map(str::to_owned))
            .collect();
        addresses.extend(read("if_inet6").lines().filter_map(|line| {
            let number = u128::from_str_radix(line.split_whitespace().next()?, 16).ok()?;
            Some(Ipv6Addr::from(number).to_string())
        }));
        facts.insert("network.addresses".into(), Vec::from_iter(addresses).join(" "));
    }

    fn descriptors(&self, pid: i32, names: &mut Names, facts: &mut Facts) {
        let open = |name: &str| {
            let path = CString::new(format!("{pid}/{name}"))?;
            file::openat(self.proc.as_fd(), &path, file::PLACE, 0)
        };
        let listed = open("fd").and_then(|fd| directory::names(fd.as_fd()).map(|list| (fd, list)));
        let (links, list) = match listed {
            Ok(found) => found,
            Err(error) => {
                facts.extend(seen(Err(error)).map(|errno| ("descriptors".into(), errno)));
                return;
            }
        };
        for number in list {
            let name = number.to_string_lossy();
            let link = file::readlinkat(links.as_fd(), &number);
            let info = self.read(&format!("{pid}/fdinfo/{name}")).unwrap_or_default();
            let value = |word| info.lines().find_map(|line| line.strip_prefix(word));
            let flags = value("flags:").and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
            let flags = OFlag::from_bits_retain(flags.unwrap_or(0));
            // Our lifeline is there for our sake alone.
            if link.as_ref().is_ok_and(|link| Some(link) == self.lifeline.as_ref()) {
                continue;
            }
            let link = seen(link.map(|link| names.of_link(&link.to_string_lossy())));
            let mut text = link.unwrap_or_default();
            for (flag, word) in [(OFlag::O_PATH, " path"), (OFlag::O_CLOEXEC, " close-on-exec")] {
                text.push_str(if flags.contains(flag) { word } else { "" });
            }
            facts.insert(format!("descriptor.{name}"), text);
        }
    }
}

/// A fact; or why it cannot be seen, in brackets; or none, where it does not exist.
pub fn seen(found: Result<String>) -> Option<String> {
    match found {
        Ok(fact) => Some(fact),
        Err(error) if error.is(Errno::ENOENT) => None,
        Err(error) => Some(format!("({:?})", Errno::from_raw(error.errno()))),
    }
}

/// Whether a process has all of what it had: descriptors are the first of it to go when it ends.
fn is_whole(status: &str) -> bool {
    let value = |word: &str| status.lines().find_map(|line| line.strip_prefix(word)).map(str::trim);
    let lives = value("State:").is_some_and(|state| !state.starts_with(['Z', 'X']));
    lives && value("FDSize:").is_some_and(|size| size != "0")
}

/// With one blank between two words.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines, with a comma between two.
fn lines(text: &str) -> String {
    text.lines().map(words).collect::<Vec<_>>().join(", ")
}
