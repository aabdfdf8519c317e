//! The host of one attempt: with everything that any attack is after, and all of it made for it.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::Attack;
use crate::cgroup::Hierarchy;
use crate::error::{Error, Result};
use crate::sys::{self, attributes, credentials, file, terminal};

/// Settings of the kernel that attacks change, and the word of those that do. They have no
/// namespace, so they are set back.
pub const SETTINGS: [(&str, &str); 2] =
    [("+lease", "/proc/sys/fs/lease-break-time"), ("+core", "/proc/sys/kernel/core_pattern")];

/// What this machine would not do.
#[allow(clippy::needless_pass_by_value)] // for map_err
pub fn trouble(error: io::Error) -> Error {
    Error::machine(format!("the host of an attack: {error}"), "look for it: df, ulimit -a, dmesg")
}

/// Whether the attacks can have a machine of their own.
pub fn is_root() -> bool {
    credentials::geteuid() == 0 && credentials::in_the_initial_user_namespace().unwrap_or(false)
}

/// What is missing of the words that an attack needs.
pub fn lacks(needs: &str, broken: bool) -> Result<Option<String>> {
    for need in needs.split_whitespace() {
        let (is_here, reason) = match need {
            "root" => (is_root(), "needs root, for itself or for its host".into()),
            "broken" => (broken, "only with --break-this-machine, for a lab machine".into()),
            "cgroup1" => (has_cgroup1(), "needs cgroup v1, and the first cgroup namespace".into()),
            "disk" => (disk().is_some(), "needs a disk that the host may read".into()),
            "ids" => (is_root() || has_ids(), "needs more ids than one (/etc/subuid)".into()),
            "suid" => (is_root() || !is_nosuid(), "needs a $TMPDIR that is not nosuid".into()),
            "tiocsti" => (
                read("/proc/sys/dev/tty/legacy_tiocsti") != "0",
                "this kernel refuses it to all (legacy_tiocsti)".into(),
            ),
            path if path.starts_with('/') => {
                (Path::new(path).exists(), format!("this kernel has no {path}"))
            }
            controller => (
                Hierarchy::look()?.usable(&[controller])? == [controller],
                format!("needs the controller {controller} of cgroup v2"),
            ),
        };
        if !is_here {
            return Ok(Some(reason));
        }
    }
    Ok(None)
}

/// Only in the cgroup namespace that was there first can a hierarchy be made.
fn has_cgroup1() -> bool {
    const PROC_CGROUP_INIT_INO: &str = "cgroup:[4026531835]"; // <linux/nsfs.h>
    let own = fs::read_link("/proc/self/ns/cgroup").unwrap_or_default();
    own == Path::new(PROC_CGROUP_INIT_INO) && Path::new("/proc/cgroups").exists()
}

/// Whether set-user-ID programs do nothing where an ordinary user's host is.
fn is_nosuid() -> bool {
    let found = statvfs(&std::env::temp_dir());
    found.is_ok_and(|found| found.flags().contains(FsFlags::ST_NOSUID))
}

/// Whether the user may give ids to her containers.
fn has_ids() -> bool {
    let number = nix::unistd::getuid().to_string();
    let passwd = read("/etc/passwd");
    let is_hers = |line: &&str| line.split(':').nth(2) == Some(&number);
    let name = passwd.lines().find(is_hers).and_then(|line| line.split(':').next());
    let names = [name.unwrap_or_default().to_owned(), number.clone()];
    let owner = |line: &str| line.split(':').next().map(str::to_owned);
    read("/etc/subuid").lines().filter_map(owner).any(|owner| names.contains(&owner))
}

/// A small file of the host, as text; empty where it cannot be read.
pub fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default().trim_end().into()
}

/// A disk that has something on it and that the host may read: its number, and its file.
pub fn disk() -> Option<(String, File)> {
    let disks = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let mut full = disks.filter(|disk| !["", "0"].contains(&&*read(disk.path().join("size"))));
    full.find_map(|disk| {
        let file = File::open(Path::new("/dev").join(disk.file_name())).ok()?;
        Some((read(disk.path().join("dev")), file))
    })
}

