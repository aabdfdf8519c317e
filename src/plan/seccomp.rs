//! linux.seccomp. (Stub of the spec branch.)

use oci_spec::runtime::LinuxSeccomp;

use crate::error::Result;
use crate::filter::{Action, Profile};

pub(super) fn profile(seccomp: &LinuxSeccomp) -> Result<Profile> {
    Ok(Profile {
        default_action: Action::Allow,
        architectures: Vec::new(),
        flags: 0,
        listener_path: None,
        listener_metadata: seccomp.listener_metadata().clone().unwrap_or_default(),
        rules: Vec::new(),
    })
}
