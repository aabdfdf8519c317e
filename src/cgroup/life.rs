//! The cgroup while the container lives and after: what is in it, and how all
//! of it ends.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::place::{JEC, unified_line};
use super::systemd::Keeper;
use super::{open_directory, open_if_there, read, root};
use crate::error::{Error, Result, unless};
use crate::sys::signal::{self, CHANGE};
use crate::sys::{directory, file};

/// The container's cgroup.
#[derive(Debug)]
pub struct Cgroup {
    /// From the cgroup2 mount, with a leading slash.
    pub path: String,
    /// The directory: for CLONE_INTO_CGROUP.
    pub dir: OwnedFd,
    /// The root of the tree.
    pub(super) root: OwnedFd,
    /// Who is in a scope of systemd until the container is.
    pub keeper: Option<Keeper>,
}

impl Cgroup {
    /// Opens the cgroup at a path that a state file remembers. None when it is
    /// gone: after a crash it may never have been made, after a reboot it is not.
    pub fn open(path: &str) -> Result<Option<Self>> {
        let Some(root) = root()? else {
            return Ok(None);
        };
        let dir = open_if_there(root.as_fd(), path)?;
        Ok(dir.map(|dir| Self { path: path.to_owned(), dir, root, keeper: None }))
    }

    /// Kills everything in it and below it.
    ///
    /// One write, in the kernel atomic: whoever forks meanwhile is killed too.
    /// A loop over `cgroup.procs` always has a process that it has not seen yet,
    /// and a fork bomb wins against it. `cgroup.kill` came with Linux 5.14; before
    /// that the loop is what there is, made fair by freezing first: a frozen
    /// process does not fork, and still dies by SIGKILL.
    pub fn kill(&self) -> Result<()> {
        let killed = file::write_file(self.dir.as_fd(), c"cgroup.kill", "1");
        unless(&[Errno::ENOENT], killed)?.map_or_else(|| self.signal(signal::KILL), Ok)
    }

    /// Sends a signal to each process in it and below it, in a state in which none forks.
    pub fn signal(&self, number: i32) -> Result<()> {
        let was_frozen = self.is_frozen()?;
        self.freeze(true, Instant::now() + Duration::from_secs(1))?;
        self.processes()?.into_iter().try_for_each(|pid| signal::send(pid, number))?;
        // A frozen process takes SIGKILL, and anything else only when it goes on.
        self.freeze(was_frozen, Instant::now() + Duration::from_secs(1)).map(drop)
    }

    /// What a file of it says; none without its controller, and when the cgroup is gone.
    pub fn file(&self, name: &CStr) -> Result<Option<String>> {
        let absent = [Errno::ENOENT, Errno::ENODEV, Errno::EOPNOTSUPP];
        unless(&absent, read(self.dir.as_fd(), name))
    }

    /// Waits until no process is left in it and below it; false when that took too
    /// long. A zombie does not count.
    pub fn wait_empty(&self, deadline: Instant) -> Result<bool> {
        self.wait_event("populated", 0, deadline)
    }

    /// Stops every process, or lets them go on, and waits until all of them do;
    /// false when that took too long.
    pub fn freeze(&self, frozen: bool, deadline: Instant) -> Result<bool> {
        file::write_file(self.dir.as_fd(), c"cgroup.freeze", if frozen { "1" } else { "0" })?;
        self.wait_event("frozen", frozen.into(), deadline)
    }

    /// Whether its processes are meant to be stopped.
    pub fn is_frozen(&self) -> Result<bool> {
        Ok(self.file(c"cgroup.freeze")?.is_some_and(|text| text.trim() == "1"))
    }

    /// The path of the cgroup that a process is in: `top` or one below it, where an init such as
    /// systemd has moved itself, so that the ones above are no place for processes.
    pub fn of_process(proc: BorrowedFd, pid: i32, top: &str) -> Result<String> {
        let path = read(proc, &CString::new(format!("{pid}/cgroup"))?)?;
        let path = unified_line(&path);
        let is_below = path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
        Ok(if is_below { path } else { top }.into())
    }

    /// How many processes the kernel killed because memory.max was reached.
    /// 0 without the controller.
    pub fn oom_kills(&self) -> Result<u64> {
        Ok(self.file(c"memory.events")?.and_then(|text| value(&text, "oom_kill")).unwrap_or(0))
    }

    /// Removes it and everything below it. It has to be without processes, or
    /// become so before the deadline; what is gone already is fine.
    pub fn remove(&self, deadline: Instant) -> Result<()> {
        loop {
            let Err(error) = self.try_remove() else {
                return Ok(());
            };
            let again = if error.is(Errno::EBUSY) {
                // A process is still in it, or came back as a child cgroup.
                self.wait_empty(deadline)?
            } else {
                // Somebody else removes it, too. Whoever is last is sure.
                error.is(Errno::ENOENT) || error.is(Errno::ENODEV)
            };
            if again && open_if_there(self.root.as_fd(), &self.path)?.is_none() {
                return Ok(());
            }
            if !again || Instant::now() >= deadline {
                return Err(error);
            }
        }
    }

