//! Hooks of the end: the host cleans up what its other hooks have made.
//!
//! They run when nothing of the container is left, also when it never came to
//! run. Of several jec that remove the same container, `run` and `delete
//! --force` say, only the one that did removes it, and runs them: once. The
//! container is gone already, so one that fails costs a warning, and the others
//! still run. Side: runtime. Without it: networks and addresses that belong to
//! nobody. See rmdir(2); config.md, "Poststop".

use std::slice;

use crate::error::{Error, Result};
use crate::hooks;
use crate::log;
use crate::sides::Runtime;
use crate::state::Status;
use crate::sys::signal;

/// Runs them all, if it was us who removed the container.
pub fn run(runtime: &mut Runtime) -> Result<()> {
    if !runtime.removed {
        return Ok(());
    }
    // Its number means nobody any more.
    runtime.init = None;
    // Closed before the clean-up; a hook without a timeout must not be without an end.
    runtime.signals = Some(signal::as_messages()?);
    for hook in &runtime.plan.hooks.poststop {
        match hooks::on_host(runtime, slice::from_ref(hook), Status::Stopped) {
            // A signal for jec, not a failure of the hook.
            Err(error @ Error::Died { .. }) => return Err(error),
            Err(error) => log::warn(&format!("warning: {error}")),
            Ok(()) => {}
        }
    }
    Ok(())
}
