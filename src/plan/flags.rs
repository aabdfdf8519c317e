//! From the flags of `jec run` and `jec spec` to the spec they stand for.
//!
//! `jec run` has one path: the flags build a spec, a bundle is a spec, and
//! both become the same Plan. So nothing here is known to jec that config.json
//! could not say, and running what `jec spec` printed does the same.

pub mod capabilities;
pub mod default_profile;
pub mod defaults;
pub mod environment;
pub mod exec;
pub mod host_root;
pub mod ids;
pub mod image;
pub mod kernel;
mod machine;
pub mod mounts;
pub mod overlay;
pub mod quantity;
mod resources;
pub mod rlimits;
pub mod seccomp;
pub mod subids;
pub mod target;
#[cfg(test)]
mod tests;
pub mod user;

use std::collections::HashMap;
use std::path::Path;

use caps::Capability;
use oci_spec::runtime::{Linux, Mount, Process, Root, Spec, User};

pub use image::Image;
pub use machine::{Machine, environment, working_directory};
pub use target::Target;

use super::IdMaps;
use crate::cli::ContainerFlags;
use crate::error::{Error, Result, ensure};
use user::{Accounts, Identity};

/// The version of the specification that brought the last of the words used here
/// (time namespaces); a higher number would lock out runtimes that understand it all.
const VERSION: &str = "1.1.0";

/// Where `--init` shows jec's own program: in /dev, which is a tmpfs of ours on every root.
const INIT: &str = "/dev/init";

/// The spec that the flags stand for. `target` is what [`Target::find`] found.
pub fn spec(flags: &ContainerFlags, target: &Target, machine: &Machine) -> Result<Spec> {
    let root = root(flags, target)?;
    let maps = ids::maps(flags, machine)?;
    let bounding = capabilities::bounding(flags, maps.is_some(), machine)?;
    device_makers(&bounding, maps.is_some(), machine)?;
    let (accounts, user) = match target {
        Target::Host => (Accounts::read(Path::new("/"))?, None),
        Target::Image(image) => {
            image.refuse_other_ids(maps.as_ref())?;
            (image.accounts()?, image.user()?)
        }
        _ => (Accounts::read(root.path())?, None),
    };
    let identity = accounts.find(flags.user.as_ref().or(user.as_ref()))?;
    let id = flags.name.as_ref().unwrap_or(&machine.id);
    let short = &id[..id.len().min(target::LONGEST_HOST_NAME)];
    let mut annotations = target.image().map_or_else(HashMap::new, Image::annotations);
    overlay::annotate(&mut annotations, flags, target, maps.as_ref(), machine)?;
    let mut spec = Spec::default();
    spec.set_version(VERSION.into())
        .set_root(Some(root))
        .set_mounts(Some(mount_list(flags, target, maps.as_ref(), machine)?))
        .set_process(Some(process(flags, target, &identity, maps.as_ref(), &bounding, machine)?))
        .set_hostname(Some(flags.hostname.as_deref().unwrap_or(short).into()))
        .set_domainname(flags.domainname.clone())
        .set_annotations(Some(annotations).filter(|all| !all.is_empty()))
        .set_linux(Some(linux(flags, maps.as_ref(), &bounding, machine)?));
    Ok(spec)
}

/// The spec as config.json: the same text for the same spec, although the maps
/// and sets inside have no order.
pub fn json(spec: &Spec) -> Result<String> {
    let broken = |error: serde_json::Error| Error::config("config.json", error.to_string());
    let mut value = serde_json::to_value(spec).map_err(broken)?;
    if let Some(sets) = value["process"]["capabilities"].as_object_mut() {
        for set in sets.values_mut().filter_map(serde_json::Value::as_array_mut) {
            set.sort_by_key(ToString::to_string);
        }
    }
    serde_json::to_string_pretty(&value).map(|text| text + "\n").map_err(broken)
}

/// Where oci-spec has a type that only its builder can fill.
fn incomplete(error: &oci_spec::OciSpecError) -> Error {
    Error::config("config.json", error.to_string())
}

fn root(flags: &ContainerFlags, target: &Target) -> Result<Root> {
    let path = match target {
        Target::Host => Path::new(host_root::PATH),
        Target::Directory(path) => path,
        Target::Image(image) => &image.root,
        Target::Bundle { id, directory } => {
            let problem =
                format!("a bundle: {}/config.json is its spec already", directory.display());
            return Err(Error::config(id, problem));
        }
    };
    let mut root = Root::default();
    root.set_path(path.into()).set_readonly(Some(flags.read_only));
    Ok(root)
}

/// A node made by MKNOD opens every disk, unless a device program or a user
/// namespace is in the way.
fn device_makers(bounding: &[Capability], own_users: bool, machine: &Machine) -> Result<()> {
    if !bounding.contains(&Capability::CAP_MKNOD) || own_users || machine.pure_cgroup2 {
        return Ok(());
    }
    Err(Error::machine(
        "--cap-add MKNOD: nothing keeps the container from this machine's disks, \
         since without a pure cgroup2 no device program can be attached",
        "add --userns auto, or boot with systemd.unified_cgroup_hierarchy=1",
    ))
}

