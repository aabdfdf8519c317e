//! Open files until nobody else on the machine can open one.
//!
//! Stopped by `limits`: RLIMIT_NOFILE, 64 here. EMFILE. See setrlimit(2).

use std::fs::File;
use std::mem::forget;

use super::{Attempt, Host, Seen, when};

/// Three hundred are enough to see it, and harm nobody.
pub fn attack() -> Attempt {
    for _ in 0..300 {
        forget(File::open("/dev/null")?);
    }
    Ok("300 open files".into())
}

/// Its descriptors.
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    let count = std::fs::read_dir(format!("/proc/{}/fd", seen.pid)).ok()?.count();
    when(count >= 300, format!("{count} open files"))
}
