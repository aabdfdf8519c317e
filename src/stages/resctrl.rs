//! Resctrl: a share of the processor's caches and of the way to memory.
//!
//! Where the processor can divide them (Intel RDT, AMD QoS), the file system
//! resctrl shows it: its root and each directory in it is a group, `schemata`
//! says what its processes may use, `tasks` who they are, and a child is born
//! into the group of its parent. A group in `mon_groups` only counts, for some
//! of them. What jec makes is written down first, so that `jec delete` removes
//! that and nothing else; who is left in it goes to the root. Side: runtime.
//! Without it: one container that reads much memory empties the caches of all.
//! See flock(2); Linux, Documentation/arch/x86/resctrl.rst; config-linux.md,
//! "IntelRdt".

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;

use crate::error::{Error, Result, ensure, unless};
use crate::plan::{IntelRdt, Plan};
use crate::sides::{Runtime, needed};
use crate::state::Container;
use crate::sys::{directory, file};

const RDTGROUP_SUPER_MAGIC: i64 = 0x0765_5821; // <linux/magic.h>

/// No file that is read here is longer.
const LONGEST: usize = 16 << 20;

/// Makes the groups that are missing, and puts the process in: init while it is alone, a further
/// process because it is no child of init.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    let (plan, pid) = (runtime.plan, runtime.init()?.pid);
    let wanted = needed(plan.intel_rdt.as_ref(), "linux.intelRdt")?;
    let (root, groups) = (&root(&runtime.proc)?, groups(wanted, &plan.id));
    if plan.joins.is_some() {
        return join(root, &groups, pid);
    }
    let (is_new, container) = (is_missing(root, wanted, &groups[0])?, runtime.container()?);
    for group in &groups[usize::from(!is_new)..] {
        container.intend(group)?;
        // What was not made is not ours to remove.
        make(root, group).inspect_err(|_| drop(container.intent.groups.pop()))?;
    }
    limit(root, &groups[0], [if is_new { &wanted.schema } else { "" }, &wanted.schemata])?;
    join(root, &groups, pid)
}

/// Fails, before anything is made, where a group is asked for and there can be none.
pub fn refuse_absent(plan: &Plan, proc: &OwnedFd) -> Result<()> {
    let is_wanted = plan.intel_rdt.is_some() && !plan.skipped.contains(&"resctrl");
    if is_wanted { root(proc).map(drop) } else { Ok(()) }
}

/// Removes what was made for a container that has no process any more.
pub fn remove(container: &Container, proc: &OwnedFd) -> Result<()> {
    let groups = &container.intent.groups;
    let is_ours = !groups.is_empty() && container.is_of_this_boot()?;
    // With its last mount, all of resctrl goes.
    let root = if is_ours { find(proc)? } else { None };
    root.map_or(Ok(()), |root| remove_all(&root, groups))
}

/// The inner one first. One that is not there was never made, or is gone with the outer one.
fn remove_all(root: &OwnedFd, groups: &[String]) -> Result<()> {
    let remove = |group: &String| file::remove(root.as_fd(), &CString::new(&**group)?, true);
    groups.iter().rev().try_for_each(|group| remove(group).map(drop))
}

/// The root, locked for as long as it is open: so programs that change several files agree.
fn root(proc: &OwnedFd) -> Result<OwnedFd> {
    let lacks = "linux.intelRdt needs the file system resctrl, which is not mounted here";
    let cure = "mount -t resctrl resctrl /sys/fs/resctrl, on a processor with cat_l3, mba or cqm";
    find(proc)?.ok_or_else(|| Error::machine(lacks, cure))
}

fn find(proc: &OwnedFd) -> Result<Option<OwnedFd>> {
    let mounts = file::read_file(proc.as_fd(), c"self/mountinfo", LONGEST)?;
    let Some(place) = mounts.lines().find_map(place) else {
        return Ok(None);
    };
    let root = directory::open(file::HERE, &CString::new(place)?)?;
    file::flock(root.as_fd(), true)?;
    // Another mount may cover it.
    let is_it = file::filesystem_magic(root.as_fd())? == RDTGROUP_SUPER_MAGIC;
    Ok(Some(root).filter(|_| is_it))
}

/// Where a line of mountinfo says that the whole of it is mounted (proc_pid_mountinfo(5)).
fn place(line: &str) -> Option<String> {
    let (here, system) = line.split_once(" - ")?;
    let mut fields = here.split(' ').skip(3);
    let is_whole = fields.next()? == "/" && system.starts_with("resctrl ");
    fields.next().filter(|_| is_whole).map(|place| place.replace("\\040", " "))
}

