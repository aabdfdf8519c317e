//! `jec create`: everything up to the program's start. What `jec run` does first, too.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::open_proc;
use crate::cgroup::Hierarchy;
use crate::cli::{BeginArgs, CreateArgs, EndsArgs, Global, MakingArgs};
use crate::error::{Error, Failure, Result, ensure};
use crate::plan::{Plan, Process};
use crate::sides::Runtime;
use crate::skip::{Skipped, names};
use crate::stages::Command::{self, Create, Each, Open, Program, Rest, Start};
use crate::stages::Stage;
use crate::stages::capabilities::mask;
use crate::stages::resctrl;
use crate::stages::walk::{rows, walk};
use crate::state::States;
use crate::sys::{Recorder, file, signal, terminal};
use crate::{log, microscope};

/// The rows of a container that rests between create and start: init walks them all.
pub const RESTING: [Command; 6] = [Create, Each, Rest, Open, Start, Program];

/// How a command ends: its exit status, or what failed.
pub type Outcome = Result<u8, Failure>;

/// Makes a container that waits for `jec start`.
pub fn run(global: &Global, args: &CreateArgs) -> Outcome {
    let proc = begin(&args.making.begin, &[])?;
    let listening = Recorder::pause();
    let hierarchy = Hierarchy::look()?;
    let bundle = args.making.bundle.as_deref().unwrap_or(Path::new("."));
    let mut plan = Plan::from_bundle(&args.id, bundle)?;
    args.making.refuse_layers(&plan)?;
    args.making.apply(&mut plan, proc.as_fd())?;
    check_terminal(&mut plan.process, true, &args.making.ends)?;
    let all = rows(&plan, &RESTING);
    let mut runtime = prepare(global, &plan, &all, proc, hierarchy, &args.making)?;
    Recorder::resume(listening);
    // Up to the rest: what starts the program is for `jec start`.
    let made = walk(&mut runtime, &rows(&plan, &RESTING[..3])).map(|()| 0);
    if made.is_ok() {
        return made;
    }
    end(&mut runtime, &rows(&plan, &[Command::Delete]), made)
}

/// What every command that makes a process begins with. The last time this returns, jec is sealed.
pub fn begin(how: &BeginArgs, skip: &[Skipped]) -> Result<Rc<OwnedFd>, Failure> {
    // Before jec itself opens anything: a number that nobody gave must not become one of ours.
    if let Some(closed) = (3..3 + how.preserve_fds).find(|fd| file::is_open(*fd).is_err()) {
        let problem = format!("asks for descriptor {closed}, which is not open");
        return Err(Error::config(format!("--preserve-fds {}", how.preserve_fds), problem).into());
    }
    // Modes are meant as written; with a umask of 0777 a user could not open what she makes.
    file::umask(0o022)?;
    let proc = open_proc()?;
    how.trace.as_deref().map_or(Ok(()), |path| microscope::open(path, &proc))?;
    if how.explain {
        Recorder::on(terminal::copy_high(std::io::stderr().as_fd())?);
    }
    seal(&proc, skip).map(|()| proc)
}

/// The rows that come before there is a plan: jec starts anew from a copy, unless it has.
pub fn seal(proc: &Rc<OwnedFd>, skip: &[Skipped]) -> Result<(), Failure> {
    let plan = Plan { skipped: names(skip), ..Plan::nothing("") };
    let rows = rows(&plan, &[Command::Begin]);
    walk(&mut Runtime::new(&plan, &rows, proc.clone(), None), &rows)
}

/// Finds a place for everything that will be made; nothing has been made when it returns.
pub fn prepare<'a>(
    global: &Global,
    plan: &'a Plan,
    rows: &'a [&'static Stage],
    proc: Rc<OwnedFd>,
    hierarchy: Hierarchy,
    args: &MakingArgs,
) -> Result<Runtime<'a>> {
    resctrl::refuse_absent(plan, &proc)?;
    let states = States::open(global.root.as_deref(), proc.clone())?;
    states.refuse_taken(&plan.id)?;
    let placement = hierarchy.place(plan, global.systemd_cgroup)?;
    if let Err(why) = &placement {
        refuse_device_makers(plan, why)?;
        log::warn(&format!("no cgroup, so no limits: {why}"));
    }
    let mut runtime = Runtime::new(plan, rows, proc, Some(states));
    runtime.placement = placement.ok();
    serve(&mut runtime, &args.ends).map(|()| runtime)
}

