//! What is known of containers: a directory for each, below /run/jec.
//!
//! mkdir(2) of that directory is the lock on the id. `intent.json` is written
//! before anything is made and never changes; `state.json` is replaced as a
//! whole (temporary file, fsync, rename, fsync), so that a crash leaves the
//! old one or the new one. A state that cannot be read falls back to the
//! intent, so that `jec delete --force` always knows what to look for.

mod files;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::sys::{credentials, file};
use files::{
    NEW, boot_id, c_string, check_owner, default_root, empty, gone, json, replace, start_time,
};

/// The version of the OCI runtime specification that states claim.
pub const OCI_VERSION: &str = "1.3.0";
/// No file of ours is larger.
const LIMIT: usize = 64 * 1024 * 1024;

/// The status words of the specification (runtime.md, "State").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being made.
    Creating,
    /// Made; the program waits to be started.
    Created,
    /// The program runs.
    Running,
    /// The program has ended.
    Stopped,
}

/// Written before anything is made: what a crash could leave behind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Intent {
    /// The container's id.
    pub id: String,
    /// The bundle's path.
    pub bundle: String,
    /// The cgroup's path below the cgroup2 mount, where there is one.
    pub cgroup: Option<String>,
    /// Which boot of the machine this is: pids and cgroups of another are gone.
    pub boot: String,
    /// Where init's number is to be written, absolute; beside it, while that is done, a temporary file.
    #[serde(default)]
    pub pid_file: Option<String>,
}

impl Intent {
    /// What a directory stands for that a crash left without its intent: nothing was made yet.
    fn unknown(id: &str) -> Self {
        let (bundle, boot) = (String::new(), String::new());
        Self { id: id.into(), bundle, cgroup: None, boot, pid_file: None }
    }

    /// The pid file and its temporary name. The id is in it, so that two containers never share one.
    fn pid_files(&self) -> Result<Option<(CString, CString)>> {
        let both =
            |path: &String| Ok((c_string(path)?, c_string(&format!("{path}.jec-{}", self.id))?));
        self.pid_file.as_ref().map(both).transpose()
    }
}

/// state.json: the specification's state, and what tells a process from one of the same number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Version of the specification.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// Its status when this was written.
    pub status: Status,
    /// Init's number on the host; 0 while there is none.
    pub pid: i32,
    /// The bundle's path.
    pub bundle: String,
    /// The configuration's annotations.
    pub annotations: BTreeMap<String, String>,
    /// When init started, in clock ticks since boot (proc_pid_stat(5), field 22).
    #[serde(default)]
    pub started: u64,
}

/// The directory of all containers.
#[derive(Debug)]
pub struct States {
    dir: OwnedFd,
    proc: std::rc::Rc<OwnedFd>,
}

/// The directory of one container, held open.
#[derive(Debug)]
pub struct Container {
    dir: OwnedFd,
    proc: std::rc::Rc<OwnedFd>,
    /// What was written first.
    pub intent: Intent,
    annotations: BTreeMap<String, String>,
    started: Cell<(i32, u64)>,
}

impl States {
    /// Opens the directory, or makes it (0700). One that belongs to somebody
    /// else, or that others may write, is refused.
    pub fn open(root: Option<&std::path::Path>, proc: std::rc::Rc<OwnedFd>) -> Result<Self> {
        let uid = credentials::geteuid();
        let path =
            root.map_or_else(|| default_root(uid), |root| root.to_string_lossy().into_owned());
        let c_path = c_string(&path)?;
        match file::mkdirat(file::HERE, &c_path, 0o700) {
            Err(error) if error.is(Errno::EEXIST) => {}
            other => other?,
        }
        let how = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let dir = file::openat(file::HERE, &c_path, how, 0)?;
        check_owner(&path, uid, &file::fstat(dir.as_fd())?)?;
        Ok(Self { dir, proc })
    }