/// Root's own machine: what is mounted, named or started from here on ends with this process.
/// Tells whose it is.
pub fn enter() -> io::Result<&'static str> {
    attributes::die_with_parent().map_err(io::Error::other)?;
    if !is_root() {
        return Ok("this machine");
    }
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none)?;
    mount(Some("host"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    Ok("own mount, uts, ipc and pid namespaces")
}

/// One host.
pub struct Host {
    /// Its files, "HOST" in settings: the secret, a volume, an image, a runtime.
    pub directory: PathBuf,
    /// What its directory and its container are called by.
    pub number: String,
    /// What nobody inside is told.
    pub secret: String,
    /// A process, with the secret on its command line.
    pub victim: Child,
    /// A server, whose name says whose it is.
    pub server: UnixDatagram,
    /// The caller's terminal, where she reads what she has typed.
    pub terminal: OwnedFd,
    /// A directory of it that was never closed.
    pub forgotten: File,
    /// Tells when the clock is set.
    pub clock: TimerFd,
    /// The values of [`SETTINGS`], where this attack changes them.
    pub settings: [String; 2],
}

/// Where another user than root finds the attack in the container: not below /root. Root finds it
/// at its own path, which leads to it without a pivot, too.
const INSIDE: &str = "/jec";

impl Host {
    /// Lays everything out.
    pub fn new(caller: &OwnedFd, attack: &Attack) -> io::Result<Self> {
        let (number, secret) = (random()?, random()?);
        let above = if is_root() { "/run".into() } else { std::env::temp_dir() };
        let directory = above.join(format!("jec-attack-{number}"));
        // Root's is on a tmpfs that nobody else sees, and somebody else has to find the way in.
        let mode = if is_root() { 0o711 } else { 0o700 };
        DirBuilder::new().mode(mode).create(&directory)?;
        // The victim's namespace is neither that of this machine nor that of its host.
        if is_root() {
            unshare(CloneFlags::CLONE_NEWIPC)?;
        }
        let victim = ["-c", "read line", &secret];
        let victim = Command::new("sh").args(victim).stdin(Stdio::piped()).spawn()?;
        let server = SocketAddr::from_abstract_name(directory.as_os_str().as_encoded_bytes())?;
        let server = UnixDatagram::bind_addr(&server)?;
        server.set_nonblocking(true)?;
        let forgotten = File::open(&directory)?;
        fcntl(&forgotten, FcntlArg::F_SETFD(FdFlag::empty()))?;
        let clock = TimerFd::new(ClockId::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK)?;
        let flags =
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        clock.set(Expiration::OneShot(TimeSpec::new(i64::from(u32::MAX), 0)), flags)?;
        attributes::new_session_keyring().map_err(io::Error::other)?;
        sys::attack::add_key(c"jec-attack", &secret)?;
        let terminal = caller.try_clone()?;
        let is_changed = |word| attack.setting.split(' ').any(|changed| changed == word);
        let settings =
            SETTINGS.map(|(word, path)| if is_changed(word) { read(path) } else { String::new() });
        let host = Self {
            directory,
            number,
            secret,
            victim,
            server,
            terminal,
            forgotten,
            clock,
            settings,
        };
        host.lay_files()?;
        if is_root() {
            host.lay_mounts()?;
        }
        Ok(host)
    }

    /// A path below its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What an attacker may know of it.
    pub fn told(&self) -> [String; 5] {
        let directory = self.directory.display();
        [
            format!("JEC_HOST={directory}"),
            format!("JEC_SOCKET={directory}"),
            format!("JEC_VICTIM={}", self.victim.id()),
            format!("JEC_DESCRIPTOR={}", self.forgotten.as_raw_fd()),
            format!("JEC_DISK={}", disk().map_or(String::new(), |disk| disk.0)),
        ]
    }

    /// The configuration of a container that this jec attacks, as `jec spec` prints it.
    pub fn specify(&self, attack: &Attack) -> io::Result<Output> {
        let own = std::env::current_exe()?;
        let is_another = ["--user", "--uidmap"].iter().any(|flag| attack.setting.contains(flag));
        // Somebody else has to reach the file as well, and jec may lie in a home. And where nothing
        // is pivoted the container's tree, which is made of /usr, lies over the host's.
        let is_copied = is_another || own.starts_with("/usr");
        let file = if is_copied { self.path("attacker") } else { own.clone() };
        let inside = if is_another { INSIDE.into() } else { file.to_string_lossy() };
        if is_copied && !file.exists() {
            fs::copy(&own, &file)?;
        }
        let mut spec = Command::new(&own);
        spec.args(["spec", "--no-tty", "--volume", &format!("{}:{inside}:ro", file.display())]);
        spec.args(self.told().iter().flat_map(|told| ["--env", told]));
        let words = attack.setting.split_whitespace().filter(|word| !word.starts_with('+'));
        let directory = self.directory.to_string_lossy();
        spec.args(words.map(|word| word.replace("HOST", &directory))).arg("--").arg(&*inside);
        spec.args(["attack", "--inside", attack.name]).stdin(Stdio::null()).output()
    }

    fn lay_files(&self) -> io::Result<()> {
        for name in ["volume/below", "outside", "image", "bundle", "state", "agent", "queues"] {
            fs::create_dir_all(self.path(name))?;
        }
        symlink(self.path("outside"), self.path("image/vol"))?;
        for name in ["secret", "volume/secret"] {
            fs::write(self.path(name), &self.secret)?;
            fs::set_permissions(self.path(name), Permissions::from_mode(0o600))?;
        }
        fs::set_permissions(self.path("volume"), Permissions::from_mode(0o777))
    }

    /// What only root can have. A machine lacks what fails: the attack will say so.
    fn lay_mounts(&self) -> io::Result<()> {
        let new = |kind, at, data: Option<&str>| {
            mount(Some(kind), &self.path(at), Some(kind), MsFlags::empty(), data)
        };
        let (volume, none) = (&self.path("volume"), None::<&str>);
        mount(Some(volume), volume, none, MsFlags::MS_BIND, none)?;
        mount(none, volume, none, MsFlags::MS_SHARED, none)?;
        new("tmpfs", "volume/below", None)?;
        new("cgroup", "agent", Some(&format!("none,name=jec-attack-{}", self.number))).ok();
        unshare(CloneFlags::CLONE_NEWIPC)?;
        // A small one: all that a user has may hold 800 KiB (RLIMIT_MSGQUEUE), one of the usual
        // size 80, and the kernel takes its time to take them back.
        fs::write("/proc/sys/fs/mqueue/msg_default", "1")?;
        new("mqueue", "queues", None)?;
        File::create(self.path("queues").join(&self.secret))?;
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.victim.kill().and_then(|()| self.victim.wait()).ok();
        for ((_, path), value) in SETTINGS.iter().zip(&self.settings) {
            if !value.is_empty() && read(path) != *value {
                fs::write(path, value).ok();
            }
        }
        let mounts = read("/proc/self/mountinfo");
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).rev();
        for point in points.filter(|point| Path::new(point).starts_with(&self.directory)) {
            umount2(point, MntFlags::MNT_DETACH).ok();
        }
        fs::remove_dir_all(&self.directory).ok();
    }
}

/// Sixteen digits that nobody can guess.
fn random() -> io::Result<String> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

/// The caller's terminal, made for this: she sits at the end that is returned.
pub fn terminal() -> Result<(OwnedFd, OwnedFd)> {
    let master = file::openat(file::HERE, c"/dev/ptmx", OFlag::O_RDWR | OFlag::O_NOCTTY, 0)?;
    terminal::unlock(master.as_fd())?;
    let own = terminal::peer(master.as_fd())?;
    attributes::setsid()?;
    terminal::make_controlling(own.as_fd())?;
    terminal::set_nonblocking(own.as_fd())?;
    Ok((master, own))
}
