//! Take memory until the kernel ends processes of others for the want of it.
//!
//! Stopped by `cgroup`: memory.max, 64 MiB here. The kernel ends who asked for more. SIGKILL.
//! See cgroups(7).

use super::{Attempt, Host, Seen, when};

/// 256 MiB are enough to see it. To be taken, memory has to be written to, and not left out by the
/// compiler.
pub fn attack() -> Attempt {
    std::mem::forget(std::hint::black_box(vec![1_u8; 256 << 20]));
    Ok("256 MiB".into())
}

/// What the host counts as its memory.
pub fn harm(_: &mut Host, seen: &Seen) -> Option<String> {
    let mebibytes = seen.status("VmRSS:")?.trim_end_matches(" kB").parse::<u32>().ok()? / 1024;
    when(mebibytes > 200, format!("{mebibytes} MiB of memory"))
}
