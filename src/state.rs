//! What is known of containers: a directory for each, below /run/jec.
//!
//! mkdir(2) of that directory is the lock on the id. `intent.json` is written
//! before anything is made and only ever gains groups of resctrl, each before it
//! is made; `state.json` is replaced as a whole (temporary file, fsync, rename, fsync), so that a crash leaves the
//! old one or the new one. A state that cannot be read falls back to the
//! intent, so that `jec delete --force` always knows what to look for.

pub mod files;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::error::{Error, Result, unless};
use crate::log;
use crate::plan::{IdMaps, Plan};
use crate::sys::process::{Child, pidfd_open};
use crate::sys::{credentials, directory, file};
use files::{NEW, boot_id, check_owner, default_root, empty, make, read, replace, start_time};

/// The version of the OCI runtime specification that states claim.
pub const OCI_VERSION: &str = "1.3.0";

/// The status words of the specification (runtime.md, "State").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being made.
    #[default]
    Creating,
    /// Made; the program waits to be started.
    Created,
    /// The program runs.
    Running,
    /// Its processes are frozen; never written, the kernel is asked.
    Paused,
    /// The program has ended.
    Stopped,
}

/// Written before anything is made: what a crash could leave behind.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
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
    pub pid_file: Option<String>,
    /// When, as RFC 3339.
    pub created: String,
    /// The root file system, absolute.
    pub rootfs: String,
    /// Groups of resctrl that are made for it, below its root, in their order.
    pub groups: Vec<String>,
    /// The maps of its user namespace, if it has one.
    pub ids: IdMaps,
}

impl Intent {
    /// What a pid file is called until it is whole. The id is in it, so that two containers never
    /// share one.
    fn temporary(&self, pid_file: &str) -> String {
        format!("{pid_file}.jec-{}", self.id)
    }
}

/// state.json: the specification's state, and what tells a process from one of the same number.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
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
    pub started: u64,
}

impl State {
    /// What there is to tell of a container.
    pub fn of(plan: &Plan, status: Status, pid: i32) -> Self {
        Self {
            oci_version: OCI_VERSION.into(),
            id: plan.id.clone(),
            status,
            pid,
            bundle: plan.bundle.to_string_lossy().into_owned(),
            annotations: plan.annotations.iter().cloned().collect(),
            started: 0,
        }
    }
}

/// The directory of all containers.
#[derive(Debug)]
pub struct States {
    dir: OwnedFd,
    proc: Rc<OwnedFd>,
}

/// The directory of one container, held open.
#[derive(Debug)]
pub struct Container {
    dir: OwnedFd,
    proc: Rc<OwnedFd>,
    /// What was written first.
    pub intent: Intent,
    /// What was written last.
    pub state: State,
}

impl States {
    /// Opens the directory, or makes it (0700), with those above it as engines expect. One
    /// that belongs to somebody else, or that others may write, is refused.
    pub fn open(root: Option<&Path>, proc: Rc<OwnedFd>) -> Result<Self> {
        let uid = credentials::geteuid();
        let given = root.map(|root| Ok(root.to_string_lossy().into_owned()));
        let path = given.unwrap_or_else(|| default_root(uid))?;
        make(Path::new(&path))?;
        let dir = directory::open(file::HERE, &CString::new(&*path)?)?;
        check_owner(&path, uid, &file::fstat(dir.as_fd())?)?;
        Ok(Self { dir, proc })
    }

    /// Tells early that an id is taken, before its cgroup is found in use. Only
    /// [`Self::create`] decides.
    pub fn refuse_taken(&self, id: &str) -> Result<()> {
        self.directory(id)?.map_or(Ok(()), |_| Err(taken(id)))
    }

