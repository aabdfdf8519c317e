//! What the tests share: the built jec, a root file system, bundles from
//! `examples/`, a held container to look at from the host, and the oracle that
//! compares the host before and after.
//!
//! A test looks at kernel state (/proc/PID, cgroupfs, mountinfo), from inside
//! and from outside. What a machine cannot do is skipped with its reason, by
//! `skip!`, and counted.
#![allow(dead_code)] // each test file uses a part

pub mod example;
pub mod image;
pub mod probe;
pub mod process;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub mod bundle;
pub mod pty;

/// Prints why a test cannot run here, and ends it. The runner counts the lines.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        println!("SKIPPED: {}", format!($($reason)*));
        return;
    }};
}

/// The jec under test.
pub fn jec_path() -> PathBuf {
    std::env::var_os("JEC").map_or_else(|| env!("CARGO_BIN_EXE_jec").into(), PathBuf::from)
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Whether this is the lab machine without KVM, where a container takes a second.
pub fn is_emulated() -> bool {
    std::env::var_os("JEC_EMULATED").is_some()
}

/// Why a test of an overlay is skipped.
pub const NO_OVERLAY: &str = "an ordinary user's overlay in memory takes Linux 6.6";

/// Whether a tmpfs has attributes user.*, with which an overlay in a user namespace keeps its notes.
pub fn has_user_attributes_in_memory() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(6))
}

/// Whether whoever runs the tests can have an overlay in memory. Root has other attributes.
pub fn has_overlay() -> bool {
    is_root() || has_user_attributes_in_memory()
}

/// Whether /sys/fs/cgroup is cgroup v2 with this controller, for a cgroup that we could make.
pub fn has_controller(name: &str) -> bool {
    let text = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    text.split_whitespace().any(|word| word == name)
}

/// Whether this machine has pure cgroup v2.
pub fn has_cgroup2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.procs").exists()
}

/// A world of its own for one test: a state directory, a temporary directory,
/// and at the end the proof that nothing is left behind.
pub struct World {
    /// Removed at the end.
    pub dir: tempfile::TempDir,
    before: Host,
}

/// What a container could leave behind on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Mount points of our mount namespace.
    pub mounts: BTreeSet<String>,
    /// Cgroups with "jec" in their path.
    pub cgroups: BTreeSet<String>,
}

impl Host {
    /// Looks at the host.
    pub fn now() -> Self {
        // Of this thread: a test may have a view of its own.
        let text = fs::read_to_string("/proc/thread-self/mountinfo").expect("mountinfo");
        let point = |line: &str| line.split(' ').nth(4).map(str::to_owned);
        let mut cgroups = BTreeSet::new();
        find_cgroups(Path::new("/sys/fs/cgroup"), &mut cgroups, 6);
        Self { mounts: text.lines().filter_map(point).collect(), cgroups }
    }
}

fn find_cgroups(dir: &Path, found: &mut BTreeSet<String>, depth: usize) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten().filter(|_| depth > 0) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().contains("jec-test")) {
                found.insert(path.to_string_lossy().into_owned());
            }
            find_cgroups(&path, found, depth - 1);
        }
    }
}

/// A test that fails must not leave its containers to those that come after it.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let entries = fs::read_dir(self.path("state")).into_iter().flatten().flatten();
            for entry in entries {
                self.jec().args(["delete", "--force"]).arg(entry.file_name()).status().ok();
            }
        }
    }
}

