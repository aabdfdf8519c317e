//! Let the runtime itself work outside: in the image /vol is a link to a directory of the host,
//! and a volume is asked for at /vol/made, which the runtime has to make first, as root.
//!
//! Stopped in `mounts`: each path is resolved by openat2(2) as if the image were the whole world,
//! and no call fails: it is made inside. jec cannot be made to do otherwise; a path that is joined,
//! as others did, stands in its place.
//! See RESOLVE_IN_ROOT, CVE-2021-30465, CVE-2017-1002101.

use super::{Attempt, Host, Seen, when};

/// The image is the attack. All that is left to do is to look.
pub fn attack() -> Attempt {
    Ok(format!("/vol is a link to {}", std::fs::read_link("/vol")?.display()))
}

/// What was made where the link leads.
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    when(host.path("outside/made").exists(), "a directory was made on the host")
}
