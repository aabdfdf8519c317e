//! The facts about this machine that the meaning of the flags depends on.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io::IsTerminal;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::{host_root, user};
use crate::cli::{ContainerFlags, Userns};
use crate::error::{Error, Result};
use crate::sys::file;

/// What the builder has to know. Tests write one down; [`Machine::look`] finds out.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// The name of an ordinary user in /etc/passwd.
    pub user_name: Option<String>,
    /// Standard input and output are terminals.
    pub terminal: bool,
    /// jec's own environment, as far as it is UTF-8.
    pub environment: BTreeMap<String, String>,
    /// Working directory: relative paths start here.
    pub directory: PathBuf,
    /// jec's own program file.
    pub binary: PathBuf,
    /// The id of a container without `--name`.
    pub id: String,
    /// cgroup2 controllers that a container's cgroup can have.
    pub controllers: Vec<String>,
    /// cgroup2 is the only hierarchy.
    pub pure_cgroup2: bool,
    /// jec's own bounding set, as a mask.
    pub bounding: u64,
    /// The number of the kernel's last capability.
    pub last_capability: u32,
    /// /etc/subuid; empty where there is none, or none is needed.
    pub subuid: String,
    /// /etc/subgid, likewise.
    pub subgid: String,
    /// newuidmap(1) and newgidmap(1) are on an ordinary user's PATH.
    pub has_map_helpers: bool,
    /// Those of [`host_root::candidates`] that exist, when there is no TARGET.
    pub host_paths: Vec<&'static str>,
    /// The thermal counters of the processors, where there are any.
    pub thermal_throttle: Vec<String>,
}

/// The largest of the host's own tables that is read, in bytes.
const LIMIT: usize = 16 << 20;

impl Machine {
    /// Looks at this machine, as far as the flags need it: every question is a
    /// system call, and a start takes 2 ms. The cgroup module knows the two
    /// facts about cgroups.
    pub fn look(
        flags: &ContainerFlags,
        controllers: Vec<String>,
        pure_cgroup2: bool,
    ) -> Result<Self> {
        let status = file::read_file(file::HERE, c"/proc/self/status", LIMIT)?;
        let last = file::read_file(file::HERE, c"/proc/sys/kernel/cap_last_cap", 64)?;
        let mut machine = Self {
            uid: status_number(&status, "Uid:", 1, 10)?,
            gid: status_number(&status, "Gid:", 1, 10)?,
            terminal: std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
            environment: environment(),
            directory: working_directory()?,
            binary: link(c"/proc/self/exe")?,
            id: format!("jec-{}", std::process::id()),
            controllers,
            pure_cgroup2,
            bounding: status_number(&status, "CapBnd:", 0, 16)?,
            last_capability: last.trim().parse().map_err(|_| strange("cap_last_cap"))?,
            thermal_throttle: thermal_throttle()?,
            ..Self::default()
        };
        machine.look_at_ids(flags.userns == Some(Userns::Auto))?;
        if flags.target.is_none() {
            machine.host_paths = host_root::candidates().filter(|path| exists(path)).collect();
        }
        Ok(machine)
    }

    /// Where the ids of a user namespace may come from, if it can come to one.
    pub fn look_at_ids(&mut self, auto: bool) -> Result<()> {
        let ordinary = self.uid != 0;
        if ordinary || auto {
            self.subuid = optional(c"/etc/subuid")?;
            self.subgid = optional(c"/etc/subgid")?;
        }
        if ordinary {
            self.user_name = user::login_name(&optional(c"/etc/passwd")?, self.uid);
            self.has_map_helpers = ["newuidmap", "newgidmap"].iter().all(|name| self.finds(name));
        }
        Ok(())
    }

    /// Whether PATH leads to the program.
    fn finds(&self, program: &str) -> bool {
        let path = self.environment.get("PATH").map_or("", |path| path);
        let mut directories = path.split(':').filter(|directory| directory.starts_with('/'));
        directories.any(|directory| exists(&format!("{directory}/{program}")))
    }
}

/// The environment without what config.json could not say.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Where a link of /proc leads.
fn link(name: &CStr) -> Result<PathBuf> {
    let path = file::readlinkat(file::HERE, name)?.into_string();
    let problem = "not UTF-8, so config.json cannot name it";
    path.map(Into::into).map_err(|_| Error::config(name.to_string_lossy(), problem))
}

/// Where paths begin. Behind the name of a directory that is gone the kernel says
/// " (deleted)" (proc_pid_cwd(5)).
/// Where relative paths start.
pub fn working_directory() -> Result<PathBuf> {
    let path = link(c"/proc/self/cwd")?;
    if path.to_string_lossy().ends_with(" (deleted)") && !exists(&path.to_string_lossy()) {
        return Err(Error::machine("the directory that jec was started in is gone", "cd /"));
    }
    Ok(path)
}

/// The number in a column of a line of /proc/PID/status (proc(5)).
fn status_number<T: TryFrom<u64>>(status: &str, key: &str, column: usize, base: u32) -> Result<T> {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let word = line.and_then(|line| line.split_whitespace().nth(column));
    word.and_then(|word| u64::from_str_radix(word, base).ok())
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| strange("self/status"))
}

fn strange(name: &str) -> Error {
    Error::machine(format!("/proc/…/{name} does not read as proc(5) says"), "mount proc on /proc")
}

/// A file that need not exist.
fn optional(path: &CStr) -> Result<String> {
    match file::read_file(file::HERE, path, LIMIT) {
        Err(error) if error.is(Errno::ENOENT) => Ok(String::new()),
        other => other,
    }
}

/// Whether the path exists: a question only, so the answer "no" has no reason.
fn exists(path: &str) -> bool {
    CString::new(path).is_ok_and(|path| file::openat(file::HERE, &path, OFlag::O_PATH, 0).is_ok())
}

/// The counters of every processor, or none: a virtual machine has no thermometer.
fn thermal_throttle() -> Result<Vec<String>> {
    let path = |cpu: u32| format!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle");
    if !exists(&path(0)) {
        return Ok(vec![]);
    }
    let possible = optional(c"/sys/devices/system/cpu/possible")?;
    let last = possible.trim().rsplit(['-', ',']).next().and_then(|last| last.parse().ok());
    Ok((0..=last.unwrap_or(0)).map(path).filter(|path| exists(path)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;

    #[test]
    fn this_machine_can_be_looked_at() {
        let line = ["jec", "spec"].map(Into::into);
        let Command::Spec(spec) = crate::cli::parse(line).unwrap().command else { panic!() };
        let machine = Machine::look(&spec.container, vec![], false).unwrap();
        assert!(machine.directory.is_absolute() && machine.binary.is_absolute());
        assert!(machine.host_paths.contains(&"/usr"));
        assert!(machine.last_capability >= 40, "CAP_CHECKPOINT_RESTORE came with Linux 5.9");
    }

    #[test]
    fn numbers_come_from_the_columns_of_proc_5() {
        let status = "Name:\tjec\nUid:\t1000\t0\t1000\t0\nCapBnd:\t000001fffeffffff\n";
        assert_eq!(status_number::<u32>(status, "Uid:", 1, 10), Ok(0));
        assert_eq!(status_number::<u64>(status, "CapBnd:", 0, 16), Ok(0x1ff_feff_ffff));
        assert!(status_number::<u32>(status, "Gid:", 1, 10).is_err());
        assert!(status_number::<u8>(status, "CapBnd:", 0, 16).is_err());
    }
}
