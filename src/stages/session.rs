//! Session: init leaves jec's terminal, keyring and view.
//!
//! setsid(2) takes init out of jec's session, so that it has no controlling
//! terminal into which it could push keystrokes for the shell outside
//! (TIOCSTI, CVE-2017-5226). A session keyring of its own keeps the host's
//! keys out of reach. Not dumpable means that a process of a joined namespace
//! can neither trace it nor look through its /proc files while it still holds
//! things of the host (CVE-2016-9962). Side: init. Without it: the attack in
//! the chapter. See setsid(2), session-keyring(7), PR_SET_DUMPABLE(2const).

use std::ffi::CStr;

use nix::errno::Errno;

use crate::error::{Result, unless};
use crate::sides::Init;
use crate::sys::attributes;

/// What ps(1) calls init until it is the program.
pub const NAME: &CStr = c"jec:[2:INIT]";

/// Says who it is, and cuts the ties.
pub fn run(init: &mut Init) -> Result<()> {
    attributes::set_name(NAME)?;
    // Until now it needed no such order: it would have heard the end of the baton's socket.
    attributes::die_with_parent()?;
    attributes::set_undumpable()?;
    attributes::setsid()?;
    if init.plan.process.keeps_keyring {
        return Ok(());
    }
    // Without a name: one with a name that exists is joined instead of made, and
    // any user of the host can make one of the name that we would choose.
    // ENOSYS: a kernel without keyrings has none that could leak. EPERM: a filter above us.
    unless(&[Errno::ENOSYS, Errno::EPERM], attributes::new_session_keyring()).map(drop)
}
