//! Making the cgroup at the place that was decided.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;

use super::place::{ancestors, refuse_used};
use super::{Cgroup, Hierarchy, Placement, controllers, devices, limits, open_directory};
use crate::error::{Result, unless};
use crate::sys::{bpf, file};

/// How often the way down is walked again when somebody removed a part of it.
const TRIES: u32 = 64;

impl Cgroup {
    /// Writes and checks limits of a cgroup that is in use.
    pub fn limit(&self, limits: &[(String, String)]) -> Result<()> {
        let needed = controllers::needed(limits);
        if let Hierarchy::Ours { root, base } = Hierarchy::look()?
            && let (_, Some(why)) = controllers::check(root.as_fd(), &base, &self.path, &needed)?
        {
            return Err(why);
        }
        for above in ancestors(&self.path).filter(|above| *above != self.path) {
            let dir = open_directory(self.root.as_fd(), above)?;
            controllers::enable(dir.as_fd(), &needed, "")?;
        }
        limits::write(self.dir.as_fd(), limits)
    }
}

impl Placement<'_> {
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
    pub fn make(self) -> Result<Cgroup> {
        // The kernel refuses a program (no CAP_BPF) before there is a directory.
        let program = devices::load(self.plan)?;
        let limits = &self.plan.cgroup.limits;
        let keeper = self.scope.as_ref().map(|scope| scope.start(limits)).transpose()?;
        let dir = self.directory()?;
        if let Some(program) = program {
            bpf::attach_device_program(program.as_fd(), dir.as_fd())?;
        }
        limits::write(dir.as_fd(), limits)?;
        Ok(Cgroup { path: self.path, dir, root: self.root, keeper })
    }

    /// The directory. Another jec that removes its last container takes the
    /// empty directory `jec` away under our feet (ENOENT; ENODEV when we hold
    /// it open already): then the walk begins again.
    fn directory(&self) -> Result<OwnedFd> {
        for _ in 0..TRIES {
            if let Some(dir) = unless(&[Errno::ENOENT, Errno::ENODEV], self.walk())? {
                return Ok(dir);
            }
        }
        self.walk()
    }

    /// The way down, on which directories are made where there are none (EEXIST).
    fn walk(&self) -> Result<OwnedFd> {
        let needed = controllers::needed(&self.plan.cgroup.limits);
        let mut dir = open_directory(self.root.as_fd(), "/")?;
        let (mut given, mut is_new) = (String::new(), false);
        for name in self.path.split('/').filter(|name| !name.is_empty()) {
            given = controllers::enable(dir.as_fd(), &needed, &given)?;
            let made = file::mkdirat(dir.as_fd(), &CString::new(name)?, 0o755);
            is_new = unless(&[Errno::EEXIST], made)?.is_some();
            dir = open_directory(dir.as_fd(), name)?;
        }
        // The scope that systemd has made for us has its keeper in it.
        if !is_new && self.scope.is_none() {
            refuse_used(dir.as_fd(), &self.path, &self.plan.id)?;
        }
        Ok(dir)
    }
}
