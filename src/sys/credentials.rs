//! Who a process is.

/// The effective user id.
pub fn geteuid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The effective group id.
pub fn getegid() -> u32 {
    nix::unistd::getegid().as_raw()
}
