//! Which processors and which memory a process has.

use nix::errno::Errno;
use nix::sched::CpuSet;
use nix::unistd::Pid;

use super::record::record;
use crate::error::Result;
use crate::plan::MemoryPolicy;

/// sched_setaffinity(2) of the calling process; the kernel leaves out what its cgroup has not.
pub fn sched_setaffinity(processors: &CpuSet) -> Result<()> {
    let result = nix::sched::sched_setaffinity(Pid::from_raw(0), processors);
    let set = |number: &usize| processors.is_set(*number).unwrap_or(false);
    let numbers: Vec<_> = (0..CpuSet::count()).filter(set).take(8).collect();
    record("sched_setaffinity", format_args!("0, {numbers:?}"), result)
}

/// set_mempolicy(2) of the calling process.
pub fn set_mempolicy(policy: &MemoryPolicy) -> Result<()> {
    let MemoryPolicy { mode, nodes } = policy;
    // The kernel looks at one bit less than it is told.
    let (mask, count) = (nodes.as_ptr(), nodes.len() * 64 + 1);
    // SAFETY: `mask` has `count` - 1 bits, and outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, *mode, mask, count) };
    record("set_mempolicy", format_args!("{mode:#x}, [{:#x}, …]", nodes[0]), Errno::result(result))
}
