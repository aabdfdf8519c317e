//! The mount list.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount as Given;

use super::mount_options::{Options, PARAMETER_LIMIT};
use super::mount_words::{Effect, find};
use super::{IdMap, IdMaps, Mount, MountKind, Namespaces, id_maps, strings};
use crate::error::{Error, Result};
use crate::sys::constants::MOUNT_ATTR_RDONLY;

/// What the configuration says around the mount list.
pub(super) struct Surroundings<'plan> {
    /// Relative sources start here.
    pub(super) bundle: &'plan Path,
    /// Whether there is a user namespace whose maps `idmap` can use.
    pub(super) namespaces: &'plan Namespaces,
}

/// Reads the list, in order.
pub(super) fn mounts(
    given: Option<&Vec<Given>>,
    around: &Surroundings,
    warnings: &mut Vec<String>,
) -> Result<Vec<Mount>> {
    let given = given.into_iter().flatten().enumerate();
    given.map(|(at, mount)| read(&format!("mounts[{at}]"), mount, around, warnings)).collect()
}

fn read(
    property: &str,
    given: &Given,
    around: &Surroundings,
    warnings: &mut Vec<String>,
) -> Result<Mount> {
    let mut options = Options::read(&format!("{property}.options"), given)?;
    let destination = destination(property, given.destination(), warnings)?;
    let kind = kind(property, given, &mut options, around.bundle)?;
    let idmap = idmap(property, given, &kind, &options, around.namespaces, warnings)?;
    if options.copy_up && !matches!(&kind, MountKind::New { fstype, .. } if **fstype == *c"tmpfs") {
        let problem = "tmpcopyup: only a new tmpfs can be filled";
        return Err(Error::config(format!("{property}.options"), problem));
    }
    for word in &options.unheard {
        warnings.push(format!("{property}.options: {word} has no effect here"));
    }
    Ok(Mount {
        destination,
        kind,
        attributes: options.attributes,
        propagation: options.propagation,
        copy_up: options.copy_up,
        nofollow_source: options.nofollow_source,
        idmap,
    })
}

/// Relative destinations are deprecated, but the specification says what they mean.
fn destination(property: &str, path: &Path, warnings: &mut Vec<String>) -> Result<CString> {
    let property = format!("{property}.destination");
    if path.as_os_str().is_empty() {
        return Err(Error::config(property, "is empty"));
    }
    if path.is_relative() {
        warnings.push(format!("{property}: {} is taken from /", path.display()));
    }
    // In one spelling: `//` and `/.` are the root as well.
    strings::c_path(&property, &Path::new("/").join(path).components().collect::<PathBuf>())
}

/// What is mounted. `bind` among the options makes the type a dummy, says the specification.
fn kind(property: &str, given: &Given, options: &mut Options, bundle: &Path) -> Result<MountKind> {
    let fstype = given.typ().as_deref().unwrap_or_default();
    let is_bind = options.bind.is_some() || fstype == "bind";
    let is_cgroup = matches!(fstype, "cgroup" | "cgroup2");
    if !is_bind && !is_cgroup && !options.remount {
        options.unheard.retain(|word| find(word) == Some(Effect::OldFlag));
        return new(property, given, fstype, options);
    }
    if let Some(word) = &options.parameter {
        let problem = format!("{word:?} is no mount option, and only a new file system has others");
        return Err(Error::config(format!("{property}.options"), problem));
    }
    match given.source() {
        _ if options.remount => Ok(MountKind::Remount),
        _ if !is_bind => Ok(MountKind::Cgroup),
        Some(source) if !source.as_os_str().is_empty() => Ok(MountKind::Bind {
            source: strings::c_path(&format!("{property}.source"), &bundle.join(source))?,
            recursive: options.bind.unwrap_or(false),
        }),
        _ => Err(Error::config(format!("{property}.source"), "a bind mount needs one")),
    }
}

fn new(property: &str, given: &Given, fstype: &str, options: &mut Options) -> Result<MountKind> {
    if fstype.is_empty() {
        let problem = "is missing; a bind mount has `bind` or `rbind` among its options";
        return Err(Error::config(format!("{property}.type"), problem));
    }
    let source = given.source().clone().unwrap_or_else(|| PathBuf::from(fstype));
    let mut parameters = std::mem::take(&mut options.parameters);
    // `ro` is an attribute of this mount. A block device is to stay untouched as well: its
    // superblock would replay a journal. proc, sysfs and cgroup2 share theirs with others, who
    // may want to write.
    if source.is_absolute() && options.attributes.set & MOUNT_ATTR_RDONLY != 0 {
        parameters.push((c"ro".into(), None));
    }
    let source = strings::c_path(&format!("{property}.source"), &source)?;
    if source.count_bytes() > PARAMETER_LIMIT {
        let problem = format!("fsconfig(2) takes at most {PARAMETER_LIMIT} bytes");
        return Err(Error::config(format!("{property}.source"), problem));
    }
    Ok(MountKind::New {
        fstype: strings::c_string(&format!("{property}.type"), fstype)?,
        source,
        parameters,
    })
}

fn idmap(
    property: &str,
    given: &Given,
    kind: &MountKind,
    options: &Options,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Option<IdMap>> {
    let ranges = |name: &str, given| id_maps::ranges(&format!("{property}.{name}"), given);
    let maps = IdMaps {
        uids: ranges("uidMappings", given.uid_mappings().as_ref())?,
        gids: ranges("gidMappings", given.gid_mappings().as_ref())?,
    };
    let has_maps = !maps.uids.is_empty();
    let refused = |name: &str, problem| Err(Error::config(format!("{property}.{name}"), problem));
    if has_maps == maps.gids.is_empty() {
        return refused("uidMappings", "must be given along with gidMappings, or neither of them");
    }
    if options.idmap.is_none() && !has_maps {
        return Ok(None);
    }
    if !matches!(kind, MountKind::Bind { .. }) {
        return refused("options", "idmap: jec shifts the ids of bind mounts only");
    }
    if !has_maps && !namespaces.has_user() {
        return refused(
            "options",
            "idmap: neither uidMappings nor a user namespace to take them from",
        );
    }
    if options.idmap.is_none() {
        warnings.push(format!("{property}.options: the mappings should come with idmap or ridmap"));
    }
    Ok(Some(IdMap { maps, recursive: options.idmap.unwrap_or(false) }))
}
