//! Scheduling: when the process runs, and as what.
//!
//! The scheduler decides who gets the processor (policy, nice value, or
//! deadlines), the I/O priority who gets the disk, and the personality as
//! which older kernel the system shows itself. All three are properties of the
//! process, and the program inherits them. Side: init. Without it: the
//! defaults of whoever started jec. See sched_setattr(2), ioprio_set(2),
//! personality(2); config.md, "scheduler", "ioPriority".

use crate::error::Result;
use crate::sides::Init;
use crate::sys::attributes;

/// Sets what the configuration names.
pub fn run(init: &mut Init) -> Result<()> {
    let process = &init.plan.process;
    if let Some(scheduler) = &process.scheduler {
        attributes::sched_setattr(scheduler)?;
    }
    if let Some(priority) = process.io_priority {
        attributes::ioprio_set(priority)?;
    }
    process.personality.map_or(Ok(()), attributes::personality)
}
