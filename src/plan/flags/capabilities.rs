//! `--cap-add` and `--cap-drop`: which capabilities the container has.

use std::str::FromStr;

use caps::Capability;
use oci_spec::runtime::{self, Capabilities, LinuxCapabilities};

use super::Machine;
use crate::cli::ContainerFlags;
use crate::error::{Error, Result};
use crate::plan::flags::defaults;

/// What `--cap-add` and `--cap-drop` name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapabilityName {
    /// `ALL`
    All,
    /// One of capabilities(7).
    One(Capability),
}

/// A name of capabilities(7), with CAP_ or without, in either case; or ALL.
pub fn name(text: &str) -> std::result::Result<CapabilityName, String> {
    let upper = text.to_ascii_uppercase();
    let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if short == "ALL" {
        return Ok(CapabilityName::All);
    }
    if let Ok(found) = Capability::from_str(&format!("CAP_{short}")) {
        return Ok(CapabilityName::One(found));
    }
    let mut names: Vec<String> = caps::all().into_iter().map(short_name).collect();
    names.sort_by_cached_key(|name| (distance(short, name), name.clone()));
    names.truncate(3);
    Err(format!("no capability has this name; the nearest are {}", names.join(", ")))
}

/// Without CAP_, as the flags take it.
fn short_name(capability: Capability) -> String {
    capability.to_string().trim_start_matches("CAP_").into()
}

/// How many letters have to be changed to come from one to the other (Levenshtein);
/// a name that contains what was typed is near.
fn distance(typed: &str, name: &str) -> usize {
    if !typed.is_empty() && name.contains(typed) {
        return 1;
    }
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (i, a) in typed.bytes().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in name.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[name.len()]
}

/// The capabilities of the container, in the order of their numbers.
pub(super) fn bounding(
    flags: &ContainerFlags,
    has_userns: bool,
    machine: &Machine,
) -> Result<Vec<Capability>> {
    let one = |all: &[CapabilityName], c| all.contains(&CapabilityName::One(c));
    let (add, drop) = (&flags.cap_add, &flags.cap_drop);
    let add_all = add.contains(&CapabilityName::All);
    let drop_all = drop.contains(&CapabilityName::All);
    if add_all && drop_all {
        return Err(Error::config("--cap-drop ALL", "--cap-add ALL asks for the opposite"));
    }
    let available = available(has_userns, machine);
    let has = |c: Capability| available & c.bitmask() != 0;
    let mut found = Vec::new();
    for capability in in_order() {
        let (added, dropped) = (one(add, capability), one(drop, capability));
        let flag = format!("--cap-add {}", short_name(capability));
        if added && dropped {
            let problem = format!("--cap-drop {} asks for the opposite", short_name(capability));
            return Err(Error::config(flag, problem));
        }
        if added && !has(capability) {
            let lacks = format!("{flag}: jec itself does not have it, so it cannot give it");
            return Err(Error::machine(
                lacks,
                "run jec where `grep CapBnd /proc/self/status` has it",
            ));
        }
        let default = !drop_all && defaults::CAPABILITIES.contains(&capability);
        if added || (!dropped && has(capability) && (add_all || default)) {
            found.push(capability);
        }
    }
    Ok(found)
}

/// All that the crate knows, by number.
fn in_order() -> Vec<Capability> {
    let mut all: Vec<Capability> = caps::all().into_iter().collect();
    all.sort_by_key(Capability::index);
    all
}

/// What a container here can have, as a mask: a new user namespace starts with
/// every capability of the kernel (user_namespaces(7)), else our bounding set is the limit.
pub fn available(has_userns: bool, machine: &Machine) -> u64 {
    if has_userns { u64::MAX >> (63 - machine.last_capability.min(63)) } else { machine.bounding }
}

/// process.capabilities. Root has them at once. Any other user has none, as in
/// docker, except those that `--cap-add` names: these are ambient, since
/// execve(2) would take them away otherwise and the flag would do nothing.
pub(super) fn sets(
    bounding: &[Capability],
    flags: &ContainerFlags,
    uid: u32,
) -> Result<LinuxCapabilities> {
    let asked = |c: &&Capability| {
        flags
            .cap_add
            .iter()
            .any(|name| [CapabilityName::All, CapabilityName::One(**c)].contains(name))
    };
    let all = specified(bounding.iter())?;
    let ambient = match uid {
        0 => Capabilities::new(),
        _ => specified(bounding.iter().filter(asked))?,
    };
    let held = if uid == 0 { all.clone() } else { ambient.clone() };
    let mut sets = LinuxCapabilities::default();
    sets.set_bounding(Some(all))
        .set_permitted(Some(held.clone()))
        .set_effective(Some(held))
        .set_inheritable(Some(ambient.clone()))
        .set_ambient(Some(ambient));
    Ok(sets)
}

/// The specification's type.
fn specified<'a>(from: impl Iterator<Item = &'a Capability>) -> Result<Capabilities> {
    from.map(|capability| {
        runtime::Capability::from_str(&short_name(*capability)).map_err(|_| {
            Error::config(capability.to_string(), "the specification has no such name")
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_with_or_without_prefix_in_either_case() {
        let chown = Ok(CapabilityName::One(Capability::CAP_CHOWN));
        for text in ["CHOWN", "chown", "CAP_CHOWN", "cap_chown", "Cap_Chown"] {
            assert_eq!(name(text), chown, "{text}");
        }
        assert_eq!(name("all"), Ok(CapabilityName::All));
        assert_eq!(name("CAP_ALL"), Ok(CapabilityName::All));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        for (text, near) in [
            ("SYSADMIN", "SYS_ADMIN"),
            ("CAP_NETRAW", "NET_RAW"),
            ("TRACE", "SYS_PTRACE"),
            ("chwon", "CHOWN"),
        ] {
            let error = name(text).unwrap_err();
            assert!(error.contains(near), "{text}: {error}");
        }
        assert!(name("").is_err());
        assert!(name(&"X".repeat(1 << 16)).is_err());
    }

    #[test]
    fn every_capability_of_the_kernel_has_a_name_in_the_specification() {
        assert_eq!(in_order().len(), 41);
        assert_eq!(specified(in_order().iter()).unwrap().len(), 41);
    }
}
