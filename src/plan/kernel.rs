//! Host name, domain name and sysctls: what the container may tell the kernel.
//!
//! /proc/sys is one tree for all: only some of it belongs to a namespace, and
//! the rest is the host's. A value of the host's, such as kernel.core_pattern,
//! is a command that the host runs as root (CVE-2022-0811). So a name is first
//! brought into one form and then has to stand in a table.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;

use nix::sched::CloneFlags;
use oci_spec::runtime::Spec;

use super::{KernelParams, Namespaces, namespaces, strings};
use crate::error::{Error, Result};

/// sethostname(2): __NEW_UTS_LEN of <linux/utsname.h>.
const NAME_LIMIT: usize = 64;

/// What belongs to a namespace: a name, or all below it where it ends in a slash.
const NAMESPACED: &[(&str, CloneFlags)] = &[
    ("net/", CloneFlags::CLONE_NEWNET),
    ("fs/mqueue/", CloneFlags::CLONE_NEWIPC),
    // ipc/ipc_sysctl.c
    ("kernel/auto_msgmni", CloneFlags::CLONE_NEWIPC),
    ("kernel/msg_next_id", CloneFlags::CLONE_NEWIPC),
    ("kernel/msgmax", CloneFlags::CLONE_NEWIPC),
    ("kernel/msgmnb", CloneFlags::CLONE_NEWIPC),
    ("kernel/msgmni", CloneFlags::CLONE_NEWIPC),
    ("kernel/sem", CloneFlags::CLONE_NEWIPC),
    ("kernel/sem_next_id", CloneFlags::CLONE_NEWIPC),
    ("kernel/shm_next_id", CloneFlags::CLONE_NEWIPC),
    ("kernel/shm_rmid_forced", CloneFlags::CLONE_NEWIPC),
    ("kernel/shmall", CloneFlags::CLONE_NEWIPC),
    ("kernel/shmmax", CloneFlags::CLONE_NEWIPC),
    ("kernel/shmmni", CloneFlags::CLONE_NEWIPC),
    // kernel/utsname_sysctl.c
    ("kernel/domainname", CloneFlags::CLONE_NEWUTS),
    ("kernel/hostname", CloneFlags::CLONE_NEWUTS),
];

/// Reads all three.
pub(super) fn parameters(spec: &Spec, namespaces: &Namespaces) -> Result<KernelParams> {
    let linux = spec.linux().as_ref();
    let given = linux.and_then(|linux| linux.sysctl().as_ref());
    let parameters = KernelParams {
        hostname: name("hostname", spec.hostname().as_ref(), namespaces)?,
        domainname: name("domainname", spec.domainname().as_ref(), namespaces)?,
        sysctl: sysctls(given, namespaces)?,
    };
    let names = [
        ("hostname", &parameters.hostname, c"kernel/hostname"),
        ("domainname", &parameters.domainname, c"kernel/domainname"),
    ];
    for (property, name, path) in names {
        if name.is_some() && parameters.sysctl.iter().any(|(found, _)| **found == *path) {
            return Err(Error::config(property, "is also set in linux.sysctl"));
        }
    }
    Ok(parameters)
}

/// An empty name is an absent one: engines write it so with the host's uts namespace.
fn name(property: &str, given: Option<&String>, found: &Namespaces) -> Result<Option<CString>> {
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.len() > NAME_LIMIT {
        let problem = format!("is longer than {NAME_LIMIT} bytes");
        return Err(Error::config(property, problem));
    }
    if !namespaces::is_own(found, CloneFlags::CLONE_NEWUTS)? {
        let problem = "needs a uts namespace of the container's own: it would rename the host";
        return Err(Error::config(property, problem));
    }
    Ok(Some(strings::c_string(property, text.as_str())?))
}

fn sysctls(
    given: Option<&HashMap<String, String>>,
    found: &Namespaces,
) -> Result<Vec<(CString, String)>> {
    let given: BTreeMap<_, _> = given.into_iter().flatten().collect();
    let mut sysctls: Vec<(CString, String)> = Vec::with_capacity(given.len());
    for (key, value) in given {
        let property = format!("linux.sysctl.{key}");
        let path = path(&property, key)?;
        let row = NAMESPACED.iter().find(|(name, _)| match name.strip_suffix('/') {
            Some(_) => path.starts_with(name),
            None => path == *name,
        });
        let Some((_, flag)) = row else {
            return Err(Error::config(property, "belongs to no namespace: it is the host's"));
        };
        if !namespaces::is_own(found, *flag)? {
            let problem = "its namespace is not the container's own: it would change the host";
            return Err(Error::config(property, problem));
        }
        strings::c_string(&property, value.as_str())?;
        let path = strings::c_string(&property, path)?;
        if sysctls.iter().any(|(known, _)| *known == path) {
            return Err(Error::config(
                property,
                "is given twice, once with dots, once with slashes",
            ));
        }
        sysctls.push((path, value.clone()));
    }
    Ok(sysctls)
}

/// The path below /proc/sys. sysctl(8): whichever of `.` and `/` comes first separates, and the
/// other one then stands for itself (`net.ipv4.conf.eth0/100.forwarding`).
fn path(property: &str, key: &str) -> Result<String> {
    let refused = |problem: &str| Err(Error::config(property, problem));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    if !key.bytes().all(plain) {
        return refused("has other characters than letters, digits, `_`, `-`, `.` and `/`");
    }
    let slashes = key.find(['.', '/']).is_some_and(|at| key.as_bytes()[at] == b'/');
    let swap = |byte: char| match byte {
        '.' if !slashes => '/',
        '/' if !slashes => '.',
        other => other,
    };
    let path: String = key.chars().map(swap).collect();
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refused("is not a name below /proc/sys");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_one_form_as_sysctl_8_says() {
        let cases = [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
            ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
            ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
            ("kernel.shm_rmid_forced", "kernel/shm_rmid_forced"),
        ];
        for (key, expected) in cases {
            assert_eq!(path("p", key).unwrap(), expected, "{key}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let bad = [
            "",
            ".",
            "/",
            "..",
            "net..core",
            "net/../kernel/core_pattern",
            "/etc/passwd",
            "net.//.kernel",
            "net./../kernel",
            "kernel.shm_rmid_forced=1+kernel.core_pattern",
            "net.a b",
            "net.a\0b",
            "net.ü",
            "net.",
            ".net",
        ];
        for key in bad {
            assert!(path("p", key).is_err(), "{key:?}");
        }
    }
}
