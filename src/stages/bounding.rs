//! Bounding: the ceiling of all capabilities, lowered for ever.
//!
//! Root's power is cut into some forty capabilities. The bounding set limits
//! what any later execve can bring back: a set-uid or file-capability program
//! gains nothing that is not in it. Dropping from it cannot be undone, by
//! anyone, and is inherited. It goes first, since each drop itself takes
//! CAP_SETPCAP. Side: init. Without it: a set-uid root program in the image
//! has the whole of root back. See capabilities(7); config.md, "capabilities".

use nix::errno::Errno;

use crate::error::Result;
use crate::plan::names_of;
use crate::sides::Init;
use crate::sys::credentials;

/// Drops every capability that the configuration does not name, up to the
/// last that this kernel knows, even one newer than jec.
pub fn run(init: &mut Init) -> Result<()> {
    let keep = init.plan.process.capabilities.bounding;
    for number in (0..64).filter(|number| keep >> number & 1 == 0) {
        match credentials::drop_bounding(number, || names_of(1 << number)) {
            // EINVAL: beyond the last capability of this kernel.
            Err(error) if error.is(Errno::EINVAL) => break,
            other => other?,
        }
    }
    Ok(())
}
