//! Host name, domain name and sysctls: what the container may tell the kernel.
//!
//! /proc/sys is one tree for all: only some of it belongs to a namespace, and
//! the rest is the host's. A value of the host's, such as kernel.core_pattern,
//! is a command that the host runs as root (CVE-2022-0811). So a name is first
//! brought into one form and then has to be one that a namespace has.

use std::collections::HashSet;
use std::ffi::CString;

use oci_spec::runtime::LinuxNamespaceType as Kind;

use super::namespaces::is_own;
use super::property::Property;
use crate::error::Result;
use crate::plan::{KernelParams, Namespaces};

/// sethostname(2): __NEW_UTS_LEN of <linux/utsname.h>.
const NAME_LIMIT: usize = 64;

/// Reads all three.
pub(super) fn parameters(config: &Property, namespaces: &Namespaces) -> Result<KernelParams> {
    let uts_name = |name| config.optional(name, |given| uts_name(given, namespaces));
    let parameters = KernelParams {
        hostname: uts_name("hostname")?.flatten(),
        domainname: uts_name("domainname")?.flatten(),
        sysctl: sysctls(config, namespaces)?,
    };
    let names = [
        ("hostname", &parameters.hostname, c"kernel/hostname"),
        ("domainname", &parameters.domainname, c"kernel/domainname"),
    ];
    for (name, given, path) in names {
        let is_sysctl = parameters.sysctl.iter().any(|(found, _)| **found == *path);
        let is_clear = given.is_none() || !is_sysctl;
        config.at(name)?.ensure(is_clear, "is also set in linux.sysctl")?;
    }
    Ok(parameters)
}

/// An empty name is an absent one: engines write it so with the host's uts namespace.
fn uts_name(given: &Property, namespaces: &Namespaces) -> Result<Option<CString>> {
    let name = given.c_string()?;
    if name.is_empty() {
        return Ok(None);
    }
    let fits = name.count_bytes() <= NAME_LIMIT;
    given.ensure(fits, format!("is longer than {NAME_LIMIT} bytes"))?;
    let problem = "needs a uts namespace of the container's own: it would rename the host";
    given.ensure(is_own(given, namespaces, Kind::Uts)?, problem)?;
    Ok(Some(name))
}

fn sysctls(config: &Property, namespaces: &Namespaces) -> Result<Vec<(CString, String)>> {
    let mut seen = HashSet::new();
    config.each_entry("linux.sysctl", |key, given| {
        let path = path(key).map_err(|problem| given.wrong(problem))?;
        let kind = namespaced(&path);
        let kind = kind.ok_or_else(|| given.wrong("belongs to no namespace: it is the host's"))?;
        let problem = "its namespace is not the container's own: it would change the host";
        given.ensure(is_own(given, namespaces, kind)?, problem)?;
        let twice = "is given twice, once with dots, once with slashes";
        given.ensure(seen.insert(path.clone()), twice)?;
        given.c_string()?;
        Ok((given.to_c_string(path)?, given.read()?))
    })
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
fn path(key: &str) -> Result<String, &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    if !key.bytes().all(plain) {
        return Err("has other characters than letters, digits, `_`, `-`, `.` and `/`");
    }
    let slashes = key.find(['.', '/']).is_some_and(|at| key.as_bytes()[at] == b'/');
    let swap = |byte: char| match byte {
        '.' if !slashes => '/',
        '/' if !slashes => '.',
        other => other,
    };
    let path: String = key.chars().map(swap).collect();
    let leads_away = path.split('/').any(|part| matches!(part, "" | "." | ".."));
    if leads_away { Err("is not a name below /proc/sys") } else { Ok(path) }
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
