//! The system call filter: an OCI profile, compiled to the programs that seccomp(2) loads.

use std::ffi::CString;

/// linux.seccomp, with numbers instead of names where the kernel wants numbers.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What happens to a call that no rule names.
    pub default_action: Action,
    /// AUDIT_ARCH_* values the profile speaks of; empty: the machine's own.
    pub architectures: Vec<u32>,
    /// SECCOMP_FILTER_FLAG_* for seccomp(2).
    pub flags: u64,
    /// The socket that gets the listener's descriptor.
    pub listener_path: Option<CString>,
    /// Told to the listener, as it stands.
    pub listener_metadata: String,
    /// The rules, in the order of the configuration.
    pub rules: Vec<Rule>,
}

/// Names of system calls and what happens to them.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Names; one that this kernel interface does not know is skipped, as the specification allows.
    pub names: Vec<String>,
    /// What happens.
    pub action: Action,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

/// What the kernel does (SECCOMP_RET_*).
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

/// A comparison of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Which argument, 0 to 5.
    pub index: u8,
    /// How it is compared, unsigned, over 64 bits.
    pub operator: Operator,
    /// With what.
    pub value: u64,
}

/// The seven operators of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `==`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
    /// `argument & mask == value`: the mask is `valueTwo`'s partner, see the specification.
    MaskedEqual(u64),
}
