//! Gate: the container rests here, for as long as nobody starts it.
//!
//! `jec create` ends and `jec start` is another process, maybe an hour later.
//! Between the two there is only init, waiting in accept(2) at a socket with a
//! name in the state directory. Whoever connects to it holds the baton from
//! then on, so what init still has to say (ENOEXEC, a filter that forbids
//! execve) is heard by `jec start`. Now, and not earlier, init need not die
//! with jec any more: the state says "created". Side: init. Without it: create
//! and start would have to be one process. See accept(2),
//! PR_SET_PDEATHSIG(2const); runtime.md, "Lifecycle".

use crate::error::Result;
use crate::sides::Init;
use crate::sys::attributes;

/// Lets go of the jec that made it. [`Init::take_baton`](crate::sides::Process) waits at the gate.
pub fn run(init: &mut Init) -> Result<()> {
    init.rests = true;
    attributes::outlive_parent()
}