/// What a command that makes a process owes to its caller: to say what it passes over, to heed
/// signals, to tell of the process, and to give the terminal away.
pub fn serve(runtime: &mut Runtime, ends: &EndsArgs) -> Result<()> {
    runtime.plan.warnings.iter().for_each(|warning| log::warn(warning));
    runtime.signals = Some(signal::as_messages()?);
    runtime.pid_file = ends.pid_file.as_deref().map(absolute).transpose()?;
    let name = |path: &PathBuf| CString::new(path.as_os_str().as_bytes());
    runtime.console_socket = ends.console_socket.as_ref().map(name).transpose()?;
    runtime.pidfd_socket = ends.pidfd_socket.as_ref().map(name).transpose()?;
    Ok(())
}

/// A terminal needs somebody at its other end: jec while it stays, else whoever has the socket.
pub fn check_terminal(process: &mut Process, detach: bool, ends: &EndsArgs) -> Result<()> {
    let is_alone = process.terminal && detach && ends.console_socket.is_none();
    let problem = "is true, but after create or --detach nobody is at its other end: \
        give --console-socket, or --no-tty";
    ensure(!is_alone, || Error::config("process.terminal", problem))?;
    if process.terminal && process.console_size.is_none() {
        // ENOTTY: jec itself has no terminal whose size could be taken.
        process.console_size = terminal::size(std::io::stdin().as_fd()).ok();
    }
    Ok(())
}

/// Who may make device nodes is kept from the disks by the device program of a
/// cgroup, or by a user namespace: without both, rules would be words only.
fn refuse_device_makers(plan: &Plan, why: &str) -> Result<()> {
    const CAP_MKNOD: u64 = 1 << 27; // <linux/capability.h>
    let may_make = plan.process.capabilities.bounding & CAP_MKNOD != 0;
    let may_make = may_make && !plan.skipped.contains(&"bounding");
    let is_safe = !may_make || plan.cgroup.devices.is_empty() || plan.namespaces.has_user();
    ensure(is_safe, || {
        let lacks = "CAP_MKNOD, linux.resources.devices: no cgroup, so nobody enforces the rules";
        let cure = "take CAP_MKNOD away, or give the container a user namespace";
        Error::machine(format!("{lacks}: {why}"), cure)
    })
}

/// The capabilities that a container here can have, as a mask: a new user namespace starts with
/// every one of the kernel (user_namespaces(7)), else our own bounding set is the limit.
pub fn grantable(proc: BorrowedFd, has_user: bool) -> Result<u64> {
    if !has_user {
        return mask(&file::read_file(proc, c"self/status", 64 * 1024)?, "CapBnd:");
    }
    let text = file::read_file(proc, c"sys/kernel/cap_last_cap", 64)?;
    let no_number = |_| Error::differs("/proc/sys/kernel/cap_last_cap", "a number", &*text);
    let last = text.trim().parse::<u32>().map_err(no_number)?;
    Ok(u64::MAX >> (63 - last.min(63)))
}

/// Walks the rows of the end, without what only set-up and waiting needed.
pub fn end(runtime: &mut Runtime, ending: &[&'static Stage], result: Outcome) -> Outcome {
    runtime.let_go();
    outcome(result, walk(runtime, ending))
}

/// Of two failures the second is told last, and decides the exit status.
pub fn outcome(result: Outcome, cleaned: Result<(), Failure>) -> Outcome {
    if let (Err(first), Err(_)) = (&result, &cleaned) {
        log::error(&format!("{first}\nand cleaning up failed, too:"));
    }
    cleaned.and(result)
}

/// Absolute, because it is written down for a `jec delete` that may run elsewhere.
fn absolute(path: &Path) -> Result<String> {
    let path = std::path::absolute(path)
        .map_err(|error| Error::config("--pid-file", format!("{}: {error}", path.display())))?;
    path.into_os_string().into_string().map_err(|_| Error::config("--pid-file", "is not UTF-8"))
}

impl MakingArgs {
    /// Podman copies the annotations of an image into config.json, and layers are directories of
    /// the host: an image must not choose them.
    pub fn refuse_layers(&self, plan: &Plan) -> Result<()> {
        let problem = "shows directories of the host inside, and an engine may have it from an \
            image: if this bundle is your own, give --bundle-overlay";
        let is_asked = plan.overlay.is_none() || self.bundle_overlay;
        ensure(is_asked, || Error::config("annotations.jec.overlay.lower", problem))
    }

    /// What an engine says on the command line because config.json has no word for it.
    pub fn apply(&self, plan: &mut Plan, proc: BorrowedFd) -> Result<()> {
        plan.grant_at_most(grantable(proc, plan.namespaces.has_user())?);
        plan.root.no_pivot = self.no_pivot;
        plan.process.keeps_keyring = self.no_new_keyring;
        plan.process.preserved_fds = self.begin.preserve_fds;
        if self.no_pivot {
            log::warn("--no-pivot: the host's tree stays mounted below the container's root");
        }
        Ok(())
    }
}