impl World {
    /// A new world; the host as it is now is what it has to be at the end.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("jec-test-").tempdir().expect("a directory");
        fs::create_dir(dir.path().join("state")).expect("the state directory");
        use std::os::unix::fs::PermissionsExt;
        // Root of a container may be anybody outside, and has to find the way to its files.
        for (path, mode) in [(dir.path(), 0o711), (&dir.path().join("state"), 0o700)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
        }
        Self { dir, before: Host::now() }
    }

    /// Whether set-user-ID and file capabilities do nothing here: /tmp is often mounted so.
    pub fn is_nosuid(&self) -> bool {
        use nix::sys::statvfs::{FsFlags, statvfs};
        statvfs(self.dir.path()).expect("statvfs").flags().contains(FsFlags::ST_NOSUID)
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An id that no other test has: ids name cgroups, which all tests share.
    pub fn id(&self, name: &str) -> String {
        let unique = self.dir.path().file_name().expect("a name").to_string_lossy();
        format!("{unique}-{name}").replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "-")
    }

    /// `jec --root STATE …`, with standard input from /dev/null.
    pub fn jec(&self) -> Command {
        let mut command = Command::new(jec_path());
        command.arg("--root").arg(self.path("state")).stdin(Stdio::null());
        command
    }

    /// `jec run ARGS` to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.jec();
        command.arg("run").args(args);
        Ran::of(command)
    }

    /// A bundle: the example of this name, with the busybox root, and what `change` does to config.json.
    pub fn bundle(&self, example: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
        let text =
            fs::read_to_string(source.join("config.json")).expect("the example's config.json");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        change(&mut config);
        let bundle = self.path(&format!("bundle-{example}"));
        fs::create_dir_all(&bundle).expect("the bundle");
        if !bundle.join("rootfs").exists() {
            copy_tree(&rootfs(), &bundle.join("rootfs"));
        }
        fs::write(bundle.join("config.json"), config.to_string()).expect("config.json");
        bundle
    }

    /// Runs the bundle to its end; its layers are our own.
    pub fn run_bundle(&self, bundle: &Path) -> Ran {
        let id = self.id("b");
        self.run(&["--bundle-overlay", "--bundle", &bundle.to_string_lossy(), &id])
    }

    /// A root of its own to spoil: a copy of the busybox root.
    pub fn rootfs(&self) -> PathBuf {
        let copy = self.path("rootfs");
        if !copy.exists() {
            copy_tree(&rootfs(), &copy);
        }
        copy
    }

    /// Starts `jec run ARGS` and waits until the program runs: to be looked at from the host.
    pub fn hold(&self, args: &[&str]) -> Held {
        let mut command = self.jec();
        command.arg("run").arg("--pid-file").arg(self.path("pid")).args(args);
        self.hold_command(command)
    }

    /// The same, as a command that becomes `jec run --pid-file WORLD/pid …`.
    pub fn hold_command(&self, mut command: Command) -> Held {
        let pid_file = self.path("pid");
        fs::remove_file(&pid_file).ok(); // of one held before
        let jec = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("jec");
        let mut held = Held { jec, pid: 0 };
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if let Ok(Some(_)) = held.jec.try_wait() {
                break;
            }
            if held.pid == 0 {
                held.pid =
                    fs::read_to_string(&pid_file).ok().and_then(|t| t.parse().ok()).unwrap_or(0);
            }
            // jec's own name until execve.
            let name = fs::read_to_string(format!("/proc/{}/comm", held.pid)).unwrap_or_default();
            if held.pid != 0 && !name.starts_with("jec:") {
                return held;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = held.end();
        panic!("the container did not start: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Nothing is left: no mount, no cgroup, no state, no process of this world.
    pub fn assert_clean(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let left = self.left_behind();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {left:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is there that was not there before.
    pub fn left_behind(&self) -> Vec<String> {
        let now = Host::now();
        let ours = self.dir.path().to_string_lossy().into_owned();
        let unique = self.id("");
        let mine = |text: &&String| text.contains(&ours) || text.contains(&unique);
        let mut left: Vec<String> = now
            .mounts
            .difference(&self.before.mounts)
            .filter(mine)
            .map(|m| format!("mount {m}"))
            .collect();
        left.extend(now.cgroups.iter().filter(mine).map(|c| format!("cgroup {c}")));
        let states = fs::read_dir(self.path("state")).into_iter().flatten().flatten();
        left.extend(states.map(|entry| format!("state {}", entry.path().display())));
        left.extend(processes_with(&ours).into_iter().map(|pid| format!("process {pid}")));
        left
    }
}

/// What an ordinary user adds to any config: a user namespace in which she, and only she, is root.
pub fn for_me(config: &mut Value) {
    let namespaces = config["linux"]["namespaces"].as_array_mut().expect("namespaces");
    if is_root() || namespaces.iter().any(|entry| entry["type"] == "user") {
        return;
    }
    namespaces.push(json!({"type": "user"}));
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    config["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": uid, "size": 1}]);
    config["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": gid, "size": 1}]);
}

/// A change of the config: this shell script is the program, for whoever runs the test.
pub fn sh(script: &str) -> impl Fn(&mut Value) {
    let script = script.to_owned();
    move |config| {
        config["process"]["args"] = json!(["sh", "-c", script]);
        for_me(config);
    }
}

/// Leaves the namespace of this kind out: the container shares the host's.
pub fn without_namespace(config: &mut Value, kind: &str) {
    let namespaces = config["linux"]["namespaces"].as_array_mut().expect("namespaces");
    namespaces.retain(|entry| entry["type"] != kind);
}

/// Gives the container this namespace of the host: by path, or a new one.
pub fn with_namespace(config: &mut Value, kind: &str, path: Option<&str>) {
    without_namespace(config, kind);
    let namespaces = config["linux"]["namespaces"].as_array_mut().expect("namespaces");
    namespaces.push(path.map_or(json!({"type": kind}), |path| json!({"type": kind, "path": path})));
}

