//! Pid file: init's number, for whoever asked for it.
//!
//! Engines pass `--pid-file FILE`, wait until it is there, and then watch that
//! process. So it is written last, when the state is on the disk and init
//! rests at its gate; and it is written beside and renamed, so that nobody
//! ever reads half a number. Side: runtime. Without it: an engine would have
//! to ask for the state again and again. See rename(2); runc(8), "create".

use crate::error::Result;
use crate::sides::Runtime;

/// Writes the file, if one was asked for.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    runtime.container()?.write_pid_file()
}