    /// Takes the id: of two that want it, one gets it. Writes the intent and the configuration.
    pub fn create(
        &self,
        plan: &Plan,
        cgroup: Option<String>,
        pid_file: Option<String>,
    ) -> Result<Container> {
        let intent = Intent {
            id: plan.id.clone(),
            bundle: plan.bundle.to_string_lossy().into_owned(),
            cgroup,
            boot: boot_id(self.proc.as_fd())?,
            pid_file,
            ids: plan.namespaces.ids.clone(),
            created: log::now(),
            rootfs: plan.root.path.to_string_lossy().into_owned(),
            ..Intent::default()
        };
        let name = CString::new(&*plan.id)?;
        let made = file::mkdirat(self.dir.as_fd(), &name, 0o700);
        unless(&[Errno::EEXIST], made)?.ok_or_else(|| taken(&plan.id))?;
        self.fill(plan, intent).inspect_err(|_| {
            // The first error is the one to tell; what could not be removed, delete --force will.
            drop(self.existing(&plan.id).and_then(|dir| empty(dir.as_fd())));
            drop(file::unlinkat(self.dir.as_fd(), &name, true));
        })
    }

    fn fill(&self, plan: &Plan, intent: Intent) -> Result<Container> {
        let dir = self.existing(&plan.id)?;
        replace(dir.as_fd(), c"intent.json", &intent)?;
        let config = file::openat(dir.as_fd(), c"config.json", NEW, 0o600)?;
        file::write(config.as_fd(), plan.config.as_bytes())?;
        let state = State::of(plan, Status::Creating, 0);
        Ok(Container { dir, proc: self.proc.clone(), intent, state })
    }

    /// Opens a container that exists, with a directory that a crash left without its
    /// intent: then nothing was made yet.
    pub fn find(&self, id: &str) -> Result<Container> {
        let dir = self.existing(id)?;
        // The directory's name is the id, whatever a file in it says.
        let intent = Intent { id: id.into(), ..read(dir.as_fd(), c"intent.json") };
        let state = State { id: id.into(), ..read(dir.as_fd(), c"state.json") };
        Ok(Container { dir, proc: self.proc.clone(), intent, state })
    }

    /// The ids of all, in their order.
    pub fn ids(&self) -> Result<Vec<String>> {
        let names = directory::directories(self.dir.as_fd())?;
        let mut ids: Vec<_> = names.into_iter().filter_map(|id| id.into_string().ok()).collect();
        ids.sort();
        Ok(ids)
    }

    /// Removes the directory of a container, and the temporary pid file. What is
    /// gone already is fine: delete can be repeated. If somebody else was faster,
    /// and the id belongs to a new container since, that one is let be. Of several that remove
    /// the same one at the same time, one gets true.
    pub fn remove(&self, container: &Container) -> Result<bool> {
        let Intent { id, pid_file, .. } = &container.intent;
        if let Some(path) = pid_file {
            file::remove(file::HERE, &CString::new(container.intent.temporary(path))?, false)?;
        }
        let Some(found) = self.directory(id)? else {
            return Ok(false);
        };
        if file::identity(found.as_fd())? != file::identity(container.dir.as_fd())? {
            return Ok(false);
        }
        empty(container.dir.as_fd())?;
        file::remove(self.dir.as_fd(), &CString::new(&**id)?, true)
    }

    /// The directory of this id, if there is one.
    fn directory(&self, id: &str) -> Result<Option<OwnedFd>> {
        unless(&[Errno::ENOENT], directory::open(self.dir.as_fd(), &CString::new(id)?))
    }

    fn existing(&self, id: &str) -> Result<OwnedFd> {
        self.directory(id)?.ok_or_else(|| Error::state(id, "does not exist"))
    }
}

impl Container {
    /// Replaces state.json.
    pub fn write_status(&mut self, status: Status, pid: i32) -> Result<()> {
        if pid != self.state.pid {
            self.state.started = start_time(self.proc.as_fd(), pid).unwrap_or(0);
        }
        (self.state.status, self.state.pid) = (status, pid);
        replace(self.dir.as_fd(), c"state.json", &self.state)
    }

    /// Writes down that a group of resctrl is going to be made.
    pub fn intend(&mut self, group: &str) -> Result<()> {
        self.intent.groups.push(group.into());
        replace(self.dir.as_fd(), c"intent.json", &self.intent)
    }