fn mount_list(
    flags: &ContainerFlags,
    target: &Target,
    maps: Option<&IdMaps>,
    machine: &Machine,
) -> Result<Vec<Mount>> {
    let mut mounts = match target {
        Target::Host => host_root::mounts(&machine.host_paths, flags.net),
        Target::Image(image) => image.volumes()?,
        _ => vec![],
    };
    mounts.extend(defaults::mounts(flags.net, maps, machine));
    let asked: Vec<_> = flags.mount.iter().chain(&flags.volume).chain(&flags.tmpfs).collect();
    mounts::add(&mut mounts, &asked, &machine.directory)?;
    if flags.init {
        let binary = machine.binary.to_string_lossy();
        mounts.push(defaults::mount(INIT, "bind", &binary, &["bind", "ro", "nosuid", "nodev"]));
    }
    Ok(mounts)
}

fn process(
    flags: &ContainerFlags,
    target: &Target,
    identity: &Identity,
    maps: Option<&IdMaps>,
    bounding: &[Capability],
    machine: &Machine,
) -> Result<Process> {
    let terminal = !flags.plain && (flags.tty || machine.terminal);
    let image = target.image();
    let mut variables = image.map_or(Ok(vec![]), Image::environment)?;
    variables.extend_from_slice(&flags.env);
    let environment = environment::environment(&variables, &identity.home, terminal, machine)?;
    let directory = image.map_or(Ok(None), Image::directory)?;
    let directory = flags.workdir.clone().or(directory);
    let mut process = Process::default();
    process
        .set_terminal(Some(terminal))
        .set_user(user(identity, maps)?)
        .set_args(Some(arguments(flags, image)?))
        .set_env(Some(environment))
        .set_cwd(directory.as_deref().unwrap_or("/").into())
        .set_capabilities(Some(capabilities::sets(bounding, flags, identity.uid)?))
        .set_rlimits(rlimits::rlimits(&flags.ulimit)?)
        .set_no_new_privileges(Some(flags.no_new_privs))
        .set_oom_score_adj(flags.oom_score_adj);
    Ok(process)
}

fn arguments(flags: &ContainerFlags, image: Option<&Image>) -> Result<Vec<String>> {
    let problem = "only an image has one; write the command behind TARGET";
    let is_refused = image.is_none() && flags.entrypoint.is_some();
    ensure(!is_refused, || Error::config("--entrypoint", problem))?;
    let mut words: Vec<String> = Vec::new();
    if flags.init {
        words.extend([INIT, "init", "--"].map(Into::into));
    }
    let (given, entrypoint) = (&flags.command, flags.entrypoint.as_deref());
    match &image.map_or_else(|| given.clone(), |image| image.command(given, entrypoint))[..] {
        [] => words.push("/bin/sh".into()),
        command => words.extend_from_slice(command),
    }
    Ok(words)
}

/// process.user, refused where the user namespace has no such ids.
fn user(identity: &Identity, maps: Option<&IdMaps>) -> Result<User> {
    let mut user = User::default();
    user.set_uid(identity.uid).set_gid(identity.gid);
    let Some(maps) = maps else {
        user.set_additional_gids(Some(identity.groups.clone()));
        return Ok(user);
    };
    let unmapped = |what: &str, id: u32| {
        let problem = format!(
            "{what} {id} does not exist in the container's user namespace; \
             more ids come from /etc/subuid and /etc/subgid, or --uidmap"
        );
        Err(Error::config("--user", problem))
    };
    if !maps.has_uid(identity.uid) {
        return unmapped("user", identity.uid);
    }
    if let Some(group) = identity.groups.iter().find(|group| !maps.has_gid(**group)) {
        return unmapped("group", *group);
    }
    // In a namespace with a single group setgroups(2) is denied to ordinary users
    // (user_namespaces(7)); the list stays empty, which is all it could hold.
    if maps.gids.iter().any(|line| line.size > 1) || maps.gids.len() > 1 {
        user.set_additional_gids(Some(identity.groups.clone()));
    }
    Ok(user)
}

fn linux(
    flags: &ContainerFlags,
    maps: Option<&IdMaps>,
    bounding: &[Capability],
    machine: &Machine,
) -> Result<Linux> {
    let offsets = kernel::time_offsets(&flags.time_offset);
    let namespaces = defaults::namespaces(flags.net, maps.is_some(), offsets.is_some());
    let readonly = defaults::READONLY.iter().map(ToString::to_string).collect();
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces))
        .set_uid_mappings(maps.map(|maps| ids::specified(&maps.uids)).transpose()?)
        .set_gid_mappings(maps.map(|maps| ids::specified(&maps.gids)).transpose()?)
        .set_time_offsets(offsets)
        .set_sysctl(kernel::sysctls(&flags.sysctl)?)
        .set_resources(Some(resources::resources(flags, machine)?))
        .set_seccomp(seccomp::seccomp(&flags.seccomp, bounding)?)
        .set_masked_paths(Some(defaults::masked_paths(machine)))
        .set_readonly_paths(Some(readonly));
    Ok(linux)
}
