//! What is known of a stage's calls before it runs: what the plan says, in the kernel's words.
//!
//! Numbers of processes and descriptors, and what the root holds, are known only when it runs:
//! `jec run --explain` shows the calls as they were.

use std::ffi::CString;

use nix::sched::CloneFlags;

use crate::error::Result;
use crate::filter::{self, Profile};
use crate::plan::{
    Device, DeviceKind, DeviceRule, Hook, IdMaps, IdRange, IntelRdt, MapWriter, Mount, MountKind,
    Plan, Process, names_of,
};
use crate::stages::Stage;
use crate::sys::arguments::{attributes, kinds};
use crate::sys::constants::CLONE_NEWTIME;

/// A line or more; none where the line of the stage says it all. `cgroup` is where it would be,
/// or why there is none.
pub fn calls(stage: &Stage, plan: &Plan, cgroup: &Result<String, String>) -> Result<Vec<String>> {
    if stage.side() == "init" {
        return Ok(inside(stage.name, plan));
    }
    let born = if cgroup.is_ok() { "|CLONE_INTO_CGROUP" } else { "" };
    let id_mapped = plan.mounts.iter().filter(|entry| entry.idmap.is_some());
    let devices = plan.net_devices.iter();
    Ok(match stage.name {
        "record" => vec![format!("mkdir(STATE/{})", plan.id)],
        "filter" => profile(plan)?,
        "cgroup" => limits(plan, cgroup),
        "spawn-middle" => vec![format!("clone3(CLONE_PIDFD{born})")],
        "join" => plan.namespaces.joined.iter().map(join).collect(),
        "user-namespace" => vec!["unshare(CLONE_NEWUSER)".into()],
        "time-namespace" => clocks(plan),
        "id-map" => maps(&plan.namespaces.ids, plan.namespaces.map_writer),
        "spawn-init" => vec![format!("clone3({}|CLONE_PARENT|CLONE_PIDFD)", kinds(late(plan)))],
        "limits" => rlimits(plan),
        "resctrl" => plan.intel_rdt.iter().map(shares).collect(),
        "net-devices" => devices.map(|(from, to)| format!("{from:?} becomes {to:?}")).collect(),
        "mount-sources" => id_mapped.map(mount).collect(),
        "hooks-runtime" => programs(&[&plan.hooks.prestart, &plan.hooks.create_runtime]),
        "hooks-poststart" => programs(&[&plan.hooks.poststart]),
        "hooks-stop" => programs(&[&plan.hooks.poststop]),
        "kill-all" | "remove" => cgroup.iter().map(|path| format!("cgroup {path}")).collect(),
        _ => vec![],
    })
}

fn shares(group: &IntelRdt) -> String {
    let (name, lines) = (group.name.as_deref(), [&*group.schema, &*group.schemata].concat());
    let text = format!("group {}: {}", name.unwrap_or("of its own"), lines.replace('\n', ", "));
    text.trim_end_matches([':', ',', ' ']).to_owned()
}

/// Those of init.
fn inside(stage: &str, plan: &Plan) -> Vec<String> {
    let Plan { process, hooks, root, .. } = plan;
    let first = 3 + process.preserved_fds;
    match stage {
        "propagation" => {
            vec![format!("open_tree({:?}, OPEN_TREE_CLONE|AT_RECURSIVE), move_mount", root.path)]
        }
        "overlay" => plan.overlay.iter().map(|over| format!("over {:?}", over.lower)).collect(),
        "mounts" => plan.mounts.iter().map(mount).collect(),
        "devices" => devices(plan),
        "hooks-container" => programs(&[&hooks.create_container]),
        "hooks-start" => programs(&[&hooks.start_container]),
        "pivot-root" if root.no_pivot => vec!["mount(MS_MOVE), chroot".into()],
        "pivot-root" => vec!["pivot_root(\".\", \".\"), umount2(MNT_DETACH)".into()],
        "kernel-params" => kernel(plan),
        "masks" => masks(plan),
        "scheduling" => scheduling(plan),
        "labels" => labels(plan),
        "bounding" => vec![format!("keeps {}", names_of(process.capabilities.bounding))],
        "identity" => identity(plan),
        "capabilities" => sets(plan),
        "program" => vec![format!("{:?}, {} variables", process.args, process.env.len())],
        "fds" => vec![format!("close_range({first}, ~0, CLOSE_RANGE_CLOEXEC)")],
        "no-new-privs" => vec!["prctl(PR_SET_NO_NEW_PRIVS, 1)".into()],
        "seccomp" | "seccomp-early" => vec!["seccomp(SECCOMP_SET_MODE_FILTER)".into()],
        "exec" => {
            process.args.first().map(|name| format!("execve({name:?})")).into_iter().collect()
        }
        _ => vec![],
    }
}