    /// Writes the number of init, or of a further process, into a file: beside, then renamed, so
    /// that nobody reads half a number. O_EXCL: in a directory where others may write, the
    /// temporary name could be a link of theirs.
    pub fn write_pid_file(&self, pid: i32, path: &str) -> Result<()> {
        let name = self.intent.temporary(path);
        // Of further processes there may be several at a time.
        let name = if pid == self.state.pid { name } else { format!("{name}-{pid}") };
        let (path, temporary) = (CString::new(path)?, CString::new(name)?);
        file::remove(file::HERE, &temporary, false)?;
        let out = file::openat(file::HERE, &temporary, NEW | OFlag::O_EXCL, 0o644)?;
        file::write(out.as_fd(), pid.to_string().as_bytes())?;
        file::renameat(file::HERE, &temporary, &path)
    }

    /// The name of the socket at which init waits to be started. A name of a socket has at
    /// most 107 bytes (unix(7)), so the directory is named by its descriptor.
    pub fn gate(&self) -> Result<CString> {
        Ok(CString::new(format!("/proc/self/fd/{}/gate", self.dir.as_raw_fd()))?)
    }

    /// The lock of those who start it: of two, one does.
    pub fn lock(&self) -> Result<OwnedFd> {
        let dir = directory::open(self.dir.as_fd(), c".")?;
        unless(&[Errno::EWOULDBLOCK], file::flock(dir.as_fd(), false))?
            .ok_or_else(|| Error::state(&self.intent.id, "is being started"))?;
        Ok(dir)
    }

    /// The status as it is now: a process may have ended, and its machine too.
    pub fn status(&self) -> Result<Status> {
        let alive = self.live_init()?.is_some();
        Ok(match self.state.status {
            Status::Creating if !self.is_of_this_boot()? => Status::Stopped,
            Status::Created | Status::Running if !alive => Status::Stopped,
            Status::Created | Status::Running if self.is_frozen()? => Status::Paused,
            status => status,
        })
    }

    fn is_frozen(&self) -> Result<bool> {
        self.cgroup()?.as_ref().map_or(Ok(false), Cgroup::is_frozen)
    }

    /// Its cgroup, if it has one. After a restart of the machine the path may be somebody else's.
    pub fn cgroup(&self) -> Result<Option<Cgroup>> {
        match &self.intent.cgroup {
            Some(path) if self.is_of_this_boot()? => Cgroup::open(path),
            _ => Ok(None),
        }
    }

    /// The user id that it belongs to.
    pub fn owner(&self) -> Result<u32> {
        Ok(file::fstat(self.dir.as_fd())?.st_uid)
    }

    /// The configuration that it was created with, and what `update` has changed of it.
    pub fn config(&self) -> Result<String> {
        file::read_file(self.dir.as_fd(), c"config.json", files::LIMIT)
    }

    /// Replaces the configuration.
    pub fn write_config(&self, document: &serde_json::Value) -> Result<()> {
        replace(self.dir.as_fd(), c"config.json", document)
    }

    /// Whether it was made since the machine was started: what was before is gone,
    /// and its numbers and paths may mean somebody else by now.
    pub fn is_of_this_boot(&self) -> Result<bool> {
        Ok(self.intent.boot == boot_id(self.proc.as_fd())?)
    }

    /// Init behind a descriptor, if that very process still lives: same number, same
    /// start, same boot. The number's start is asked for after the descriptor is
    /// opened: then it is the descriptor of that very process.
    pub fn live_init(&self) -> Result<Option<Child>> {
        let State { pid, started, .. } = self.state;
        if pid <= 0 || !self.is_of_this_boot()? {
            return Ok(None);
        }
        let child = pidfd_open(pid).ok().map(|pidfd| Child { pid, pidfd });
        Ok(child.filter(|_| start_time(self.proc.as_fd(), pid) == Some(started)))
    }
}

fn taken(id: &str) -> Error {
    Error::state(id, "exists already; `jec delete --force` removes it")
}