    /// Tells early that an id is taken, before its cgroup is found in use. Only
    /// [`Self::create`] decides.
    pub fn refuse_taken(&self, id: &str) -> Result<()> {
        match self.open_directory(&c_string(id)?) {
            Ok(_) => Err(taken(id)),
            Err(error) if error.is(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes the id: of two that want it, one gets it. Writes the intent and the configuration.
    pub fn create(
        &self,
        plan: &Plan,
        cgroup: Option<String>,
        pid_file: Option<String>,
    ) -> Result<Container> {
        let name = c_string(&plan.id)?;
        match file::mkdirat(self.dir.as_fd(), &name, 0o700) {
            Err(error) if error.is(Errno::EEXIST) => return Err(taken(&plan.id)),
            other => other?,
        }
        let intent = Intent {
            id: plan.id.clone(),
            bundle: plan.bundle.to_string_lossy().into_owned(),
            cgroup,
            boot: String::new(),
            pid_file,
        };
        self.open_directory(&name).and_then(|dir| self.fill(dir, plan, intent)).inspect_err(|_| {
            // The first error is the one to tell; what could not be removed, delete --force will.
            drop(self.open_directory(&name).and_then(|dir| empty(dir.as_fd())));
            drop(file::unlinkat(self.dir.as_fd(), &name, true));
        })
    }

    fn fill(&self, dir: OwnedFd, plan: &Plan, intent: Intent) -> Result<Container> {
        let intent = Intent { boot: boot_id(self.proc.as_fd())?, ..intent };
        replace(dir.as_fd(), c"intent.json", &json(&intent)?)?;
        let config = file::openat(dir.as_fd(), c"config.json", NEW, 0o600)?;
        file::write(config.as_fd(), plan.config.as_bytes())?;
        let annotations = plan.annotations.iter().cloned().collect();
        let (proc, started) = (self.proc.clone(), Cell::default());
        Ok(Container { dir, proc, intent, annotations, started })
    }

    /// Opens a container that exists, with a directory that a crash left without its intent.
    pub fn find(&self, id: &str) -> Result<Container> {
        let dir = self.open_directory(&c_string(id)?).map_err(|error| {
            if error.is(Errno::ENOENT) { Error::state(id, "does not exist") } else { error }
        })?;
        let text = file::read_file(dir.as_fd(), c"intent.json", LIMIT).ok();
        let intent = text.and_then(|text| serde_json::from_str(&text).ok());
        // The directory's name is the id, whatever a file in it says.
        let intent = Intent { id: id.into(), ..intent.unwrap_or_else(|| Intent::unknown(id)) };
        let (proc, started) = (self.proc.clone(), Cell::default());
        Ok(Container { dir, proc, intent, annotations: BTreeMap::new(), started })
    }

    /// Removes the directory of a container, and the temporary pid file. What is
    /// gone already is fine: delete can be repeated. If somebody else was faster,
    /// and the id belongs to a new container since, that one is let be.
    pub fn remove(&self, container: &Container) -> Result<()> {
        if let Some((_, temporary)) = container.intent.pid_files()? {
            gone(file::unlinkat(file::HERE, &temporary, false))?;
        }
        let name = c_string(&container.intent.id)?;
        let found = match self.open_directory(&name) {
            Err(error) if error.is(Errno::ENOENT) => return Ok(()),
            other => file::fstat(other?.as_fd())?,
        };
        let ours = file::fstat(container.dir.as_fd())?;
        if (found.st_dev, found.st_ino) != (ours.st_dev, ours.st_ino) {
            return Ok(());
        }
        empty(container.dir.as_fd())?;
        gone(file::unlinkat(self.dir.as_fd(), &name, true))
    }

    fn open_directory(&self, name: &CStr) -> Result<OwnedFd> {
        let how = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        file::openat(self.dir.as_fd(), name, how, 0)
    }
}

impl Container {
    /// Replaces state.json.
    pub fn write_status(&self, status: Status, pid: i32) -> Result<()> {
        let state = json(&self.state(status, pid))?;
        replace(self.dir.as_fd(), c"state.json", &state)
    }

    /// Writes the pid file, if one was asked for: beside, then renamed, so that
    /// nobody reads half a number. O_EXCL: in a directory where others may write,
    /// the temporary name could be a link of theirs.
    pub fn write_pid_file(&self, pid: i32) -> Result<()> {
        let Some((path, temporary)) = self.intent.pid_files()? else {
            return Ok(());
        };
        gone(file::unlinkat(file::HERE, &temporary, false))?;
        let how = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let out = file::openat(file::HERE, &temporary, how, 0o644)?;
        file::write(out.as_fd(), pid.to_string().as_bytes())?;
        file::renameat(file::HERE, &temporary, &path)
    }

    /// The state as the specification has it.
    pub fn state(&self, status: Status, pid: i32) -> State {
        if pid != 0 && self.started.get().0 != pid {
            let started = start_time(self.proc.as_fd(), pid).unwrap_or(0);
            self.started.set((pid, started));
        }
        State {
            oci_version: OCI_VERSION.into(),
            id: self.intent.id.clone(),
            status,
            pid,
            bundle: self.intent.bundle.clone(),
            annotations: self.annotations.clone(),
            started: if pid == 0 { 0 } else { self.started.get().1 },
        }
    }

    /// The state as it was written; none where it was never written or is torn.
    pub fn read(&self) -> Option<State> {
        let text = file::read_file(self.dir.as_fd(), c"state.json", LIMIT).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Whether it was made since the machine was started: what was before is gone,
    /// and its numbers and paths may mean somebody else by now.
    pub fn is_of_this_boot(&self) -> Result<bool> {
        Ok(self.intent.boot == boot_id(self.proc.as_fd())?)
    }

    /// Init's number, if that very process still lives: same number, same start, same boot.
    pub fn live_pid(&self) -> Result<Option<i32>> {
        let Some(state) = self.read().filter(|state| state.pid > 0) else {
            return Ok(None);
        };
        if !self.is_of_this_boot()? {
            return Ok(None);
        }
        let started = start_time(self.proc.as_fd(), state.pid);
        Ok(started.is_some_and(|started| started == state.started).then_some(state.pid))
    }
}

fn taken(id: &str) -> Error {
    Error::state(id, "exists already; `jec delete --force` removes it")
}
