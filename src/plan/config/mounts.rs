//! The mount list.

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

use super::mount_options::{Effect, Options, PARAMETER_LIMIT, find};
use super::namespaces;
use super::property::Property;
use crate::error::Result;
use crate::plan::{IdMap, Mount, MountKind, Namespaces};
use crate::sys::constants::MOUNT_ATTR_RDONLY;

/// Reads an entry of the list. A relative source starts at `bundle`; `namespaces` tell whether
/// there is a user namespace whose maps `idmap` can use.
pub(super) fn mount(
    given: &Property,
    bundle: &Path,
    namespaces: &Namespaces,
    warnings: &mut Vec<String>,
) -> Result<Mount> {
    let list = given.at("options")?;
    let mut words = given.each("options", Property::read::<String>)?;
    // An empty word says nothing, as for mount(2).
    words.retain(|word| !word.is_empty());
    let options = Options::read(&list, &words)?;
    let kind = kind(given, &options, &words, bundle)?;
    let is_tmpfs = matches!(&kind, MountKind::New { fstype, .. } if **fstype == *c"tmpfs");
    let problem = "tmpcopyup: only a new tmpfs can be filled";
    list.ensure(is_tmpfs || !options.copy_up, problem)?;
    let is_new = matches!(kind, MountKind::New { .. });
    let unheard = words.iter().filter(|word| match find(word) {
        Some((Effect::OldFlag, _)) => true,
        Some((Effect::Superblock, _)) => !is_new,
        _ => false,
    });
    warnings.extend(unheard.map(|word| list.warning(format!("{word} has no effect here"))));
    let idmap = idmap(given, &kind, options.idmap, namespaces)?;
    if idmap.is_some() && options.idmap.is_none() {
        warnings.push(list.warning("the mappings should come with idmap or ridmap"));
    }
    Ok(Mount {
        destination: destination(&given.at("destination")?, warnings)?,
        kind,
        attributes: options.attributes,
        propagation: options.propagation,
        copy_up: options.copy_up,
        nofollow_source: options.nofollow_source,
        idmap,
    })
}

/// Relative destinations are deprecated, but the specification says what they mean.
fn destination(given: &Property, warnings: &mut Vec<String>) -> Result<CString> {
    let path: PathBuf = given.read()?;
    given.ensure(!path.as_os_str().is_empty(), "is empty")?;
    if path.is_relative() {
        warnings.push(given.warning(format!("{} is taken from /", path.display())));
    }
    // In one spelling: `//` and `/.` are the root as well.
    given.to_c_string(Path::new("/").join(path).components().collect::<PathBuf>())
}

/// What is mounted. `bind` among the options makes the type a dummy, says the specification.
fn kind(given: &Property, options: &Options, words: &[String], bundle: &Path) -> Result<MountKind> {
    let fstype: String = given.get("type")?.unwrap_or_default();
    let is_bind = options.bind.is_some() || fstype == "bind";
    let is_cgroup = matches!(&*fstype, "cgroup" | "cgroup2");
    if !is_bind && !is_cgroup && !options.remount {
        return new(given, options, &fstype);
    }
    if let Some(word) = words.iter().find(|word| find(word).is_none()) {
        let problem = format!("{word:?} is no mount option, and only a new file system has others");
        return Err(given.at("options")?.wrong(problem));
    }
    if options.remount || !is_bind {
        return Ok(if options.remount { MountKind::Remount } else { MountKind::Cgroup });
    }
    let source = given.at("source")?;
    let path = given.get::<PathBuf>("source")?.unwrap_or_default();
    source.ensure(!path.as_os_str().is_empty(), "a bind mount needs one")?;
    let recursive = options.bind.unwrap_or(false);
    Ok(MountKind::Bind { source: source.to_c_string(bundle.join(path))?, recursive })
}

fn new(given: &Property, options: &Options, fstype: &str) -> Result<MountKind> {
    let (typ, source) = (given.at("type")?, given.at("source")?);
    let problem = "is missing; a bind mount has `bind` or `rbind` among its options";
    typ.ensure(!fstype.is_empty(), problem)?;
    let path: String = given.get("source")?.unwrap_or_else(|| fstype.into());
    let fits = path.len() <= PARAMETER_LIMIT;
    source.ensure(fits, format!("fsconfig(2) takes at most {PARAMETER_LIMIT} bytes"))?;
    let mut parameters = options.parameters.clone();
    // `ro` is an attribute of this mount. A block device is to stay untouched as well: its
    // superblock would replay a journal. proc, sysfs and cgroup2 share theirs with others, who
    // may want to write.
    if path.starts_with('/') && options.attributes.set & MOUNT_ATTR_RDONLY != 0 {
        parameters.push((c"ro".into(), None));
    }
    let (fstype, source) = (typ.to_c_string(fstype)?, source.to_c_string(path)?);
    Ok(MountKind::New { fstype, source, parameters })
}

/// File systems that take the SELinux label of their files from elsewhere: the policy, or the
/// tree that they are part of.
const OWN_LABELS: [&CStr; 3] = [c"proc", c"sysfs", c"mqueue"];

/// linux.mountLabel: each new file system gets it, as an option that SELinux knows.
pub(super) fn label(mounts: &mut [Mount], label: &CStr) {
    for mount in mounts {
        if let MountKind::New { fstype, parameters, .. } = &mut mount.kind
            && !OWN_LABELS.contains(&&**fstype)
        {
            parameters.push((c"context".into(), Some(label.into())));
        }
    }
}

fn idmap(
    given: &Property,
    kind: &MountKind,
    recursive: Option<bool>,
    namespaces: &Namespaces,
) -> Result<Option<IdMap>> {
    let maps = namespaces::maps(given)?;
    let has_maps = !maps.uids.is_empty();
    let problem = "must be given along with gidMappings, or neither of them";
    given.at("uidMappings")?.ensure(has_maps != maps.gids.is_empty(), problem)?;
    if recursive.is_none() && !has_maps {
        return Ok(None);
    }
    let options = given.at("options")?;
    let is_bind = matches!(kind, MountKind::Bind { .. });
    options.ensure(is_bind, "idmap: jec shifts the ids of bind mounts only")?;
    let problem = "idmap: neither uidMappings nor a user namespace to take them from";
    options.ensure(has_maps || namespaces.has_user(), problem)?;
    Ok(Some(IdMap { maps, recursive: recursive.unwrap_or(false) }))
}