/// The programs of the host, below /usr/bin: for an attack that busybox has no program for.
pub fn with_host_programs(config: &mut Value) {
    let mounts = config["mounts"].as_array_mut().expect("mounts");
    for path in ["/usr", "/lib", "/lib64"].into_iter().filter(|path| Path::new(path).exists()) {
        let options = ["rbind", "ro", "nosuid", "nodev"];
        mounts.push(json!({"destination": path, "source": path, "options": options}));
    }
}

/// A process of the host that the test started, for containers to find and to harm.
/// It ends with the test.
pub struct Canary(pub Child);

impl Canary {
    /// `sleep`, five minutes long.
    pub fn sleeping() -> Self {
        Self::of(Command::new("sleep").arg("300"))
    }
    /// Any command.
    pub fn of(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("a canary"))
    }
    /// Its number.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).expect("a pid")
    }
    /// Whether it is still there.
    pub fn lives(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Asks until the answer is yes; fails the test when it is still no after half a minute.
#[track_caller]
pub fn until(what: &str, mut answer: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !answer() {
        assert!(Instant::now() < deadline, "it did not happen: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Processes whose command line, root or working directory speaks of `text`; not this one.
pub fn processes_with(text: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let speaks = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let zombie = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
        });
        let links = ["root", "cwd"].map(|name| fs::read_link(format!("/proc/{pid}/{name}")));
        let linked = links.into_iter().flatten().any(|to| to.to_string_lossy().contains(text));
        !zombie && (String::from_utf8_lossy(&line).contains(text) || linked)
    };
    let me = i32::try_from(std::process::id()).expect("a pid");
    pids.filter(|pid| *pid != me).filter(speaks).collect()
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit status as a shell shows it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Runs a command to its end, at most two minutes.
    pub fn of(mut command: Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("spawn");
        let pid = child.id();
        let (done, watch) = std::sync::mpsc::channel::<()>();
        let guard = std::thread::spawn(move || {
            if watch.recv_timeout(Duration::from_secs(120)).is_err() {
                let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid"));
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).ok();
            }
        });
        let output = child.wait_with_output().expect("output");
        done.send(()).ok();
        guard.join().ok();
        Self::from(output)
    }

    /// Fails the test unless the program ended with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Fails the test unless the run failed with this exit code and its message has all these words.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing in: {}", self.err);
        }
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let signal = output.status.signal().map(|signal| 128 + signal);
        Self {
            code: output.status.code().or(signal).unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A container that runs while the test looks at it. Killed at the end of the test.
pub struct Held {
    jec: Child,
    /// Its process 1, on the host.
    pub pid: i32,
}

impl Held {
    /// A file of /proc/PID.
    pub fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.pid)).unwrap_or_default()
    }

    /// The namespace of this kind: `uts:[4026531838]`.
    pub fn namespace(&self, kind: &str) -> String {
        namespace_of(self.pid, kind)
    }

    /// The value of a line of /proc/PID/status.
    pub fn status(&self, name: &str) -> String {
        let text = self.proc("status");
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_default().trim().to_owned()
    }

    /// jec's own number.
    pub fn jec_pid(&self) -> i32 {
        i32::try_from(self.jec.id()).expect("a pid")
    }

    /// Sends a signal to jec.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.jec_pid()), signal).expect("kill");
    }

    /// Kills the program, and waits for the end.
    pub fn wait_after_kill(mut self) -> Ran {
        Ran::from(self.end())
    }

    /// Waits for the end, at most a minute.
    pub fn wait(mut self) -> Ran {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline && matches!(self.jec.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ran::from(self.end())
    }

    fn end(&mut self) -> Output {
        let mut taken = Vec::new();
        let mut error = Vec::new();
        if matches!(self.jec.try_wait(), Ok(None)) {
            // The way a user ends it: jec passes it on, and cleans up.
            if self.pid > 0 {
                let pid = nix::unistd::Pid::from_raw(self.pid);
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).ok();
            } else {
                self.jec.kill().ok();
            }
        }
        use std::io::Read;
        let status = self.jec.wait().expect("wait");
        self.jec.stdout.take().map(|mut out| out.read_to_end(&mut taken));
        self.jec.stderr.take().map(|mut err| err.read_to_end(&mut error));
        Output { status, stdout: taken, stderr: error }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end();
    }
}