/// The groups of a container, as paths below the root: the one that says what it may use, and in
/// there the one that counts for it alone.
fn groups(wanted: &IntelRdt, id: &str) -> Vec<String> {
    let name = wanted.name.as_deref().unwrap_or(id);
    let control = if name == "/" { "." } else { name };
    let monitoring = wanted.monitored.then(|| format!("{control}/mon_groups/{id}"));
    [Some(control.into()), monitoring].into_iter().flatten().collect()
}

fn make(root: &OwnedFd, group: &str) -> Result<()> {
    explained(root, file::mkdirat(root.as_fd(), &CString::new(group)?, 0o755))
}

/// Whether the control group has to be made. One that exists is shared by all who name it, and has
/// to be as described; one with the container's id would be somebody else's.
fn is_missing(root: &OwnedFd, wanted: &IntelRdt, control: &str) -> Result<bool> {
    let found = unless(&[Errno::ENOENT], directory::open(root.as_fd(), &CString::new(control)?))?;
    let is_described = !wanted.schema.is_empty() || !wanted.schemata.is_empty();
    let problem = match (&wanted.name, found) {
        (Some(_), Some(_)) => return check(root, control, &wanted.schema).map(|()| false),
        (None, Some(_)) => "is there, and is not this container's; rmdir removes it",
        (Some(_), None) if !is_described => "does not exist, and without schemata jec makes none",
        (_, None) => return Ok(true),
    };
    Err(Error::config("linux.intelRdt", format!("the group {control:?} {problem}")))
}

/// Writes each text at once, where a domain has one value, and reads it back.
fn limit(root: &OwnedFd, control: &str, texts: [&str; 2]) -> Result<()> {
    texts.into_iter().filter(|lines| !lines.is_empty()).try_for_each(|lines| {
        write(root, control, "schemata", lines)?;
        check(root, control, lines)
    })
}

/// The control group first: the other one takes only who is in there.
fn join(root: &OwnedFd, groups: &[String], pid: i32) -> Result<()> {
    groups.iter().try_for_each(|group| write(root, group, "tasks", &pid.to_string()))
}

fn write(root: &OwnedFd, group: &str, name: &str, text: &str) -> Result<()> {
    let path = CString::new(format!("{group}/{name}"))?;
    explained(root, file::write_file(root.as_fd(), &path, text))
}

/// Adds what the kernel has to say of the last command, if that has failed.
fn explained(root: &OwnedFd, result: Result<()>) -> Result<()> {
    let said = || file::read_file(root.as_fd(), c"info/last_cmd_status", LONGEST);
    result.map_err(|error| error.with_words(&said().unwrap_or_default()))
}

/// Fails where a group has not what these lines say. The kernel's lines name every domain, in an
/// order and with blanks and zeros of its own.
fn check(root: &OwnedFd, control: &str, lines: &str) -> Result<()> {
    let all =
        file::read_file(root.as_fd(), &CString::new(format!("{control}/schemata"))?, LONGEST)?;
    lines.lines().try_for_each(|line| {
        let (resource, wanted) = domains(line);
        let found = all.lines().find(|found| domains(found).0 == resource).unwrap_or_default();
        let (step, theirs) = (step(root, resource)?, domains(found).1);
        let has = |domain: &str, value| theirs.get(domain).is_some_and(|has| is(has, value, step));
        ensure(wanted.iter().all(|(domain, value)| has(domain, value)), || {
            let problem = format!("the group {control:?} has {:?}, and not {line:?}", found.trim());
            Error::config("linux.intelRdt", problem)
        })
    })
}

/// `L3:0=ff;1=f`: a resource, and its domains, each with a value.
fn domains(line: &str) -> (&str, BTreeMap<&str, &str>) {
    let (resource, rest) = line.split_once(':').unwrap_or((line, ""));
    let parts = rest.split(';').filter(|part| !part.trim().is_empty());
    let pairs = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
    (resource.trim(), pairs.map(|(domain, value)| (domain.trim(), value.trim())).collect())
}

/// In what steps a resource is given out: bandwidth is. None: a cache, by masks.
fn step(root: &OwnedFd, resource: &str) -> Result<Option<u64>> {
    let path = CString::new(format!("info/{resource}/bandwidth_gran"))?;
    let text = unless(&[Errno::ENOENT], file::read_file(root.as_fd(), &path, LONGEST))?;
    Ok(text.and_then(|text| text.trim().parse().ok()))
}

/// Whether a value is the one that was asked for; a number is rounded up to a whole step.
fn is(found: &str, wanted: &str, step: Option<u64>) -> bool {
    let radix = if step.is_some() { 10 } else { 16 };
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), radix).ok();
    let (found, wanted) = (number(found), number(wanted));
    let rounded = wanted.and_then(|wanted| wanted.checked_next_multiple_of(step?));
    found.is_some() && [wanted, rounded].contains(&found)
}
