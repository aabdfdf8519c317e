//! No TARGET: a root file system made from this machine's own directories.
//!
//! An empty tmpfs becomes the root, and on it the programs and libraries of
//! the host appear, read-only down to the last mount below them. Of /etc only
//! the files that programs look for are shown; passwords, keys and everything
//! else that belongs to the host stay out of the tree, so that it does not
//! matter which rights the container has. /home, /root, /var, /opt, /srv: new
//! and empty, or absent.

use oci_spec::runtime::Mount;

use super::defaults::mount;
use crate::cli::Net;

/// root.path: a directory that every machine has. The first mount covers it.
pub const PATH: &str = "/usr";

/// Programs and libraries. On most machines all but the first are links into
/// /usr (merged usr); a bind follows them.
const DIRECTORIES: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs look for in /etc. Of the TLS directories only the public
/// certificates: next to them lie the private keys of the host. Never shadow,
/// gshadow, sudoers, ssh, machine-id, and nothing that a package may put its
/// passwords into.
const CONFIGURATION: &[&str] = &[
    "/etc/alternatives",
    "/etc/bash.bashrc",
    "/etc/group",
    "/etc/inputrc",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
];

/// How names of the network are found: useful only with the network of the host.
const NETWORK: &[&str] = &["/etc/hosts", "/etc/resolv.conf"];

/// Everything that the root may show, where it exists: what a machine has to be asked for.
pub fn candidates() -> impl Iterator<Item = &'static str> {
    [DIRECTORIES, CONFIGURATION, NETWORK].concat().into_iter()
}

/// The mounts that make the root, before all others. `existing` is what the
/// machine has of the [`candidates`]; the network
/// of the host needs its name servers.
pub fn mounts(existing: &[&str], net: Net) -> Vec<Mount> {
    // The runtime takes a mount on / for the new root.
    let root = mount("/", "tmpfs", "tmpfs", &["mode=755", "size=16m", "nosuid", "nodev"]);
    let shown = |path: &&str| net == Net::Host || !NETWORK.contains(path);
    let binds = existing.iter().copied().filter(shown).map(bind);
    std::iter::once(root).chain(binds).chain(empty()).collect()
}

fn bind(path: &str) -> Mount {
    mount(path, "bind", path, &["rbind", "rro", "nosuid", "nodev"])
}

/// What programs write to. They share the size of half the memory each, which
/// the container's own memory limit counts.
fn empty() -> [Mount; 4] {
    [
        mount("/tmp", "tmpfs", "tmpfs", &["mode=1777", "nosuid", "nodev"]),
        mount("/var/tmp", "tmpfs", "tmpfs", &["mode=1777", "nosuid", "nodev"]),
        mount("/run", "tmpfs", "tmpfs", &["mode=755", "nosuid", "nodev"]),
        mount("/root", "tmpfs", "tmpfs", &["mode=700", "nosuid", "nodev"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destinations(net: Net) -> Vec<String> {
        let existing: Vec<&str> = candidates().collect();
        let mounts = mounts(&existing, net);
        mounts.iter().map(|mount| mount.destination().display().to_string()).collect()
    }

    #[test]
    fn the_root_itself_is_the_first_mount_and_a_tmpfs() {
        let mounts = mounts(&["/usr"], Net::None);
        assert_eq!(mounts[0].destination(), "/");
        assert_eq!(mounts[0].typ().as_deref(), Some("tmpfs"));
        assert_eq!(destinations(Net::None).iter().filter(|path| *path == "/").count(), 1);
    }

    #[test]
    fn what_the_host_lacks_is_left_out() {
        let mounts = mounts(&["/usr", "/bin"], Net::None);
        let binds = mounts.iter().filter(|mount| mount.typ().as_deref() == Some("bind"));
        assert_eq!(binds.count(), 2);
    }

    #[test]
    fn everything_of_the_host_is_read_only_to_the_last_mount() {
        let existing: Vec<&str> = candidates().collect();
        for mount in mounts(&existing, Net::Host) {
            if mount.typ().as_deref() == Some("bind") {
                let options = mount.options().clone().unwrap();
                assert!(options.contains(&"rro".into()), "{mount:?}");
                assert_eq!(mount.source().as_deref(), Some(mount.destination().as_path()));
            }
        }
    }

    #[test]
    fn no_directory_of_secrets_is_shown() {
        for path in destinations(Net::Host) {
            for secret in [
                "/etc",
                "/etc/shadow",
                "/etc/ssl",
                "/etc/ssl/private",
                "/etc/pki",
                "/home",
                "/var",
                "/opt",
            ] {
                assert_ne!(path, secret);
            }
        }
    }

    #[test]
    fn name_servers_are_shown_only_with_the_network_of_the_host() {
        let has = |net| destinations(net).contains(&"/etc/resolv.conf".into());
        assert!(has(Net::Host) && !has(Net::None));
    }
}
