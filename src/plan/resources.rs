//! linux.resources and linux.cgroupsPath. (Stub of the spec branch.)

use oci_spec::runtime::Linux;

use super::Cgroup;
use crate::error::Result;

pub(super) fn cgroup(linux: &Linux) -> Result<Cgroup> {
    let path = linux.cgroups_path().as_ref();
    Ok(Cgroup {
        path: path.map(|path| path.to_string_lossy().into_owned()),
        ..Cgroup::default()
    })
}
