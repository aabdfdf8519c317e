//! What only `jec ps` and `jec events` ask of a cgroup.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::Cgroup;
use super::life::{below, processes, value};
use crate::error::{Result, unless};
use crate::sys::{cgroupfs, file};

impl Cgroup {
    /// Every process in it and below it, as far as our pid namespace has a number for it.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let mut all = processes(self.dir.as_fd())?;
        below(self.dir.as_fd(), |_, _, dir| {
            all.extend(processes(dir)?);
            Ok(())
        })?;
        all.retain(|pid| *pid > 0);
        all.sort_unstable();
        Ok(all)
    }

    /// Waits until more than `seen` processes were killed for want of memory, until `init`
    /// has ended, or for so long. How many were killed then is to be asked again.
    pub fn await_oom(&self, seen: u64, init: BorrowedFd, wait: Duration) -> Result<()> {
        let open = |name| file::openat(self.dir.as_fd(), name, OFlag::O_RDONLY, 0);
        // Without the controller nobody is killed, and another file is as silent.
        let memory = unless(&[Errno::ENOENT], open(c"memory.events"))?;
        let events = memory.map_or_else(|| open(c"cgroup.type"), Ok)?;
        let mut buffer = [0; 1024];
        let count = file::read(events.as_fd(), &mut buffer)?;
        let killed = value(&String::from_utf8_lossy(&buffer[..count]), "oom_kill");
        if killed.is_some_and(|killed| killed > seen) {
            return Ok(());
        }
        cgroupfs::await_change(events.as_fd(), Some(init), wait)
    }
}
