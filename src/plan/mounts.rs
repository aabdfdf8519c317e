//! The mount list.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount as Given;

use super::mount_options::{Effect, Options, PARAMETER_LIMIT, find};
use super::property::{c_string, each, ensure, inside};
use super::{IdMap, Mount, MountKind, Namespaces, id_maps};
use crate::error::{Error, Result};
use crate::sys::constants::MOUNT_ATTR_RDONLY;

/// Reads the list, in order. Relative sources start at `bundle`; `namespaces` tell whether there
/// is a user namespace whose maps `idmap` can use.
pub(super) fn mounts(
    given: Option<&Vec<Given>>,
    bundle: &Path,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Vec<Mount>> {
    let mounts = each("mounts", given, |entry| mount(entry, bundle, namespaces))?;
    for (at, (entry, mount)) in given.into_iter().flatten().zip(&mounts).enumerate() {
        warnings.extend(remarks(entry, mount).map(|remark| format!("mounts[{at}].{remark}")));
    }
    Ok(mounts)
}

/// The words of an entry. An empty one says nothing, as for mount(2).
fn words(given: &Given) -> impl Iterator<Item = &str> {
    given.options().iter().flatten().map(String::as_str).filter(|word| !word.is_empty())
}

fn mount(given: &Given, bundle: &Path, namespaces: &Namespaces) -> Result<Mount> {
    let options = Options::read(words(given)).map_err(inside("options"))?;
    let kind = kind(given, &options, bundle)?;
    let is_tmpfs = matches!(&kind, MountKind::New { fstype, .. } if **fstype == *c"tmpfs");
    let problem = "tmpcopyup: only a new tmpfs can be filled";
    ensure(is_tmpfs || !options.copy_up, "options", problem)?;
    Ok(Mount {
        destination: destination(given.destination()).map_err(inside("destination"))?,
        idmap: idmap(given, &kind, options.idmap, namespaces)?,
        kind,
        attributes: options.attributes,
        propagation: options.propagation,
        copy_up: options.copy_up,
        nofollow_source: options.nofollow_source,
    })
}

/// Relative destinations are deprecated, but the specification says what they mean.
fn destination(path: &Path) -> Result<CString> {
    ensure(!path.as_os_str().is_empty(), "", "is empty")?;
    // In one spelling: `//` and `/.` are the root as well.
    c_string(Path::new("/").join(path).components().collect::<PathBuf>())
}

/// What is mounted. `bind` among the options makes the type a dummy, says the specification.
fn kind(given: &Given, options: &Options, bundle: &Path) -> Result<MountKind> {
    let fstype = given.typ().as_deref().unwrap_or_default();
    let is_bind = options.bind.is_some() || fstype == "bind";
    let is_cgroup = matches!(fstype, "cgroup" | "cgroup2");
    if !is_bind && !is_cgroup && !options.remount {
        return new(given, options, fstype);
    }
    if let Some(word) = words(given).find(|word| find(word).is_none()) {
        let problem = format!("{word:?} is no mount option, and only a new file system has others");
        return Err(Error::config("options", problem));
    }
    match given.source() {
        _ if options.remount => Ok(MountKind::Remount),
        _ if !is_bind => Ok(MountKind::Cgroup),
        Some(source) if !source.as_os_str().is_empty() => Ok(MountKind::Bind {
            source: c_string(bundle.join(source)).map_err(inside("source"))?,
            recursive: options.bind.unwrap_or(false),
        }),
        _ => Err(Error::config("source", "a bind mount needs one")),
    }
}

fn new(given: &Given, options: &Options, fstype: &str) -> Result<MountKind> {
    let problem = "is missing; a bind mount has `bind` or `rbind` among its options";
    ensure(!fstype.is_empty(), "type", problem)?;
    let source = given.source().clone().unwrap_or_else(|| PathBuf::from(fstype));
    let problem = format!("fsconfig(2) takes at most {PARAMETER_LIMIT} bytes");
    ensure(source.as_os_str().len() <= PARAMETER_LIMIT, "source", problem)?;
    let mut parameters = options.parameters.clone();
    // `ro` is an attribute of this mount. A block device is to stay untouched as well: its
    // superblock would replay a journal. proc, sysfs and cgroup2 share theirs with others, who
    // may want to write.
    if source.is_absolute() && options.attributes.set & MOUNT_ATTR_RDONLY != 0 {
        parameters.push((c"ro".into(), None));
    }
    Ok(MountKind::New {
        fstype: c_string(fstype).map_err(inside("type"))?,
        source: c_string(source).map_err(inside("source"))?,
        parameters,
    })
}

fn idmap(
    given: &Given,
    kind: &MountKind,
    recursive: Option<bool>,
    namespaces: &Namespaces,
) -> Result<Option<IdMap>> {
    let maps = id_maps::maps(given.uid_mappings().as_ref(), given.gid_mappings().as_ref())?;
    let has_maps = !maps.uids.is_empty();
    let problem = "must be given along with gidMappings, or neither of them";
    ensure(has_maps != maps.gids.is_empty(), "uidMappings", problem)?;
    if recursive.is_none() && !has_maps {
        return Ok(None);
    }
    let is_bind = matches!(kind, MountKind::Bind { .. });
    ensure(is_bind, "options", "idmap: jec shifts the ids of bind mounts only")?;
    let problem = "idmap: neither uidMappings nor a user namespace to take them from";
    ensure(has_maps || namespaces.has_user(), "options", problem)?;
    Ok(Some(IdMap { maps, recursive: recursive.unwrap_or(false) }))
}

/// What was read otherwise than written, or cannot be done for this kind of mount.
fn remarks(given: &Given, mount: &Mount) -> impl Iterator<Item = String> {
    let path = given.destination();
    let relative =
        path.is_relative().then(|| format!("destination: {} is taken from /", path.display()));
    let is_new = matches!(mount.kind, MountKind::New { .. });
    let has_idmap_word = words(given).any(|word| matches!(find(word), Some((Effect::IdMap, _))));
    let no_word = (mount.idmap.is_some() && !has_idmap_word)
        .then(|| "options: the mappings should come with idmap or ridmap".to_owned());
    let unheard = words(given).filter(move |word| match find(word) {
        Some((Effect::OldFlag, _)) => true,
        Some((Effect::Superblock, _)) => !is_new,
        _ => false,
    });
    let unheard = unheard.map(|word| format!("options: {word} has no effect here"));
    relative.into_iter().chain(no_word).chain(unheard)
}