/// The namespace of a process.
pub fn namespace_of(pid: i32, kind: &str) -> String {
    fs::read_link(format!("/proc/{pid}/ns/{kind}"))
        .map(|link| link.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The busybox root, made once by rootfs-scripts/busybox. Not to be written to.
pub fn rootfs() -> PathBuf {
    static ROOTFS: OnceLock<PathBuf> = OnceLock::new();
    ROOTFS
        .get_or_init(|| {
            let uid = nix::unistd::geteuid();
            let base = std::env::temp_dir().join(format!("jec-test-rootfs-{uid}"));
            let ready = base.join("ready");
            if ready.join("bin/busybox").exists() {
                return ready;
            }
            fs::create_dir_all(&base).expect("a directory");
            // Several test programs may do this at once: each builds its own, one rename wins.
            let mine = base.join(format!("new-{}", std::process::id()));
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-scripts/busybox");
            let ran = Ran::of({
                let mut command = Command::new(script);
                command.arg(&mine);
                command
            });
            assert_eq!(ran.code, 0, "rootfs-scripts/busybox: {}", ran.err);
            fs::rename(&mine, &ready).ok();
            assert!(ready.join("bin/busybox").exists());
            ready
        })
        .clone()
}

/// A copy with hard links as they are, links as links, modes as they are.
pub fn copy_tree(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(status.success());
}

/// Runs a command in a private view in which /sys/fs/cgroup is pure cgroup v2
/// (without controllers, where v1 has them). Only root can make it.
pub fn in_pure_cgroup2(command: &str) -> Ran {
    let script = format!(
        "umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup && {command}"
    );
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "--propagation", "private", "sh", "-c", &script]).stdin(Stdio::null());
    Ran::of(shell)
}

/// This thread gets a mount namespace in which /sys/fs/cgroup is pure cgroup
/// v2, where the machine has something else and we are root: so that there is
/// a cgroup that can be left behind.
pub fn own_view() {
    if !is_root() || has_cgroup2() {
        return;
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("unshare");
    let script = "mount --make-rprivate / && umount -R /sys/fs/cgroup && \
                  mount -t cgroup2 none /sys/fs/cgroup";
    let status = Command::new("sh").args(["-c", script]).status().expect("sh");
    assert!(status.success());
}

/// Runs a shell script of the host.
pub fn shell(script: &str) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    Ran::of(command)
}

/// Whether the host has this program.
pub fn has_program(name: &str) -> bool {
    shell(&format!("command -v {name}")).code == 0
}

impl World {
    /// The words of `jec run` for a bundle, for a shell of the host.
    pub fn run_words(&self, bundle: &Path) -> String {
        let (jec, state) = (jec_path(), self.path("state"));
        let (jec, state, bundle) = (jec.display(), state.display(), bundle.display());
        format!("{jec} --root {state} run --bundle {bundle} {}", self.id("b"))
    }

    /// Runs the bundle while a shell script of root of a new user namespace has spoiled the machine.
    pub fn run_spoiled(&self, spoil: &str, bundle: &Path) -> Ran {
        let script = format!("{spoil}; exec {}", self.run_words(bundle));
        Ran::of({
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
            command.stdin(Stdio::null());
            command
        })
    }

    /// `jec create` of the bundle. What jec and the program say goes to WORLD/out: a pipe
    /// would stay open for as long as the container does.
    pub fn create(&self, bundle: &Path, id: &str) -> Ran {
        let mut command = self.jec();
        command.args(["create", "--pid-file"]).arg(self.path("pid")).arg("-b").arg(bundle).arg(id);
        self.ran_aside(command)
    }

    /// Runs a command whose children may outlive it; what it and they say is in `err`.
    pub fn ran_aside(&self, mut command: Command) -> Ran {
        let out = fs::File::create(self.path("out")).expect("a file");
        command.stdin(Stdio::null()).stdout(out.try_clone().expect("a file")).stderr(out);
        let status = command.status().expect("jec");
        let ended = Output { status, stdout: Vec::new(), stderr: self.said().into_bytes() };
        Ran::from(ended)
    }

    /// What the containers made by `create` have said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(self.path("out")).unwrap_or_default()
    }

    /// `jec COMMAND WORDS`, for commands that leave no process behind.
    pub fn tell(&self, words: &[&str]) -> Ran {
        let mut command = self.jec();
        command.args(words);
        Ran::of(command)
    }

    /// state.json of the container, null while there is none.
    pub fn state(&self, id: &str) -> Value {
        let text = fs::read_to_string(self.path("state").join(id).join("state.json"));
        text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// `jec delete WORDS`.
    pub fn delete(&self, words: &[&str]) -> Ran {
        Ran::of({
            let mut command = self.jec();
            command.arg("delete").args(words);
            command
        })
    }

    /// Starts the bundle and waits until its program runs.
    pub fn hold_bundle(&self, bundle: &Path) -> Held {
        self.hold(&["--bundle", &bundle.to_string_lossy(), &self.id("b")])
    }
}
