//! The system call filter: an OCI profile, compiled to the program that seccomp(2) loads.
//!
//! The kernel runs the program at every system call, over `struct seccomp_data`
//! (number, AUDIT_ARCH, six arguments), and does what the returned number
//! says. [`compile()`] decides who answers for which number, `assemble` writes
//! the instructions. Read them in this order. Man pages: seccomp(2), bpf(4) of
//! the BSDs for the instructions; specification: config-linux.md, "Seccomp".

use std::ffi::CString;

use crate::sys::syscalls::Abi;

mod assemble;
mod compile;
#[cfg(test)]
pub(crate) mod tests;

pub use compile::compile;
pub use seccompiler::{BpfProgram as Program, SeccompCmpOp as Operator};

/// linux.seccomp, with numbers instead of names where the kernel wants numbers.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What happens to a call that no rule names.
    pub default_action: Action,
    /// The interfaces the rules hold for, the machine's own among them. Calls
    /// through any other kill the process.
    pub abis: Vec<&'static Abi>,
    /// SECCOMP_FILTER_FLAG_* for seccomp(2).
    pub flags: u64,
    /// The socket that gets the listener's descriptor.
    pub listener_path: Option<CString>,
    /// Told to the listener, as it stands.
    pub listener_metadata: String,
    /// The rules, in the order of the configuration.
    pub rules: Vec<Rule>,
}

impl Profile {
    /// What happens to every call of this name, through any interface; none
    /// where the arguments decide.
    pub fn verdict(&self, name: &str) -> Option<Action> {
        let rules = self.rules.iter().filter(|rule| rule.names.iter().any(|known| known == name));
        self.plain(rules.map(|rule| (rule.action, &*rule.conditions)))
    }

    /// What these rules say of a call whatever its arguments are; none where they decide.
    fn plain<'a>(&self, rules: impl Iterator<Item = (Action, &'a [Condition])>) -> Option<Action> {
        let mut differing = rules.filter(|rule| rule.0 != self.default_action).peekable();
        if differing.peek().is_none() {
            return Some(self.default_action);
        }
        differing.find(|rule| rule.1.is_empty()).map(|rule| rule.0)
    }
}

/// Names of system calls and what happens to them.
///
/// Several rules may name one call. As in libseccomp a rule without conditions
/// beats those with, wherever it stands, and the first of two such wins; and,
/// as in runc and crun, a rule whose action is the default one is left out.
/// Among rules with conditions the first that holds wins (libseccomp sorts
/// them by the arguments they look at instead; only overlapping rules with
/// different actions can tell).
#[derive(Debug, Clone)]
pub struct Rule {
    /// Names; one that an interface does not know is skipped, as in runc and crun.
    pub names: Vec<String>,
    /// What happens.
    pub action: Action,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

/// What the kernel does (SECCOMP_RET_* of <linux/seccomp.h>), the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// SECCOMP_RET_ALLOW
    Allow,
    /// SECCOMP_RET_LOG
    Log,
    /// SECCOMP_RET_TRACE with its data
    Trace(u16),
    /// SECCOMP_RET_USER_NOTIF
    Notify,
    /// SECCOMP_RET_ERRNO with the errno
    Errno(u16),
    /// SECCOMP_RET_TRAP
    Trap,
    /// SECCOMP_RET_KILL_THREAD
    KillThread,
    /// SECCOMP_RET_KILL_PROCESS
    KillProcess,
}

impl Action {
    /// What a filter returns for it: the action above, its data in the lower 16 bits.
    pub fn value(self) -> u32 {
        match self {
            Self::Allow => 0x7fff_0000,
            Self::Log => 0x7ffc_0000,
            Self::Trace(data) => 0x7ff0_0000 | u32::from(data),
            Self::Notify => 0x7fc0_0000,
            Self::Errno(errno) => 0x0005_0000 | u32::from(errno),
            Self::Trap => 0x0003_0000,
            Self::KillThread => 0,
            Self::KillProcess => 0x8000_0000,
        }
    }
}

/// A comparison of one argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Which argument, 0 to 5.
    pub index: u8,
    /// How it is compared, unsigned, over 64 bits: one of the seven operators of the
    /// specification. The masked one asks for `argument & mask == value & mask`.
    pub operator: Operator,
    /// With what.
    pub value: u64,
}