fn join((kind, path): &(CloneFlags, CString)) -> String {
    format!("setns({path:?}, {})", kinds(*kind))
}

/// What is left for init's clone: the user and the time namespace exist by then.
fn late(plan: &Plan) -> CloneFlags {
    let earlier = [CloneFlags::CLONE_NEWUSER, CLONE_NEWTIME];
    plan.namespaces.new.iter().filter(|kind| !earlier.contains(kind)).copied().collect()
}

fn profile(plan: &Plan) -> Result<Vec<String>> {
    let Some(profile) = &plan.seccomp else {
        return Ok(vec![]);
    };
    let Profile { default_action, abis, rules, .. } = profile;
    let names: usize = rules.iter().map(|rule| rule.names.len()).sum();
    let conditions = rules.iter().filter(|rule| !rule.conditions.is_empty()).count();
    let length = filter::compile(profile)?.len();
    Ok(vec![
        format!("default action {default_action:?}, {} interfaces", abis.len()),
        format!("{} rules for {names} names, {conditions} with conditions", rules.len()),
        format!("{length} instructions"),
    ])
}

fn limits(plan: &Plan, cgroup: &Result<String, String>) -> Vec<String> {
    let path = match cgroup {
        Ok(path) => path,
        Err(why) => return vec![format!("none: {why}")],
    };
    let mut lines = vec![format!("mkdir(/sys/fs/cgroup{path})")];
    lines.extend(plan.cgroup.limits.iter().map(|(file, value)| format!("{file} = {value}")));
    if !plan.cgroup.devices.is_empty() {
        let rules: Vec<_> = plan.cgroup.devices.iter().map(rule).collect();
        lines.push(format!("bpf(BPF_PROG_ATTACH, BPF_CGROUP_DEVICE): {}", rules.join(", ")));
    }
    lines
}

/// As the device controller of cgroup v1 wrote it: `c 1:3 rwm`.
fn rule(rule: &DeviceRule) -> String {
    let verb = if rule.allow { "allow" } else { "deny" };
    let kind = rule.kind.map_or("a", letter);
    let number = |number: Option<u32>| number.map_or("*".into(), |number| number.to_string());
    let (major, minor) = (number(rule.major), number(rule.minor));
    let access = [(rule.read, 'r'), (rule.write, 'w'), (rule.mknod, 'm')];
    let access: String = access.iter().filter(|entry| entry.0).map(|entry| entry.1).collect();
    format!("{verb} {kind} {major}:{minor} {access}")
}

fn letter(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Character => "c",
        DeviceKind::Block => "b",
        DeviceKind::Fifo => "p",
    }
}

fn clocks(plan: &Plan) -> Vec<String> {
    let mut lines = vec!["unshare(CLONE_NEWTIME)".to_owned()];
    let line = |(clock, seconds, fraction): &(&str, i64, u32)| {
        format!("/proc/self/timens_offsets = {clock} {seconds} {fraction}")
    };
    lines.extend(plan.namespaces.clock_offsets.iter().map(line));
    lines
}

fn maps(ids: &IdMaps, writer: MapWriter) -> Vec<String> {
    let how = match writer {
        MapWriter::Privileged => "written by jec",
        MapWriter::SingleId => "written by jec after setgroups = deny",
        MapWriter::Helpers => "written by newuidmap and newgidmap",
    };
    let line = |name, ranges: &[IdRange]| {
        let one = |range: &IdRange| format!("{} {} {}", range.container, range.host, range.size);
        format!("{name} = {}", ranges.iter().map(one).collect::<Vec<_>>().join(", "))
    };
    vec![line("uid_map", &ids.uids), line("gid_map", &ids.gids), how.into()]
}

fn rlimits(plan: &Plan) -> Vec<String> {
    let word = |limit: u64| if limit == u64::MAX { "unlimited".into() } else { limit.to_string() };
    let limits = plan.process.rlimits.iter();
    let mut lines: Vec<_> = limits
        .map(|limit| format!("prlimit({}, {}, {})", limit.name, word(limit.soft), word(limit.hard)))
        .collect();
    lines.extend(plan.process.oom_score_adj.map(|score| format!("oom_score_adj = {score}")));
    lines
}

