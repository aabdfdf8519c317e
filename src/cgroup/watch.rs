//! What only `jec ps` and `jec events` ask of a cgroup.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;

use super::Cgroup;
use super::life::{below, processes, value};
use crate::error::{Result, unless};
use crate::sys::signal::{self, CHANGE, READ};

impl Cgroup {
    /// Every process in it and below it, as far as our pid namespace has a number for it.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let mut all = processes(self.dir.as_fd())?;
        below(self.dir.as_fd(), |_, _, dir| {
            all.extend(processes(dir)?);
            Ok(())
        })?;
        // 0 is a process outside of it, and to kill(2) it would mean ourselves.
        all.retain(|pid| *pid > 0);
        all.sort_unstable();
        Ok(all)
    }

    /// Waits until more than `seen` processes were killed for want of memory, until `init`
    /// has ended, or for so long. How many were killed then is to be asked again.
    pub fn await_oom(&self, seen: u64, init: BorrowedFd, wait: Duration) -> Result<()> {
        // Without the controller nobody is killed, and another file is as silent.
        let memory = unless(&[Errno::ENOENT], self.look_at(c"memory.events"))?;
        let (events, text) = memory.map_or_else(|| self.look_at(c"cgroup.type"), Ok)?;
        if value(&text, "oom_kill").is_some_and(|killed| killed > seen) {
            return Ok(());
        }
        signal::watch(&[(events.as_fd(), CHANGE), (init, READ)], Some(wait)).map(drop)
    }
}
