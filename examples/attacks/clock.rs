//! Set the clock: certificates expire, logs lie, and there is no namespace for it.
//!
//! Stopped by the filter and by the capabilities: it takes CAP_SYS_TIME. EPERM.
//! See clock_settime(2), time_namespaces(7).

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime, clock_settime};

use super::{Attempt, Host, Seen, when};

/// To the time that it is: late by the time between two calls.
pub fn attack() -> Attempt {
    clock_settime(ClockId::CLOCK_REALTIME, clock_gettime(ClockId::CLOCK_REALTIME)?)?;
    Ok("the clock was set".into())
}

/// A timer that is cancelled when the clock is set (timerfd_create(2)).
pub fn harm(host: &mut Host, _: &Seen) -> Option<String> {
    let ended = crate::sys::file::read(host.clock.as_fd(), &mut [0; 8]).err()?;
    when(ended.is(Errno::ECANCELED), "a timer of the host was cancelled")
}
