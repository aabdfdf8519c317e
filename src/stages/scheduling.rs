//! Scheduling: when and where the process runs, from which memory, and as what.
//!
//! The scheduler decides who gets the processor (policy, nice value, or
//! deadlines), the I/O priority who gets the disk, the memory policy which
//! node's memory is taken, and the personality as which older kernel the system
//! shows itself. A further process may have processors of its own: jec moves to
//! the first ones before there is a process (early), the process to the last
//! ones here. The program inherits all of it. Side: runtime, and init. Without
//! it: the defaults of whoever started jec. See sched_setattr(2), ioprio_set(2),
//! set_mempolicy(2), sched_setaffinity(2), personality(2); config.md, "scheduler".

use crate::error::Result;
use crate::sides::{Init, Runtime};
use crate::sys::attributes;

/// The processors on which jec itself makes a further process.
pub fn run_early(runtime: &mut Runtime) -> Result<()> {
    let first = runtime.plan.processors().and_then(|processors| processors.first);
    first.map_or(Ok(()), |set| attributes::sched_setaffinity(&set))
}

/// Sets what the configuration names.
pub fn run(init: &mut Init) -> Result<()> {
    let process = &init.plan.process;
    // Before the policy: a process with deadlines cannot leave its processors.
    if let Some(processors) = init.plan.processors() {
        attributes::sched_setaffinity(&processors.last)?;
    }
    if let Some(scheduler) = &process.scheduler {
        attributes::sched_setattr(scheduler)?;
    }
    if let Some(priority) = process.io_priority {
        attributes::ioprio_set(priority)?;
    }
    if let Some(policy) = &process.memory_policy {
        attributes::set_mempolicy(policy)?;
    }
    process.personality.map_or(Ok(()), attributes::personality)
}
