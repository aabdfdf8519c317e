//! Host name, domain name and sysctls: what the container may tell the kernel.
//!
//! /proc/sys is one tree for all: only some of it belongs to a namespace, and
//! the rest is the host's. A value of the host's, such as kernel.core_pattern,
//! is a command that the host runs as root (CVE-2022-0811). So a name is first
//! brought into one form and then has to be one that a namespace has.

use std::collections::HashSet;
use std::ffi::CString;

use oci_spec::runtime::{Linux, LinuxNamespaceType as Kind, Spec};

use super::property::{c_string, each_entry, ensure, inside};
use super::{KernelParams, Namespaces, namespaces};
use crate::error::{Error, Result};

/// sethostname(2): __NEW_UTS_LEN of <linux/utsname.h>.
const NAME_LIMIT: usize = 64;

/// Reads all three.
pub(super) fn parameters(
    spec: &Spec,
    linux: &Linux,
    namespaces: &Namespaces,
) -> Result<KernelParams> {
    let host = uts_name(spec.hostname().as_ref(), namespaces).map_err(inside("hostname"))?;
    let domain = uts_name(spec.domainname().as_ref(), namespaces).map_err(inside("domainname"))?;
    let sysctl = sysctls(linux, namespaces)?;
    for (name, given) in [("hostname", &host), ("domainname", &domain)] {
        let path = format!("kernel/{name}");
        let is_sysctl = sysctl.iter().any(|(found, _)| found.as_bytes() == path.as_bytes());
        ensure(given.is_none() || !is_sysctl, name, "is also set in linux.sysctl")?;
    }
    Ok(KernelParams { hostname: host, domainname: domain, sysctl })
}

/// An empty name is an absent one: engines write it so with the host's uts namespace.
fn uts_name(given: Option<&String>, found: &Namespaces) -> Result<Option<CString>> {
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    ensure(text.len() <= NAME_LIMIT, "", format!("is longer than {NAME_LIMIT} bytes"))?;
    let problem = "needs a uts namespace of the container's own: it would rename the host";
    ensure(namespaces::is_own(found, Kind::Uts)?, "", problem)?;
    c_string(text).map(Some)
}

fn sysctls(linux: &Linux, found: &Namespaces) -> Result<Vec<(CString, String)>> {
    let mut seen = HashSet::new();
    each_entry("linux.sysctl", linux.sysctl(), |key, value| {
        let path = sysctl(key, found)?;
        let twice = "is given twice, once with dots, once with slashes";
        ensure(seen.insert(path.clone()), "", twice)?;
        c_string(value)?;
        Ok((path, value.clone()))
    })
}

/// The path of a sysctl that the container may set.
fn sysctl(key: &str, found: &Namespaces) -> Result<CString> {
    let path = path(key)?;
    let Some(kind) = namespaced(&path) else {
        return Err(Error::config("", "belongs to no namespace: it is the host's"));
    };
    let problem = "its namespace is not the container's own: it would change the host";
    ensure(namespaces::is_own(found, kind)?, "", problem)?;
    c_string(path)
}

/// The kind of namespace that has a value of its own for this path.
fn namespaced(path: &str) -> Option<Kind> {
    let (first, rest) = path.split_once('/')?;
    match (first, rest) {
        ("net", _) => Some(Kind::Network),
        ("fs", _) if rest.starts_with("mqueue/") => Some(Kind::Ipc),
        // ipc/ipc_sysctl.c
        (
            "kernel",
            "auto_msgmni" | "msg_next_id" | "msgmax" | "msgmnb" | "msgmni" | "sem" | "sem_next_id"
            | "shm_next_id" | "shm_rmid_forced" | "shmall" | "shmmax" | "shmmni",
        ) => Some(Kind::Ipc),
        // kernel/utsname_sysctl.c
        ("kernel", "domainname" | "hostname") => Some(Kind::Uts),
        _ => None,
    }
}

/// The path below /proc/sys. sysctl(8): whichever of `.` and `/` comes first separates, and the
/// other one then stands for itself (`net.ipv4.conf.eth0/100.forwarding`).
fn path(key: &str) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let others = "has other characters than letters, digits, `_`, `-`, `.` and `/`";
    ensure(key.bytes().all(plain), "", others)?;
    let slashes = key.find(['.', '/']).is_some_and(|at| key.as_bytes()[at] == b'/');
    let swap = |byte: char| match byte {
        '.' if !slashes => '/',
        '/' if !slashes => '.',
        other => other,
    };
    let path: String = key.chars().map(swap).collect();
    let leads_away = path.split('/').any(|part| matches!(part, "" | "." | ".."));
    ensure(!leads_away, "", "is not a name below /proc/sys")?;
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
            assert_eq!(path(key).unwrap(), expected, "{key}");
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
            assert!(path(key).is_err(), "{key:?}");
        }
    }
}
