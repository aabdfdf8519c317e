//! Load code into the kernel, or remove some.
//!
//! Stopped by the filter and by the capabilities: it takes CAP_SYS_MODULE. EPERM.
//! See init_module(2), delete_module(2).

use nix::errno::Errno;

use super::{Attempt, Host, Refused, Seen, when};

/// There is no such module. Who may not remove any is told so before the kernel looks for it.
pub fn attack() -> Attempt {
    match crate::sys::attack::delete_module(c"jec-attack") {
        Err(Errno::ENOENT) => Ok("the kernel looked for it".into()),
        Err(errno) => Err(Refused(errno)),
        Ok(()) => Ok("there was such a module".into()),
    }
}

/// Nobody outside can see that: it is the only one that is taken at its word.
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    when(!seen.text.is_empty(), format!("{} (its own word)", seen.text))
}