fn mount(entry: &Mount) -> String {
    let what = match &entry.kind {
        MountKind::Bind { source, recursive } => {
            format!("{} {source:?}", if *recursive { "rbind" } else { "bind" })
        }
        MountKind::New { fstype, source, parameters } => {
            let words = parameters.iter().map(|(key, value)| match value {
                Some(value) => format!(" {}={}", key.to_string_lossy(), value.to_string_lossy()),
                None => format!(" {}", key.to_string_lossy()),
            });
            format!("{} from {source:?}{}", fstype.to_string_lossy(), words.collect::<String>())
        }
        MountKind::Cgroup => "cgroup2, from the container's own cgroup down".into(),
        MountKind::Remount => "remount".into(),
    };
    let idmap = if entry.idmap.is_some() { ", id-mapped" } else { "" };
    let set = entry.attributes.set | entry.attributes.set_recursive;
    format!("{}: {what}, {}{idmap}", entry.destination.to_string_lossy(), attributes(set))
}

fn devices(plan: &Plan) -> Vec<String> {
    let how = if plan.namespaces.has_user() { "bind from the host" } else { "mknod" };
    let one = |device: &Device| {
        let (path, kind) = (device.path.to_string_lossy(), letter(device.kind));
        format!("{path} {kind} {}:{} {:03o}", device.major, device.minor, device.mode)
    };
    let nodes: Vec<_> = plan.devices.iter().map(one).collect();
    vec![format!("{how}: {}", nodes.join(", ")), "symlink: fd, stdin, stdout, stderr, ptmx".into()]
}

fn programs(lists: &[&Vec<Hook>]) -> Vec<String> {
    let line = |hook: &Hook| format!("{}: {:?}", hook.property, hook.args);
    lists.iter().flat_map(|list| list.iter()).map(line).collect()
}

fn kernel(plan: &Plan) -> Vec<String> {
    let names =
        [("sethostname", &plan.kernel.hostname), ("setdomainname", &plan.kernel.domainname)];
    let names =
        names.into_iter().filter_map(|(call, name)| Some(format!("{call}({:?})", name.as_ref()?)));
    let sysctls = plan.kernel.sysctl.iter();
    let sysctls =
        sysctls.map(|(path, value)| format!("/proc/sys/{} = {value}", path.to_string_lossy()));
    names.chain(sysctls).collect()
}

fn masks(plan: &Plan) -> Vec<String> {
    let list = |label: &str, paths: &[CString]| {
        let names: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
        (!names.is_empty()).then(|| format!("{label}: {}", names.join(" ")))
    };
    let lists = [list("read-only", &plan.readonly_paths), list("masked", &plan.masked_paths)];
    let root = plan.root.readonly.then(|| "the root: mount_setattr(RDONLY)".into());
    lists.into_iter().flatten().chain(root).collect()
}

fn scheduling(plan: &Plan) -> Vec<String> {
    let process = &plan.process;
    let lines = [
        process.scheduler.map(|scheduler| format!("sched_setattr: {scheduler:?}")),
        process.io_priority.map(|priority| format!("ioprio_set({priority:#x})")),
        process.memory_policy.as_ref().map(|policy| format!("set_mempolicy: {policy:?}")),
        process.personality.map(|personality| format!("personality({personality:#x})")),
    ];
    lines.into_iter().flatten().collect()
}

fn labels(plan: &Plan) -> Vec<String> {
    let Process { apparmor_profile, selinux_label, .. } = &plan.process;
    let labels = [("AppArmor", apparmor_profile), ("SELinux", selinux_label)];
    let line = |(kind, label): (_, &Option<_>)| Some(format!("{kind}: {}", label.as_ref()?));
    labels.into_iter().filter_map(line).collect()
}

fn identity(plan: &Plan) -> Vec<String> {
    let (user, cwd) = (&plan.process.user, &plan.process.cwd);
    vec![
        format!("fchdir({cwd:?})"),
        format!("setgroups({:?}), setresgid({}), setresuid({})", user.groups, user.gid, user.uid),
        format!("umask({:03o})", user.umask),
    ]
}

/// Sets with the same content share a line.
fn sets(plan: &Plan) -> Vec<String> {
    let sets = &plan.process.capabilities;
    let others = [
        ("permitted", sets.permitted),
        ("effective", sets.effective),
        ("inheritable", sets.inheritable),
        ("ambient", sets.ambient),
    ];
    let line = |alike: &[(&str, u64)]| {
        let names: Vec<_> = alike.iter().map(|set| set.0).collect();
        format!("{}: {}", names.join(", "), names_of(alike[0].1))
    };
    others.chunk_by(|a, b| a.1 == b.1).map(line).collect()
}