    fn try_remove(&self) -> Result<()> {
        let (parent, leaf) = split(&self.path);
        let Some(parent_dir) = open_if_there(self.root.as_fd(), parent)? else {
            return Ok(());
        };
        let leaf = CString::new(leaf)?;
        // EBUSY: it has children, which go first, the deepest before all. To look for those,
        // which hardly any container has, takes ten calls.
        if unless(&[Errno::EBUSY], file::remove(parent_dir.as_fd(), &leaf, true))?.is_none() {
            below(self.dir.as_fd(), |at, name, _| file::remove(at, name, true).map(drop))?;
            file::remove(parent_dir.as_fd(), &leaf, true)?;
        }
        if let (above, JEC) = split(parent) {
            // The directory `jec` goes with the last container, for nobody else would
            // take it away. EBUSY: another container is in it, so it stays.
            let above = open_directory(self.root.as_fd(), above)?;
            unless(&[Errno::EBUSY], file::remove(above.as_fd(), &CString::new(JEC)?, true))?;
        }
        Ok(())
    }

    /// Reads a file of it that stays open: it can then be watched for what changes since.
    pub(super) fn look_at(&self, name: &CStr) -> Result<(OwnedFd, String)> {
        let file = file::openat(self.dir.as_fd(), name, OFlag::O_RDONLY, 0)?;
        let mut buffer = [0; 1024];
        let count = file::read(file.as_fd(), &mut buffer)?;
        Ok((file, String::from_utf8_lossy(&buffer[..count]).into_owned()))
    }

    /// Waits until `cgroup.events` says so. The kernel marks the open file
    /// POLLPRI when it changed since it was read, so nothing between reading and
    /// waiting is missed. But it tells of at most one change in 10 ms
    /// (CGROUP_FILE_NOTIFY_MIN_INTV), and a container of one command begins and ends
    /// within that: so the first waits are short.
    fn wait_event(&self, key: &str, wanted: u64, deadline: Instant) -> Result<bool> {
        let mut patience = Duration::ZERO;
        loop {
            let (events, text) = self.look_at(c"cgroup.events")?;
            if value(&text, key) == Some(wanted) {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            signal::watch(&[(events.as_fd(), CHANGE)], Some(left.min(patience)))?;
            patience = patience * 2 + Duration::from_millis(1);
        }
    }
}

/// The parent directory's path, and the name of the last component.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// A step of the way through a tree.
enum Step {
    Down(CString),
    Up(CString),
}

/// Visits every cgroup below `top`, children before their parent: the parent's
/// descriptor, the name in it, the cgroup's own descriptor.
///
/// A container that may write to its cgroup can nest them thousands deep. So
/// this climbs with one descriptor and a list of steps, by `..`, instead of
/// calling itself; nothing in cgroup2 can be renamed, so `..` is where we came from.
pub(super) fn below(
    top: BorrowedFd,
    mut visit: impl FnMut(BorrowedFd, &CStr, BorrowedFd) -> Result<()>,
) -> Result<()> {
    let mut here = directory::open(top, c".")?;
    let mut steps: Vec<_> =
        directory::directories(here.as_fd())?.into_iter().map(Step::Down).collect();
    while let Some(step) = steps.pop() {
        here = match step {
            Step::Down(name) => {
                let child = directory::open(here.as_fd(), &name);
                let Some(child) = unless(&[Errno::ENOENT], child)? else {
                    continue;
                };
                steps.push(Step::Up(name));
                steps.extend(directory::directories(child.as_fd())?.into_iter().map(Step::Down));
                child
            }
            Step::Up(name) => {
                let parent = directory::open(here.as_fd(), c"..")?;
                visit(parent.as_fd(), &name, here.as_fd())?;
                parent
            }
        };
    }
    Ok(())
}

/// The lines of `cgroup.procs`.
pub(super) fn processes(dir: BorrowedFd) -> Result<Vec<i32>> {
    let text = read(dir, c"cgroup.procs")?;
    let wrong = |_| Error::differs("cgroup.procs", "numbers of processes", &*text);
    text.lines().map(|line| line.parse().map_err(wrong)).collect()
}

/// The number behind `key` in a file of lines "key number".
pub(super) fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_whole_key() {
        let events = "oom_kill_x 1\noom 2\noom_kill 3\n";
        assert_eq!(value(events, "oom_kill"), Some(3));
        assert_eq!(value(events, "oom"), Some(2));
        assert_eq!(value(events, "kill"), None);
        assert_eq!(value("populated\n", "populated"), None);
    }
}
