//! Making the cgroup at the place that was decided.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::place::refuse_used;
use super::{
    Cgroup, DeviceProgram, Placement, c_string, controllers, devices, limits, open_directory,
};
use crate::error::Result;
use crate::sys::{bpf, file};

/// How often the way down is walked again when somebody removed a part of it.
const TRIES: u32 = 64;

impl Placement {
    /// Makes the directories, switches the controllers on, attaches the device
    /// program, and writes and checks the limits.
    ///
    /// All of that while the cgroup is empty: the container is then born into
    /// it by CLONE_INTO_CGROUP (Linux 5.7) with [`Cgroup::dir`]. Moving a process
    /// afterwards would give it a moment without limits, and writing its number
    /// to `cgroup.procs` takes a lock that stops every fork of the machine.
    ///
    /// On an error what was made stays: whoever wrote [`Placement::path`] down
    /// removes it, by [`Cgroup::open`] and [`Cgroup::remove`].
    pub fn make(self) -> Result<(Cgroup, DeviceProgram)> {
        // The kernel refuses a program (no CAP_BPF) before there is a directory.
        let program = devices::load(&self.devices)?;
        let dir = self.directories()?;
        if let devices::Loaded::Program(program) = &program {
            bpf::attach_device_program(program.as_fd(), dir.as_fd())?;
        }
        limits::write(dir.as_fd(), &self.limits)?;
        let cgroup = Cgroup { path: self.path, dir, tree: self.tree };
        Ok((cgroup, program.answer()))
    }

    /// The way down to the leaf. Another jec that removes its last container
    /// takes the empty directory `jec` away under our feet (ENOENT; ENODEV when
    /// we hold it open already): then the walk begins again.
    fn directories(&self) -> Result<OwnedFd> {
        let mut tries = 0;
        loop {
            match self.walk() {
                Err(error)
                    if (error.is(Errno::ENOENT) || error.is(Errno::ENODEV)) && tries < TRIES =>
                {
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    fn walk(&self) -> Result<OwnedFd> {
        let (parent, leaf) = Self::split(&self.path);
        let mut dir = open_directory(self.tree.as_fd(), "/")?;
        controllers::enable(dir.as_fd(), &self.controllers)?;
        for name in parent.split('/').filter(|name| !name.is_empty()) {
            let (next, _) = make_directory(dir.as_fd(), name)?;
            dir = next;
            controllers::enable(dir.as_fd(), &self.controllers)?;
        }
        let (dir, made) = make_directory(dir.as_fd(), leaf)?;
        if !made {
            refuse_used(dir.as_fd(), &self.path, &self.id)?;
        }
        Ok(dir)
    }
}

/// Makes a cgroup, or opens the one that is there: the cgroup, and whether it is new.
fn make_directory(at: BorrowedFd, name: &str) -> Result<(OwnedFd, bool)> {
    let made = match file::mkdirat(at, &c_string(name)?, 0o755) {
        Err(error) if error.is(Errno::EEXIST) => false,
        other => other.map(|()| true)?,
    };
    Ok((open_directory(at, name)?, made))
}
