//! `jec run --skip STAGE`: a container with one wall left out, to see what the wall is for.
//!
//! What is left out is a row of STAGES, or what the plan says to it. Only `jec run` has the flag,
//! and not where its flags are those of an engine: `create`, `start` and `exec` always walk all
//! rows, and nothing that is made to last may lack one.

use std::io::{IsTerminal, stderr};
use std::os::fd::BorrowedFd;

use nix::sched::CloneFlags;

use crate::commands::create::grantable;
use crate::error::{Error, Result, ensure};
use crate::log;
use crate::plan::Plan;
use crate::stages::{STAGES, Stage};
use crate::sys::constants::CLONE_NEWTIME;

/// A stage that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// Its module, so that both rows of seccomp are one.
    pub name: &'static str,
    /// What is open without it.
    pub open: &'static str,
}

const fn skipped(name: &'static str, open: &'static str) -> Skipped {
    Skipped { name, open }
}

/// The stages that can be left out.
#[rustfmt::skip]
pub const CAN: &[Skipped] = &[
    skipped("seal", "a program inside can write to the jec binary of the host through /proc/PID/exe"),
    skipped("cgroup", "no limit holds: one container can take all memory, processors and process numbers"),
    skipped("join", "namespaces that were to be entered are not: the container shares the host's"),
    skipped("user-namespace", "root inside is root of the host"),
    skipped("time-namespace", "the clocks are those of the host"),
    skipped("limits", "the resource limits are those of the host"),
    skipped("resctrl", "nothing, but the caches and the way to memory are shared with all others"),
    skipped("session", "the caller's terminal and session keyring can be reached from inside"),
    skipped("net-devices", "nothing, but the network devices stay where they are"),
    skipped("network", "nothing, but the loopback device stays down"),
    skipped("hooks-runtime", "what the hooks were to set up or to check is not"),
    skipped("hooks-container", "what the hooks were to set up or to check is not"),
    skipped("pivot-root", "the program runs in the host's own tree of files"),
    skipped("kernel-params", "nothing, but the host name is the host's and no sysctl is set"),
    skipped("masks", "kernel settings in /proc/sys can be written, the machine's memory and keys seen"),
    skipped("scheduling", "the scheduler and the priorities are those of jec"),
    skipped("labels", "AppArmor and SELinux do not confine the program"),
    skipped("bounding", "without no-new-privs or capabilities as well, root inside has every capability of jec"),
    skipped("identity", "the program runs as root, with the groups of jec"),
    skipped("capabilities", "without bounding as well, root inside has every capability of jec"),
    skipped("fds", "descriptors that jec was started with are open inside: ways to the host's files"),
    skipped("hooks-start", "what the hooks were to set up or to check is not"),
    skipped("no-new-privs", "a set-user-id program gives its caller the id of its owner"),
    skipped("seccomp", "every system call of the kernel can be reached"),
    skipped("hooks-poststart", "what the hooks were to set up or to check is not"),
];

/// The stages that cannot, and why.
#[rustfmt::skip]
pub const CANNOT: &[(&str, &str)] = &[
    ("record", "its directory is the lock of the id, and what `jec delete` cleans up by"),
    ("console-socket", "the stage console needs it; --no-tty leaves both out"),
    ("filter", "it only compiles what seccomp loads: leave out seccomp"),
    ("spawn-middle", "without it there is no process to make"),
    ("id-map", "in a user namespace without a map nobody can be anybody (EINVAL): leave out user-namespace"),
    ("become-root", "without it no file can be made (EOVERFLOW): leave out user-namespace"),
    ("spawn-init", "without it there is no process to make; it makes the namespaces by the same call"),
    ("adopt", "jec would not know whom to wait for"),
    ("mount-sources", "the stage mounts attaches what it makes"),
    ("propagation", "it makes the root a mount, without which the stages after it have no root"),
    ("overlay", "the layers would be written into; --overlay asks for it"),
    ("mounts", "without it the nodes of /dev would be made in the image itself"),
    ("devices", "the stage masks needs its /dev/null"),
    ("console", "jec would wait for a terminal that nobody made; --no-tty leaves it out"),
    ("program", "without it there is nothing to execute"),
    ("created", "other commands of jec go by the state"),
    ("gate", "a container that rests rests there"),
    ("pid-file", "only --pid-file asks for it"),
    ("open-gate", "a container that rests is started there"),
    ("notify", "the filter would ask somebody who was never told: leave out seccomp"),
    ("exec", "without it there is no program"),
    ("running", "other commands of jec go by the state"),
    ("kill-all", "without it processes would stay behind"),
    ("remove", "without it the cgroup and the state would stay behind; --keep keeps the state"),
    ("hooks-stop", "what the hooks have made would stay behind"),
];

/// The value of `--skip`: a stage by its name, or why it cannot be left out.
pub fn stage(name: &str) -> std::result::Result<Skipped, String> {
    let row = STAGES.iter().find(|stage| stage.name == name);
    let module = row.ok_or("no such stage; `jec stages` lists them")?.module();
    if let Some((_, why)) = CANNOT.iter().find(|(cannot, _)| *cannot == module) {
        return Err(format!("cannot be left out: {why}"));
    }
    let can = CAN.iter().find(|can| can.name == module);
    can.copied().ok_or_else(|| format!("cannot be left out: {name} is not in the list"))
}

/// The names alone.
pub fn names(skipped: &[Skipped]) -> Vec<&'static str> {
    skipped.iter().map(|skipped| skipped.name).collect()
}

impl Plan {
    /// Whether this stage is not left out.
    pub fn walks(&self, stage: &Stage) -> bool {
        !self.skipped.contains(&stage.module())
    }
}

/// Leaves stages out, and warns of each. What other stages would miss or set themselves changes
/// with it, so that they neither fail nor build the wall again.
pub fn skip(plan: &mut Plan, skipped: &[Skipped], proc: BorrowedFd) -> Result<()> {
    plan.skipped = names(skipped);
    let problem = "not together with --log, which engines say: they keep what they asked for";
    ensure(skipped.is_empty() || !log::is_open(), || Error::config("--skip", problem))?;
    let session = plan.skipped.contains(&"session") && plan.process.terminal;
    let problem = "session: a terminal of its own needs a session of its own: give --no-tty";
    ensure(!session, || Error::config("--skip", problem))?;
    for Skipped { name, open } in skipped {
        let kinds = &mut plan.namespaces;
        match *name {
            "join" => kinds.joined.clear(),
            "user-namespace" => kinds.new.retain(|new| *new != CloneFlags::CLONE_NEWUSER),
            "time-namespace" => kinds.new.retain(|new| *new != CLONE_NEWTIME),
            // The filter then goes in early: without the bit, loading it takes CAP_SYS_ADMIN.
            "no-new-privs" => plan.process.no_new_privileges = false,
            "seccomp" => plan.seccomp = None,
            _ => {}
        }
        log::warn(&paint(&stderr(), 31, &format!("without {name}: {open}")));
    }
    // What is never dropped is still there when all five sets are read back.
    if plan.skipped.contains(&"bounding") {
        plan.process.capabilities.bounding = grantable(proc, plan.namespaces.has_user())?;
    }
    Ok(())
}

/// In a colour of ECMA-48 (31 is red), where what it is written to has colours.
pub fn paint(to: &impl IsTerminal, colour: u8, text: &str) -> String {
    // NO_COLOR: https://no-color.org
    let has_colours = to.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if has_colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.into() }
}
