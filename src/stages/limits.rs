//! Limits: what one process may use, and who dies first.
//!
//! Resource limits (RLIMIT_*) are older than cgroups and count per process or
//! per user: open files, stack, processes. A process may lower its own; to
//! raise a hard limit takes CAP_SYS_RESOURCE over the host, which init no
//! longer has in a user namespace: so jec sets them from outside with
//! prlimit(2). oom_score_adj, from -1000 to 1000, says whom the kernel kills
//! first when memory runs out. Side: runtime. Without it: the host's limits.
//! See getrlimit(2), proc_pid_oom_score_adj(5); config.md, "rlimits".

use std::ffi::CString;
use std::os::fd::AsFd;

use crate::error::Result;
use crate::sides::Runtime;
use crate::sys::{attributes, file};

/// Sets init's limits from outside.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let (pid, wanted) = (runtime.init()?.pid, &runtime.plan.process);
    for limit in &wanted.rlimits {
        attributes::prlimit(pid, limit.name, limit.resource, limit.soft, limit.hard)?;
    }
    if let Some(score) = wanted.oom_score_adj {
        let path = CString::new(format!("{pid}/oom_score_adj"))?;
        file::write_file(runtime.proc.as_fd(), &path, &score.to_string())?;
    }
    Ok(())
}
